"""Settings for production, which refuse to start without what they need."""

from mitxonline.settings.env import env, positive, refuse_placeholders, require

require(["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "SITE_BASE_URL"])
refuse_placeholders(
    [
        "ALLOWED_HOSTS",
        "SITE_BASE_URL",
        "DEFAULT_FROM_EMAIL",
        "OPENEDX_API_BASE_URL",
        "OPENEDX_BASE_REDIRECT_URL",
        "OPENEDX_STUDIO_API_BASE_URL",
        "OPENEDX_LEARNING_BASE_URL",
        "SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT",
        "SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT",
        "SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT",
        "KEYCLOAK_URL",
        "CORS_ORIGIN_WHITELIST",
    ]
)

from mitxonline.settings.base import *
from mitxonline.settings.parts.reports import *
from mitxonline.settings.parts.site import SITE_BASE_URL

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = [each.strip() for each in env.str("SECRET_KEY_FALLBACKS", "").split(",") if each.strip()]
ALLOWED_HOSTS = [each.strip() for each in env.str("ALLOWED_HOSTS").split(",") if each.strip()]
CSRF_TRUSTED_ORIGINS = [SITE_BASE_URL]

# Behind a proxy that terminates TLS. Without a proxy of ours, anyone could send the header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^(health|health/ready|metrics)/?$"]  # asked inside the network, without TLS
SECURE_HSTS_SECONDS = positive("SECURE_HSTS_SECONDS", 365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", True)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", True)
# Browsers take a cookie of this name only over TLS, from this host alone. Others must not have it.
SESSION_COOKIE_NAME = "__Host-sessionid" if SESSION_COOKIE_SECURE else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if CSRF_COOKIE_SECURE else "csrftoken"

SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # OwnPagesCsrfMiddleware is Django's, and more
    "security.W019",  # Our own pages may be framed: Wagtail shows previews in a frame.
    "security.W021",  # Preloading is the operator's decision: SECURE_HSTS_PRELOAD.
]

STORAGES = {
    "default": media_storage(),
    "staticfiles": {"BACKEND": "frontend.site.storage.HashedStorage"},
}

LOGGING = logging_config(json=True)

PAYMENT_GATEWAYS = [
    *stripe_gateways(STRIPE_ACCOUNTS, is_production=True, test_money=STRIPE_TEST_MODE),
    *paypal_gateways(PAYPAL_ACCOUNTS, api_base=PAYPAL_API_BASE, is_production=True, test_money=PAYPAL_TEST_MODE),
    *cybersource_gateways(CYBERSOURCE_ACCOUNTS, is_production=True, test_money=CYBERSOURCE_TEST_MODE),
]
