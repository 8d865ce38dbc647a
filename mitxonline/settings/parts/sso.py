"""How people sign in: with a password of this site, through Keycloak, through the course site, or any of these."""

import re
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, http_address, positive
from mitxonline.settings.parts.site import SITE_BASE_URL


def _split(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


# What stands between two pluses, or a role with a course's key, which has one inside.
_RIGHT = re.compile(r"[^+@]+@[^+]+\+[^+]+|[^+]+")


def _roles(name: str, default: str) -> dict[str, list[str]]:
    """Read `role=Group+staff,other=superuser`. The word `none` means no role at all.

    Roles in the shop may be for one course, whose id has a plus of its own: `role=finance_admin@course-v1:X+101+staff`.
    """
    value = env.str(name, default)
    if value.strip().lower() == "none":
        return {}
    pairs = [each.partition("=") for each in _split(value)]
    if not all(role.strip() and rights.strip() for role, _, rights in pairs):
        raise ImproperlyConfigured(f"{name} can't be read. Write role=Group+staff,other=superuser or none.")
    return {
        role.strip(): [each.strip() for each in _RIGHT.findall(rights) if each.strip()] for role, _, rights in pairs
    }


def _origin(address: str) -> list[str]:
    parts = urlsplit(address)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []


def _sign_in_origins() -> list[str]:
    origins = [each.rstrip("/") for each in _split(env.str("SIGN_IN_ORIGINS", ""))]
    if not all(_origin(each) == [each] for each in origins):
        raise ImproperlyConfigured("SIGN_IN_ORIGINS has to list origins, such as https://login.example without a path.")
    return origins


# Whether people may have a password of this site. Without, they sign in through a provider only.
LOCAL_ACCOUNTS = env.bool("LOCAL_ACCOUNTS", True)

# Keycloak, through OpenID Connect. The endpoint is the address of the realm.
SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = http_address("SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT")
SOCIAL_AUTH_KEYCLOAK_KEY = env.str("SOCIAL_AUTH_KEYCLOAK_KEY", "")
SOCIAL_AUTH_KEYCLOAK_SECRET = env.str("SOCIAL_AUTH_KEYCLOAK_SECRET", "")
SOCIAL_AUTH_KEYCLOAK_ISSUER = http_address("SOCIAL_AUTH_KEYCLOAK_ISSUER", SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT)
SOCIAL_AUTH_KEYCLOAK_NAME = env.str("SOCIAL_AUTH_KEYCLOAK_NAME", "Keycloak")
# Keycloak answers a request for two scopes of organizations with an error.
SOCIAL_AUTH_KEYCLOAK_SCOPE = env.str("SOCIAL_AUTH_KEYCLOAK_SCOPE", "organization:*").split()
SOCIAL_AUTH_KEYCLOAK_USE_PKCE = True
SOCIAL_AUTH_KEYCLOAK_PKCE_CODE_CHALLENGE_METHOD = "S256"
# The groups and rights that each role at the provider gives here.
KEYCLOAK_STAFF_ROLES = _roles(
    "KEYCLOAK_STAFF_ROLES",
    "storefront-editor=Editors,storefront-finance=Finance+staff,storefront-b2b=B2B managers+staff,"
    "storefront-admin=superuser",
)

# Whom Keycloak's access tokens have to be made out to, so that they open the API.
API_AUDIENCE = env.str("API_AUDIENCE", "") or SOCIAL_AUTH_KEYCLOAK_KEY

# The course site, through OAuth 2.
SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT = http_address("SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT")
# The course site's address for browsers, if it differs from the one for servers.
SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT = http_address(
    "SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT", SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT
)
SOCIAL_AUTH_EDX_OAUTH2_KEY = env.str("SOCIAL_AUTH_EDX_OAUTH2_KEY", "")
SOCIAL_AUTH_EDX_OAUTH2_SECRET = env.str("SOCIAL_AUTH_EDX_OAUTH2_SECRET", "")
SOCIAL_AUTH_EDX_OAUTH2_NAME = env.str("SOCIAL_AUTH_EDX_OAUTH2_NAME", "Open edX")
# The course site calls its own staff `administrator`.
EDX_STAFF_ROLES = _roles("EDX_STAFF_ROLES", "none")

# Seconds by which a provider's clock may differ from ours.
SIGN_IN_CLOCK_SKEW = positive("SIGN_IN_CLOCK_SKEW", 60)
SOCIAL_AUTH_JWT_LEEWAY = SIGN_IN_CLOCK_SKEW
# Rights by a role end this many seconds after the last sign-in that showed the role, in every session.
SIGN_IN_STAFF_SECONDS = 12 * 3600
# Functions that say whether an account has rights. If one does, an e-mail address alone doesn't open the account.
ACCOUNT_RIGHTS = [
    "mitxonline.users.sso.rights.has_staff_rights",
    "ecommerce.roles.has_any_role",
    "b2b.selectors.managers.manages_any_organization",
]
# Names that a role at a provider may be mapped to beside groups, `staff` and `superuser`; for one course with `@` and
# the course's id behind.
SIGN_IN_SHOP_ROLES = ("finance_admin", "sales_admin")
# Attributes of whoever is signed in, and the functions that return their expressions. They cost no query of their own.
SIGNED_IN_FACTS = {"has_shop_roles": "ecommerce.roles.holds_any_role"}
# What the Django admin shows below a person, in this order.
PERSON_INLINES = ["b2b.admin.OrganizationInline", "b2b.admin.SeatInline"]
# Functions that say in sentences what a person loses with a connection, before it is undone.
CONNECTION_LOSSES = [
    "mitxonline.users.sso.rights.losses_of",
    "b2b.selectors.seats.losses_of",
]
# Functions whose findings `check_sso` reports too.
SSO_CHECKS = ["b2b.services.organizations.keycloak_diagnosis.service_account_findings"]
# Seconds for which a link works that connects an account with rights.
CONNECT_LINK_SECONDS = 3600
# Long enough for issuer and subject, which together name a person.
SOCIAL_AUTH_UID_LENGTH = 512

_KEYCLOAK = bool(SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT and SOCIAL_AUTH_KEYCLOAK_KEY)
_EDX = bool(SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT and SOCIAL_AUTH_EDX_OAUTH2_KEY)

AUTHENTICATION_BACKENDS = [
    # Both also answer what people may do, which the providers' backends don't.
    f"mitxonline.users.backends.{'EmailBackend' if LOCAL_ACCOUNTS else 'RightsBackend'}",
    *(["mitxonline.users.sso.keycloak.KeycloakBackend"] if _KEYCLOAK else []),
    "mitxonline.users.sso.edx.EdxBackend",  # used where the environment or a site has its client
    # Signs no one in: it adds the permissions that come with roles in the shop.
    "ecommerce.backends.ShopRolesBackend",
]

# Whether the addresses that providers send people back to are https, although the web process hears http.
SOCIAL_AUTH_REDIRECT_IS_HTTPS = env.bool("SOCIAL_AUTH_REDIRECT_IS_HTTPS", SITE_BASE_URL.startswith("https://"))

# Where forms on our pages lead, for form-action of the content security policy.
SIGN_IN_ORIGINS = sorted(
    {
        *_sign_in_origins(),
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

# Our pages about passwords replace Wagtail's.
WAGTAIL_PASSWORD_RESET_ENABLED = False
WAGTAIL_PASSWORD_MANAGEMENT_ENABLED = LOCAL_ACCOUNTS
WAGTAILUSERS_PASSWORD_ENABLED = LOCAL_ACCOUNTS
WAGTAIL_FRONTEND_LOGIN_URL = "/login/"
