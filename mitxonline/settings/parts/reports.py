"""Error reports to Sentry, if SENTRY_DSN is set: without people, request bodies and local variables."""

import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from sentry_sdk.utils import BadDsn, Dsn

from mitxonline.logs import redact_report
from mitxonline.settings.env import env

SENTRY_DSN = env.str("SENTRY_DSN", "")

_SAMPLE_RATE = env.float("SENTRY_TRACES_SAMPLE_RATE", 0.0)
if not 0 <= _SAMPLE_RATE <= 1:
    raise ImproperlyConfigured("SENTRY_TRACES_SAMPLE_RATE has to be a number from 0 to 1.")

if SENTRY_DSN:
    try:
        Dsn(SENTRY_DSN)
    except BadDsn:
        raise ImproperlyConfigured("SENTRY_DSN isn't an address of Sentry: https://key@host/number.") from None
    sentry_sdk.init(
        dsn=SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", "production"),
        release=env.str("RELEASE", None),
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=_SAMPLE_RATE,
        before_send=redact_report,
    )
