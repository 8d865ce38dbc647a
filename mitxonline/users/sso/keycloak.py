"""Keycloak through OpenID Connect, and what social-core lacks: a fixed issuer, key rotation, roles, logout."""

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

from mitxonline.users.sso.backend import ProviderBackend
from mitxonline.users.sso.identity import ProviderIdentity, read_identity

# Seconds after which the provider's keys and addresses are fetched again. If it is away then, the last ones stay valid.
_CACHE_SECONDS = 3600
# A token signed with an unknown key makes us fetch the keys again. A stranger's tokens can't do that more often.
_REFETCH_PAUSE = 30
_ROLE_CLAIMS = ("realm_access", "resource_access")
# Servers on the way refuse longer addresses. Without the hint Keycloak asks the person to confirm the sign-out.
_MAX_HINT = 4000
# OpenID Connect allows a subject no more characters. Session ids get the same limit.
_MAX_ID = 255
# Characters of a wrong issuer that the log shows, enough to recognize it.
_MAX_LOGGED = 200

_refetched: dict[str, float] = {}


class AnotherIssuer(SocialAuthBaseException):
    """An answer or a document from another issuer than ours. `came` can be logged: one short, printable line."""

    default_code = "invalid_claim"

    def __init__(self, backend: BaseAuth[HttpResponse], came: object, *, stage: ErrorStage) -> None:
        super().__init__(backend, claim="iss", stage=stage)
        self.came = "".join(char if char.isprintable() else "?" for char in str(came))[:_MAX_LOGGED]
        self.expected = issuer()


class DocumentOfAnotherIssuer(AnotherIssuer, AuthConfigurationError):
    """The discovery document names another issuer: no sign-in can succeed until an operator corrects one of them."""


