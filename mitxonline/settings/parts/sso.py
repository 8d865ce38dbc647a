"""Who says who someone is: this site, an organization's Keycloak, the Open edX course site, or any of them."""

from urllib.parse import urlsplit

from mitxonline.settings.env import env
from mitxonline.settings.parts.site import SITE_BASE_URL


def _words(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


def _roles(value: str) -> dict[str, list[str]]:
    """`role=Group+staff,other=superuser` as a table; `none` is an empty one."""
    if value.strip().lower() == "none":
        return {}
    pairs = (each.partition("=") for each in _words(value))
    return {role.strip(): [each.strip() for each in rights.split("+") if each.strip()] for role, _, rights in pairs}


def _origin(address: str) -> list[str]:
    parts = urlsplit(address)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []


# Accounts with a password of ours. Switched off, people come in through a provider only.
LOCAL_ACCOUNTS = (env.str("LOCAL_ACCOUNTS", "") or "true").lower() not in ("false", "0", "no", "off")

# Keycloak, through OpenID Connect. The endpoint is the address of the realm, below which the discovery document is.
SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = env.str("SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT", "").rstrip("/")
SOCIAL_AUTH_KEYCLOAK_KEY = env.str("SOCIAL_AUTH_KEYCLOAK_KEY", "")
SOCIAL_AUTH_KEYCLOAK_SECRET = env.str("SOCIAL_AUTH_KEYCLOAK_SECRET", "")
SOCIAL_AUTH_KEYCLOAK_ISSUER = (
    env.str("SOCIAL_AUTH_KEYCLOAK_ISSUER", "").rstrip("/") or SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT
)
SOCIAL_AUTH_KEYCLOAK_NAME = env.str("SOCIAL_AUTH_KEYCLOAK_NAME", "") or "Keycloak"
# Exactly one scope of organizations may be asked for: two of them are answered with an error.
SOCIAL_AUTH_KEYCLOAK_SCOPE = (env.str("SOCIAL_AUTH_KEYCLOAK_SCOPE", "") or "organization:*").split()
SOCIAL_AUTH_KEYCLOAK_USE_PKCE = True
SOCIAL_AUTH_KEYCLOAK_PKCE_CODE_CHALLENGE_METHOD = "S256"
# Which role at the provider gives which groups and rights here.
KEYCLOAK_STAFF_ROLES = _roles(
    env.str("KEYCLOAK_STAFF_ROLES", "")
    or "storefront-editor=Editors,storefront-finance=Finance+staff,storefront-b2b=B2B managers+staff,"
    "storefront-admin=superuser"
)

# The course site, through its OAuth 2 service.
SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT = env.str("SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT", "").rstrip("/")
# The course site's address as browsers know it, where that is another one than for servers.
SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT = (
    env.str("SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT", "").rstrip("/") or SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT
)
SOCIAL_AUTH_EDX_OAUTH2_KEY = env.str("SOCIAL_AUTH_EDX_OAUTH2_KEY", "")
SOCIAL_AUTH_EDX_OAUTH2_SECRET = env.str("SOCIAL_AUTH_EDX_OAUTH2_SECRET", "")
SOCIAL_AUTH_EDX_OAUTH2_NAME = env.str("SOCIAL_AUTH_EDX_OAUTH2_NAME", "") or "Open edX"
# `administrator` is what the course site calls its own staff.
EDX_STAFF_ROLES = _roles(env.str("EDX_STAFF_ROLES", "") or "none")

# By how many seconds a provider's clock may differ from ours.
SIGN_IN_CLOCK_SKEW = int(env.str("SIGN_IN_CLOCK_SKEW", "") or 60)
SOCIAL_AUTH_JWT_LEEWAY = SIGN_IN_CLOCK_SKEW
# Rights by a role at a provider end this long after the last sign-in that showed the role, in every session.
SIGN_IN_STAFF_SECONDS = 12 * 3600
# Questions that say of an account whether it has rights; one yes, and an e-mail address alone doesn't open it.
ACCOUNT_RIGHTS = [
    "mitxonline.users.sso.rights.has_staff_rights",
    "b2b.selectors.managers.manages_any_organization",
]
# What Django's admin shows below a person, in this order.
PERSON_INLINES = ["b2b.admin.OrganizationInline", "b2b.admin.SeatInline"]
# What someone loses with a connection, in sentences told before it is undone.
CONNECTION_LOSSES = [
    "mitxonline.users.sso.rights.losses_of",
    "b2b.selectors.seats.losses_of",
]
# A link that connects such an account works this long.
CONNECT_LINK_SECONDS = 3600
# Issuer and subject together name a person.
SOCIAL_AUTH_UID_LENGTH = 512

_KEYCLOAK = bool(SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT and SOCIAL_AUTH_KEYCLOAK_KEY)
_EDX = bool(SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT and SOCIAL_AUTH_EDX_OAUTH2_KEY)

AUTHENTICATION_BACKENDS = [
    # Either one also knows what people may do; the backends of the providers don't.
    f"mitxonline.users.backends.{'EmailBackend' if LOCAL_ACCOUNTS else 'RightsBackend'}",
    *(["mitxonline.users.sso.keycloak.KeycloakBackend"] if _KEYCLOAK else []),
    *(["mitxonline.users.sso.edx.EdxBackend"] if _EDX else []),
]

# Forms on our pages lead there, and browsers ask the content security policy about that.
SIGN_IN_ORIGINS = sorted(
    {
        *_words(env.str("SIGN_IN_ORIGINS", "")),
        *(_origin(SOCIAL_AUTH_KEYCLOAK_ISSUER) if _KEYCLOAK else []),
        *(_origin(SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT) if _EDX else []),
    }
    - set(_origin(SITE_BASE_URL))
)

SOCIAL_AUTH_PIPELINE = [
    "social_core.pipeline.social_auth.social_details",
    "social_core.pipeline.social_auth.social_uid",
    "mitxonline.users.sso.pipeline.find_account",
    "mitxonline.users.sso.pipeline.follow_rights",
    "b2b.receivers.follow_organizations",
]

# Wagtail's own pages about passwords give way to ours.
WAGTAIL_PASSWORD_RESET_ENABLED = False
WAGTAIL_PASSWORD_MANAGEMENT_ENABLED = LOCAL_ACCOUNTS
WAGTAILUSERS_PASSWORD_ENABLED = LOCAL_ACCOUNTS
WAGTAIL_FRONTEND_LOGIN_URL = "/login/"
