"""Settings for a developer's machine: embedded servers unless addresses are given, e-mail in files."""

import os
import sys
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from dev.demo_lms.routes import DEMO_ROUTES
from dev.embedded.commands import needs_no_server
from dev.embedded.errors import EmbeddedError
from dev.embedded.fresh import migrate_new_database
from dev.embedded.places import local_dir, site_port
from dev.embedded.servers import development_servers, name_unreachable_servers
from mitxonline.settings.env import env, read_dotenv, set_default

read_dotenv()
if needs_no_server(sys.argv):
    name_unreachable_servers(os.environ)
else:
    try:
        is_embedded = not os.environ.get("DATABASE_URL")
        development_servers().provide(os.environ)
        if is_embedded:
            migrate_new_database(sys.argv, os.environ["DATABASE_URL"])
    except EmbeddedError as error:
        raise ImproperlyConfigured(str(error)) from error
set_default("PAYPAL_TEST_MODE", "true")
set_default("SITE_BASE_URL", f"http://127.0.0.1:{site_port()}")
# Three slashes, because django-environ removes one, and the path would be relative to the current folder.
set_default("EMAIL_URL", f"filemail:///{quote(str(local_dir() / 'mail'))}")

from mitxonline.settings.base import *

# Off by default, so that pages, errors and speed are those of production. DEBUG=1 shows tracebacks.
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "for-development-only-and-therefore-no-secret")
ALLOWED_HOSTS = ["*"]
SHARED_PAGES = env.bool("SHARED_PAGES", not DEBUG)  # with DEBUG templates change while the process runs

MEDIA_ROOT = env.str("MEDIA_ROOT", str(local_dir() / "media"))
SERVE_MEDIA = True
STORAGES = {
    "default": media_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # static files straight from the apps, without collectstatic
WHITENOISE_AUTOREFRESH = DEBUG
STATIC_ROOT = None

# Without the lines that Celery writes for every run of every sweep.
LOGGING["loggers"]["celery.app.trace"] = {"level": "WARNING"}

# Each SQL statement with its milliseconds, which Django only measures with DEBUG.
if env.bool("SQL_LOG", False) and DEBUG:
    LOGGING["loggers"]["django.db.backends"] = {"level": "DEBUG"}

SANDBOX_PAYMENTS = True
INSTALLED_APPS = ["dev.style_guide", "dev.demo_lms", *INSTALLED_APPS]
COMMERCE_EVENT_ROUTES_EXTRA = {**DEMO_ROUTES, **COMMERCE_EVENT_ROUTES_EXTRA}
PAYMENT_GATEWAYS = [
    *stripe_gateways(STRIPE_ACCOUNTS, is_production=False, test_money=True),
    *paypal_gateways(PAYPAL_ACCOUNTS, api_base=PAYPAL_API_BASE, is_production=False, test_money=True),
    *cybersource_gateways(CYBERSOURCE_ACCOUNTS, is_production=False, test_money=True),
    SANDBOX,
]
