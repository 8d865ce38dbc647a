"""Error reports to Sentry, if SENTRY_DSN is set: without people, request bodies and local variables."""

import sentry_sdk

from mitxonline.logs import redact_report
from mitxonline.settings.env import env

SENTRY_DSN = env.str("SENTRY_DSN", "")

if SENTRY_DSN:
    sentry_sdk.init(
        dsn=SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", "production"),
        release=env.str("RELEASE", "") or None,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=env.float("SENTRY_TRACES_SAMPLE_RATE", 0.0),
        before_send=redact_report,
    )
