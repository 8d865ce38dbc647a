"""Keycloak through OpenID Connect, with what social-core leaves out: one issuer, keys that change, roles, logout."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
from django.conf import settings
from django.http import HttpResponse
from jwt import PyJWTError
from jwt.utils import base64url_decode
from social_core.backends.base import BaseAuth
from social_core.backends.open_id_connect import OpenIdConnectAuth
from social_core.backends.utils import load_oidc_config
from social_core.exceptions import AuthConfigurationError, AuthResponseError, ErrorStage, SocialAuthBaseException
from social_core.utils import cache

from mitxonline.users.sso.claims import Identity, identity_in
from mitxonline.users.sso.errand import ErrandMixin
from mitxonline.users.sso.request_user import ProvenRights

# Keys and addresses of the provider are asked for again after this long, in seconds; if it is away then, the last ones
# serve on.
_FRESH = 3600
# A token signed with a key we don't know has the keys fetched anew, but a stranger's tokens not more often than this.
_REFETCH_PAUSE = 30
_ROLE_CLAIMS = ("realm_access", "resource_access")
# Longer addresses than this are refused by servers on the way; without the hint Keycloak asks for a confirmation.
_LONGEST_HINT = 4000
# OpenID Connect allows a subject no more characters; sessions are named as shortly.
_LONGEST_NAME = 255

# Enough of a wrong issuer to recognize it in the log.
_LOGGED = 200

_refetched: dict[str, float] = {}


class AnotherIssuer(SocialAuthBaseException):
    """An answer or a document of another issuer than ours. `came` is fit for a log: one short, printable line."""

    default_code = "invalid_claim"

    def __init__(self, backend: BaseAuth[HttpResponse], came: object, *, stage: ErrorStage) -> None:
        super().__init__(backend, claim="iss", stage=stage)
        self.came = "".join(char if char.isprintable() else "?" for char in str(came))[:_LOGGED]
        self.expected = issuer()


class DocumentOfAnotherIssuer(AnotherIssuer, AuthConfigurationError):
    """The discovery document names another issuer: no sign-in can succeed until an operator sets one of them right."""


class KeycloakBackend(ProvenRights, ErrandMixin, OpenIdConnectAuth[HttpResponse]):
    """A realm of someone's Keycloak.

    Tokens are believed if the issuer is the configured one. The claims handed on are those of the ID token and of
    userinfo, which answers for the same subject; roles may come from the access token, whose signature is checked too.
    """

    name = "keycloak"
    # All with a public key: an algorithm with a shared secret, or none, can't get in by a token's own word.
    JWT_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
    DEFAULT_USE_PKCE = True
    EXTRA_DATA: list[Any] = []

    # Where the provider is

    def id_token_issuer(self) -> str:
        return issuer()

    @cache(ttl=_FRESH)
    def get_openid_configuration(self, url: str) -> dict[str, Any]:
        document: dict[str, Any] = load_oidc_config(self, url)
        # OpenID Connect Discovery, 4.3. Not cached, so that it works as soon as it is set right.
        if document.get("issuer") != issuer():
            raise DocumentOfAnotherIssuer(self, document.get("issuer"), stage="begin")
        return document

    @cache(ttl=_FRESH)
    def get_jwks_keys_for_uri(self, uri: str) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self.get_remote_jwks_keys(uri)
        return keys

    # Coming back

    def validate_state(self) -> str | None:
        state = super().validate_state()
        # RFC 9207: an answer that names its sender names the one we asked.
        sender = self.data.get("iss")
        if sender and sender != self.id_token_issuer():
            raise AnotherIssuer(self, sender, stage="callback")
        return state

    def validate_and_return_id_token(self, id_token: str, access_token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = super().validate_and_return_id_token(  # type: ignore[no-untyped-call]
                id_token, access_token
            )
        except AuthResponseError as error:
            if error.claim != "iss" or error.code != "invalid_claim":
                raise
            # Its signature has been verified: that is looked at before the claims are.
            said = jwt.decode(id_token, options={"verify_signature": False}).get("iss")
            raise AnotherIssuer(self, said, stage=error.stage) from error
        return claims

    def request_access_token(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        response: dict[Any, Any] = super().request_access_token(*args, **kwargs)
        sid = (self.id_token or {}).get("sid")
        self.sid = sid if isinstance(sid, str) and len(sid) <= _LONGEST_NAME and sid.isprintable() else ""
        self.raw_id_token = response["id_token"]
        return response

    def find_valid_key(self, id_token: str) -> dict[str, Any] | None:
        header = jwt.get_unverified_header(id_token)
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self.JWT_ALGORITHMS:
            return None
        for key in self._keys_named(kid):
            named = {"alg": algorithm, **key}
            if named["alg"] == algorithm and _is_signed_by(named, id_token):
                return named
        return None

    def _keys_named(self, kid: str | None) -> list[dict[str, Any]]:
        found = _keys_with_id(self.get_jwks_keys(), kid)
        uri = self.jwks_uri()
        if not found and _may_refetch(uri):
            found = _keys_with_id(self.get_jwks_keys_for_uri.refresh(self, uri), kid)
        return found

    def validate_temporal_claims(self, id_token: Mapping[str, Any]) -> None:
        """Refuse a token made long ago. Ends and beginnings were compared already, with the clock skew allowed."""
        made_at = id_token.get("iat")
        if not isinstance(made_at, int | float):
            raise AuthResponseError(self, claim="iat", code="missing_claim", stage="token_validation")
        if time.time() > made_at + self.ID_TOKEN_MAX_AGE + settings.SIGN_IN_CLOCK_SKEW:
            raise AuthResponseError(self, claim="iat", code="response_expired", stage="token_validation")

    # Who it is

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        claims: Mapping[str, Any] = self.id_token or {}
        told: object = self.get_json(self.userinfo_url(), headers={"Authorization": f"Bearer {access_token}"})
        if not isinstance(told, dict) or told.get("sub") != claims.get("sub"):
            raise AuthResponseError(self, claim="sub", code="invalid_claim", stage="user_info")
        if "email" in told:  # an address and whether it is verified are said by one and the same
            claims = {name: value for name, value in claims.items() if name not in ("email", "email_verified")}
        everything = {**claims, **told}
        if not any(name in everything for name in _ROLE_CLAIMS):
            known = self._access_claims(access_token)
            everything |= {name: known[name] for name in _ROLE_CLAIMS if name in known}
        return everything

    def get_user_id(self, details: Any, response: Mapping[str, Any]) -> str:
        return self.identity(response).uid

    def identity(self, response: Mapping[str, Any]) -> Identity:
        """Who signs in, by issuer and subject."""
        subject = (self.id_token or {}).get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_NAME:
            raise AuthResponseError(self, claim="sub", code="missing_claim", stage="user_info")
        return identity_in(response, provider=self.name, issuer=self.id_token_issuer(), subject=subject)

    def roles(self, response: Mapping[str, Any]) -> frozenset[str]:
        """The realm's roles, and those of our client."""
        clients = response.get("resource_access")
        own = clients.get(settings.SOCIAL_AUTH_KEYCLOAK_KEY) if isinstance(clients, Mapping) else None
        return _roles_in(response.get("realm_access")) | _roles_in(own)

    def staff_roles(self) -> Mapping[str, list[str]]:
        """What a role gives here."""
        roles: Mapping[str, list[str]] = settings.KEYCLOAK_STAFF_ROLES
        return roles

    def _access_claims(self, access_token: str) -> Mapping[str, Any]:
        """What the access token says, if it is one that can be read and was made for us; else nothing."""
        try:
            key = self.find_valid_key(access_token)
            if key is None:
                return {}
            claims: dict[str, Any] = jwt.decode(
                access_token,
                jwt.PyJWK(key).key,
                algorithms=[key["alg"]],
                issuer=self.id_token_issuer(),
                leeway=settings.SIGN_IN_CLOCK_SKEW,
                options={"verify_aud": False, "require": ["exp", "iss"]},
            )
        except PyJWTError:
            return {}
        same_person = claims.get("sub") in (None, (self.id_token or {}).get("sub"))
        return claims if same_person and claims.get("azp") == settings.SOCIAL_AUTH_KEYCLOAK_KEY else {}

    # Going out

    def logout_url(self, *, id_token: str, back_to: str) -> str:
        """Where the browser goes to end the session there too; empty if the provider doesn't say."""
        try:
            address = self.oidc_config().get("end_session_endpoint")
        except SocialAuthBaseException:
            return ""
        if not isinstance(address, str) or not address:
            return ""
        asked = {"client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY, "post_logout_redirect_uri": back_to}
        if 0 < len(id_token) <= _LONGEST_HINT:
            asked["id_token_hint"] = id_token
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def issuer() -> str:
    """Who signs Keycloak's tokens; empty if Keycloak isn't configured."""
    name: str = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER
    return name


def _keys_with_id(keys: list[dict[str, Any]], kid: str | None) -> list[dict[str, Any]]:
    return [key for key in keys if key.get("use", "sig") == "sig" and kid in (None, key.get("kid"))]


def _is_signed_by(key: dict[str, Any], token: str) -> bool:
    message, _dot, signature = token.rpartition(".")
    try:
        known = jwt.PyJWK(key)
        return known.Algorithm.verify(message.encode(), known.key, base64url_decode(signature.encode()))
    except (PyJWTError, ValueError, KeyError, TypeError):  # a key that is none signs nothing
        return False


def _may_refetch(uri: str) -> bool:
    now = time.monotonic()
    if now - _refetched.get(uri, -_REFETCH_PAUSE) < _REFETCH_PAUSE:
        return False
    _refetched[uri] = now
    return True


def _roles_in(access: Any) -> frozenset[str]:
    roles = access.get("roles") if isinstance(access, Mapping) else None
    return frozenset(each for each in roles if isinstance(each, str)) if isinstance(roles, list) else frozenset()