class KeycloakBackend(ProviderBackend, OpenIdConnectAuth[HttpResponse]):
    """A Keycloak realm.

    Only tokens of the configured issuer are accepted. Claims come from the ID token and from userinfo of the same
    subject. Roles may come from the access token, whose signature is verified too.
    """

    name = "keycloak"
    # All have a public key, so a token can't choose an algorithm with a shared secret, or none.
    JWT_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
    DEFAULT_USE_PKCE = True
    EXTRA_DATA: list[Any] = []

    def id_token_issuer(self) -> str:
        return issuer()

    @cache(ttl=_CACHE_SECONDS)
    def get_openid_configuration(self, url: str) -> dict[str, Any]:
        document: dict[str, Any] = load_oidc_config(self, url)
        # OpenID Connect Discovery, section 4.3. Exceptions aren't cached, so a correction works at once.
        if document.get("issuer") != issuer():
            raise DocumentOfAnotherIssuer(self, document.get("issuer"), stage="begin")
        return document

    @cache(ttl=_CACHE_SECONDS)
    def get_jwks_keys_for_uri(self, uri: str) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self.get_remote_jwks_keys(uri)
        return keys

    def validate_state(self) -> str | None:
        state = super().validate_state()
        # RFC 9207: an answer that names its issuer has to name the one we asked.
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
            # The signature was verified before the claims were checked, so this issuer can be logged.
            came = jwt.decode(id_token, options={"verify_signature": False}).get("iss")
            raise AnotherIssuer(self, came, stage=error.stage) from error
        return claims

    def request_access_token(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        response: dict[Any, Any] = super().request_access_token(*args, **kwargs)
        sid = (self.id_token or {}).get("sid")
        self.sid = sid if isinstance(sid, str) and len(sid) <= _MAX_ID and sid.isprintable() else ""
        self.raw_id_token = response["id_token"]
        return response

    def find_valid_key(self, id_token: str) -> dict[str, Any] | None:
        header = jwt.get_unverified_header(id_token)
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self.JWT_ALGORITHMS:
            return None
        keys, uri = _keys_with_id(self.get_jwks_keys(), kid), self.jwks_uri()
        if not keys and time.monotonic() - _refetched.get(uri, -_REFETCH_PAUSE) >= _REFETCH_PAUSE:
            _refetched[uri] = time.monotonic()
            keys = _keys_with_id(self.get_jwks_keys_for_uri.refresh(self, uri), kid)
        for key in keys:
            candidate = {"alg": algorithm, **key}
            if candidate["alg"] == algorithm and _is_signed_by(candidate, id_token):
                return candidate
        return None

    def validate_temporal_claims(self, id_token: Mapping[str, Any]) -> None:
        """Refuse an old token. `exp` and `nbf` have been checked already, with the clock skew allowed."""
        issued_at = id_token.get("iat")
        if not isinstance(issued_at, int | float):
            raise AuthResponseError(self, claim="iat", code="missing_claim", stage="token_validation")
        if time.time() > issued_at + self.ID_TOKEN_MAX_AGE + settings.SIGN_IN_CLOCK_SKEW:
            raise AuthResponseError(self, claim="iat", code="response_expired", stage="token_validation")

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        claims: Mapping[str, Any] = self.id_token or {}
        userinfo: object = self.get_json(self.userinfo_url(), headers={"Authorization": f"Bearer {access_token}"})
        if not isinstance(userinfo, dict) or userinfo.get("sub") != claims.get("sub"):
            raise AuthResponseError(self, claim="sub", code="invalid_claim", stage="user_info")
        if "email" in userinfo:  # An address and whether it is verified have to come from the same source.
            claims = {name: value for name, value in claims.items() if name not in ("email", "email_verified")}
        merged = {**claims, **userinfo}
        if not any(name in merged for name in _ROLE_CLAIMS):
            access_claims = self._access_claims(access_token)
            merged |= {name: access_claims[name] for name in _ROLE_CLAIMS if name in access_claims}
        return merged

    def identity(self, response: Mapping[str, Any]) -> ProviderIdentity:
        subject = (self.id_token or {}).get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_ID:
            raise AuthResponseError(self, claim="sub", code="missing_claim", stage="user_info")
        return read_identity(response, provider=self.name, issuer=self.id_token_issuer(), subject=subject)

    def roles(self, response: Mapping[str, Any]) -> frozenset[str]:
        """Return the roles of the realm and those of our client."""
        clients = response.get("resource_access")
        own = clients.get(settings.SOCIAL_AUTH_KEYCLOAK_KEY) if isinstance(clients, Mapping) else None
        return _roles_in(response.get("realm_access")) | _roles_in(own)

    def staff_roles(self) -> Mapping[str, list[str]]:
        roles: Mapping[str, list[str]] = settings.KEYCLOAK_STAFF_ROLES
        return roles

    def _access_claims(self, access_token: str) -> Mapping[str, Any]:
        """Return the claims of an access token that is a JWT of our issuer for our client and this person, or none."""
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
        is_same_person = claims.get("sub") in (None, (self.id_token or {}).get("sub"))
        return claims if is_same_person and claims.get("azp") == settings.SOCIAL_AUTH_KEYCLOAK_KEY else {}

    def logout_url(self, *, id_token: str, back_to: str) -> str:
        try:
            address = self.oidc_config().get("end_session_endpoint")
        except SocialAuthBaseException:
            return ""
        if not isinstance(address, str) or not address:
            return ""
        query = {"client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY, "post_logout_redirect_uri": back_to}
        if 0 < len(id_token) <= _MAX_HINT:
            query["id_token_hint"] = id_token
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def issuer() -> str:
    """Return the issuer of Keycloak's tokens, or an empty string if Keycloak isn't configured."""
    name: str = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER
    return name


def _keys_with_id(keys: list[dict[str, Any]], kid: str | None) -> list[dict[str, Any]]:
    return [key for key in keys if key.get("use", "sig") == "sig" and kid in (None, key.get("kid"))]


def _is_signed_by(key: dict[str, Any], token: str) -> bool:
    message, _dot, signature = token.rpartition(".")
    try:
        jwk = jwt.PyJWK(key)
        return jwk.Algorithm.verify(message.encode(), jwk.key, base64url_decode(signature.encode()))
    except (PyJWTError, ValueError, KeyError, TypeError):  # A malformed key signs nothing.
        return False


def _roles_in(access: Any) -> frozenset[str]:
    roles = access.get("roles") if isinstance(access, Mapping) else None
    return frozenset(each for each in roles if isinstance(each, str)) if isinstance(roles, list) else frozenset()
