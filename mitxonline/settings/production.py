"""For the real thing. Refuses to start without what it needs; holds nothing embedded."""

from mitxonline.settings.env import env, require

require(["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "SITE_BASE_URL"])

from mitxonline.settings.base import *
from mitxonline.settings.parts.reports import *
from mitxonline.settings.parts.site import SITE_BASE_URL

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [SITE_BASE_URL]

# Behind a proxy that ends TLS. The header is believed only if a proxy of ours is there to write it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^health/$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"

SILENCED_SYSTEM_CHECKS = [
    "security.W019",  # frames of our own are allowed: Wagtail shows previews in one
    "security.W021",  # being built into browsers is the operator's decision: SECURE_HSTS_PRELOAD
]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "frontend.site.storage.HashedStorage"},
}

LOGGING = logging_config(json=True)

PAYMENT_GATEWAYS = payment_gateways(STRIPE_ACCOUNTS, is_production=True, test_money=STRIPE_TEST_MODE)
