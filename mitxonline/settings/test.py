"""Settings for tests and the type checker: real PostgreSQL, and nothing leaves the process unless a test asks."""

import os

from dev.embedded.places import local_dir
from dev.embedded.servers import name_unreachable_servers, test_servers

# Set by pytest before it reads settings. The type checker reads them too, but needs no server.
# The addresses go into the environment, where parallel workers find them instead of starting servers.
USES_EMBEDDED_SERVERS = "PYTEST_VERSION" in os.environ and not os.environ.get("DATABASE_URL")
if USES_EMBEDDED_SERVERS:
    test_servers().provide(os.environ)
name_unreachable_servers(os.environ)
os.environ["SITE_BASE_URL"] = "http://testserver"
os.environ["EMAIL_URL"] = "memorymail://"
# Celery prefers this variable to its setting. Tests use a broker of their own, or none.
os.environ.pop("CELERY_BROKER_URL", None)
# No test may call a real gateway or course site, whatever keys the machine has.
for name in [
    *filter(lambda each: each.startswith(("STRIPE_", "PAYPAL_", "CYBERSOURCE_")), os.environ),
    "OPENEDX_API_BASE_URL",
]:
    os.environ.pop(name, None)

from mitxonline.settings.base import *

DEBUG = False
SECRET_KEY = "for-tests-only-and-therefore-no-secret"
ALLOWED_HOSTS = ["*"]

# The live server serves static files itself, and scanning them for each test client takes longer than a test.
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("whitenoise.")]
MEDIA_ROOT = str(local_dir() / "test" / "media" / os.environ.get("PYTEST_XDIST_WORKER", "main"))
SERVE_MEDIA = True

DATABASES["default"]["CONN_MAX_AGE"] = 0
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SHARED_PAGES = False  # tests of the cache switch it on; others draw each page anew
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
CELERY_BEAT_SCHEDULE = {}

CURRENCIES = ["USD", "EUR", "GBP", "JPY", "KWD", "CHF", "CLP", "HUF", "ISK", "TWD", "UGX"]

SANDBOX_PAYMENTS = True
PAYMENT_GATEWAYS = ["ecommerce.gateways.sandbox.SandboxGateway"]
INSTALLED_APPS = ["dev.style_guide", *INSTALLED_APPS]
