"""Reading the access tokens with which people's programs and services call us: RFC 9068, and Keycloak's own."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from requests import RequestException
from social_core.exceptions import SocialAuthBaseException

from mitxonline.users.sso.keycloak import KeycloakBackend
from mitxonline.users.sso.tokens import TokenRefused, verify_token

# What a header names, and what Keycloak puts among the claims. An ID token has neither: it is for its client alone.
_HEADER_TYPE, _CLAIM_TYPE = "at+jwt", "bearer"


class KeysAway(Exception):
    """The provider's keys can't be read, so nobody can say whether the token is sound."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a sound token says. Without a session it is a service's own: nobody signed in to get it."""

    issuer: str
    subject: str
    scopes: frozenset[str]
    has_session: bool


def read_access_token(backend: KeycloakBackend, token: str) -> AccessToken:
    """Check the token and return what it says. Raises TokenRefused and KeysAway."""
    try:
        kind, claims = verify_token(backend, token, audience=settings.API_AUDIENCE, required=["exp", "sub"])
    except (SocialAuthBaseException, RequestException) as error:
        raise KeysAway from error
    if kind != _HEADER_TYPE and str(claims.get("typ", "")).lower() != _CLAIM_TYPE:
        raise TokenRefused("typ names a different kind of token")
    scope = claims.get("scope", "")
    return AccessToken(
        issuer=claims["iss"],
        subject=str(claims["sub"]),
        scopes=frozenset(scope.split()) if isinstance(scope, str) else frozenset(),
        has_session=bool(claims.get("sid") or claims.get("session_state")),
    )
