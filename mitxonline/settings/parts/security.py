"""What browsers may do with our pages, and rules for passwords."""

from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF, UNSAFE_INLINE

from mitxonline.settings.env import env, positive, read_origins
from mitxonline.settings.parts.payments import PAYMENT_PAGE_ORIGINS
from mitxonline.settings.parts.sso import SIGN_IN_ORIGINS

# Video players that editors may embed in a page.
_PLAYERS = ["https://www.youtube-nocookie.com", "https://www.youtube.com", "https://player.vimeo.com"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF],
        "frame-src": [SELF, *_PLAYERS],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF, *SIGN_IN_ORIGINS, *PAYMENT_PAGE_ORIGINS],
        "frame-ancestors": [SELF],  # Wagtail shows previews in a frame
    }
}
# Both admins have inline scripts and styles. Only staff gets there.
CONTENT_SECURITY_POLICY_ADMIN = {
    "script-src": [SELF, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:", "blob:"],
}
CONTENT_SECURITY_POLICY_ADMIN_PREFIXES = ("/cms/", "/admin/")
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_CONTENT_TYPE_NOSNIFF = True
# Our addresses contain enrollment codes, so other sites don't learn them.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Whether sessions end with the browser. Without, people stay signed in and keep their cart for two weeks.
SESSION_EXPIRE_AT_BROWSER_CLOSE = env.bool("SESSION_EXPIRE_AT_BROWSER_CLOSE", False)
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", False)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", False)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # buyers come back from the payment page by a link
CSRF_COOKIE_SAMESITE = "Lax"

# Other sites' pages may call the API, and nothing else, if they are listed; with people's cookies only if that is
# allowed besides.
API_PREFIX = "/api/"
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ORIGIN_WHITELIST = read_origins("CORS_ORIGIN_WHITELIST")
CORS_ALLOW_CREDENTIALS = env.bool("CORS_ALLOW_CREDENTIALS", False)
CORS_ALLOW_HEADERS = (*default_headers, "if-none-match")
CORS_EXPOSE_HEADERS = (
    "ETag",
    "Retry-After",
    "X-Trace-Id",
)

# How many proxies of ours are in front of the web process. With 0, X-Forwarded-For and trace ids are ignored.
TRUSTED_PROXY_COUNT = positive("TRUSTED_PROXY_COUNT", 0)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
