"""Settings of all environments. Long subjects, and those that read environment variables, have a file in parts/."""

from zoneinfo import ZoneInfo

import django_stubs_ext
from django.utils.translation import gettext_lazy as _

from mitxonline.settings.env import BASE_DIR, env, read
from mitxonline.settings.parts.accounts import *
from mitxonline.settings.parts.commerce import *
from mitxonline.settings.parts.content import *
from mitxonline.settings.parts.coordinator import *
from mitxonline.settings.parts.cybersource import *
from mitxonline.settings.parts.keycloak import *
from mitxonline.settings.parts.limits import *
from mitxonline.settings.parts.logs import *
from mitxonline.settings.parts.mail import *
from mitxonline.settings.parts.openedx import *
from mitxonline.settings.parts.payments import *
from mitxonline.settings.parts.paypal import *
from mitxonline.settings.parts.plugins import *
from mitxonline.settings.parts.processes import *
from mitxonline.settings.parts.remote import *
from mitxonline.settings.parts.security import *
from mitxonline.settings.parts.shared_pages import *
from mitxonline.settings.parts.site import *
from mitxonline.settings.parts.sso import *
from mitxonline.settings.parts.storage import *
from mitxonline.settings.parts.tasks import *
from mitxonline.settings.parts.timeline import *
from mitxonline.settings.parts.watching import *

# Makes Django's generic classes subscriptable, as the type checker wants them: admin.ModelAdmin[Order].
django_stubs_ext.monkeypatch()

DEBUG = False

INSTALLED_APPS = [
    "dev.demo",  # `load_demo`, which refuses a real site unless it is forced
    "frontend",
    "api",
    "reports",
    "cms",
    "b2b",
    "ecommerce",
    "courses",
    "mitxonline.users",
    "mitxonline.coordinator",
    "mitxonline.kernel",
    "mitxonline.staff",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.contrib.settings",
    "wagtail.embeds",
    "wagtail.sites",
    "mitxonline.users.apps.WagtailPeopleConfig",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "corsheaders",
    "csp",
    "ninja",  # its page of the API’s documentation
    "django_htmx",
    "social_django",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
    "django.contrib.humanize",
    *COMMERCE_APPS_EXTRA,
]

MIDDLEWARE = [
    "mitxonline.security.HostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mitxonline.kernel.trace.TraceMiddleware",
    "mitxonline.shared.middleware.SharedPageMiddleware",
    "mitxonline.kernel.remote.PagePatienceMiddleware",
    "mitxonline.security.PolicyMiddleware",
    "mitxonline.health.HealthMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "api.http.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "mitxonline.security.OwnPagesCsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    "mitxonline.kernel.http.DomainErrorMiddleware",
    "mitxonline.staff.forged.WagtailFormsMiddleware",
]

ROOT_URLCONF = "mitxonline.urls"
WSGI_APPLICATION = "mitxonline.wsgi.application"
ASGI_APPLICATION = "mitxonline.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wagtail.contrib.settings.context_processors.settings",
                "frontend.pages.context_processors.announcement",
                "frontend.pages.context_processors.brand",
                "frontend.pages.context_processors.cart",
                "frontend.pages.context_processors.navigation",
            ],
        },
    },
]

AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/dashboard/"
LOGOUT_REDIRECT_URL = "/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["mitxonline.formats"]
USE_I18N = True
USE_TZ = True
# The dates of contracts are days in this zone, both ends included.
TIME_ZONE = env.str("TIME_ZONE", "UTC")
read("TIME_ZONE", TIME_ZONE, lambda: ZoneInfo(TIME_ZONE))

EVENT_ROUTES = "mitxonline.event_routes.ROUTES"
