"""Settings of workers that tests start: the tests' own, with a broker they share."""

import os

from mitxonline.settings import test
from tests.openedx.state import LMS_CLIENT, LMS_SECRET
from tests.support.hurry import HURRY

globals().update({name: getattr(test, name) for name in dir(test) if name.isupper()})

CELERY_BROKER_URL = os.environ["TEST_BROKER_URL"]
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"global_keyprefix": os.environ.get("TEST_BROKER_PREFIX", ""), "visibility_timeout": 3600}
    if CELERY_BROKER_URL.startswith("redis")
    else {}
)
if "TEST_MAILBOX" in os.environ:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = os.environ["TEST_MAILBOX"]
if "TEST_STRIPE_API_BASE" in os.environ:
    STRIPE_ACCOUNTS = {"": {"secret_key": "sk_test_of_the_tests", "webhook_secrets": []}}
    STRIPE_API_BASE = os.environ["TEST_STRIPE_API_BASE"]
    PAYMENT_GATEWAYS = ["ecommerce.gateways.stripe.StripeGateway"]
    # Longer than any test: no one who waits for this gateway is done before the test is.
    REMOTE_CALL_SECONDS = REMOTE_SWEEP_SECONDS = 600.0
if "TEST_COURSE_SITE" in os.environ:
    OPENEDX_API_BASE_URL = OPENEDX_BASE_REDIRECT_URL = os.environ["TEST_COURSE_SITE"]
    OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID, OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = LMS_CLIENT, LMS_SECRET
    OPENEDX_TIMEOUT = 600  # a call ends with its worker, or when the test says so
if "TEST_METRICS_KEY" in os.environ:
    METRICS_KEY = os.environ["TEST_METRICS_KEY"]
if "TEST_CONN_MAX_AGE" in os.environ:
    DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ["TEST_CONN_MAX_AGE"])  # type: ignore[name-defined]  # noqa: F821
if "TEST_DEFAULT_QUEUE" in os.environ:
    CELERY_TASK_DEFAULT_QUEUE = os.environ["TEST_DEFAULT_QUEUE"]
if "TEST_TAKE_SECONDS" in os.environ:
    DELIVERY_TAKE_SECONDS = float(os.environ["TEST_TAKE_SECONDS"])
if "TEST_HURRY" in os.environ:
    globals().update(HURRY)
    CELERY_BEAT_SCHEDULE = {"sweep": {"task": "mitxonline.coordinator.tasks.sweep_deliveries", "schedule": 1.0}}
# The routes of the test that starts it; those of the coordinator's own tests unless it says.
EVENT_ROUTES = os.environ.get("TEST_EVENT_ROUTES", "tests.coordinator.world.ROUTES")
