"""The Open edX course site as a provider: plain OAuth 2 whose access token is a JWT that says who it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
from django.conf import settings
from social_core.exceptions import AuthResponseError

from mitxonline.users.sso.claims import Identity, identity_in
from mitxonline.users.sso.errand import ErrandMixin
from mitxonline.users.sso.request_user import ProvenRights

_CLAIMS = ("user_id", "email", "email_verified", "name", "given_name", "family_name", "administrator", "superuser")
_RIGHTS = ("administrator", "superuser")


class EdxBackend(ProvenRights, ErrandMixin):
    """Accounts of the course site. The token comes from its own address over TLS, which vouches for it.

    `user_id` names the person: names can change there. `email_verified` is the course site's "activated".
    """

    name = "edx-oauth2"
    ACCESS_TOKEN_METHOD = "POST"  # noqa: S105 - a method, not a secret
    REDIRECT_STATE = False
    ID_KEY = "user_id"
    DEFAULT_SCOPE = ["user_id", "profile", "email"]

    def authorization_url(self) -> str:
        return f"{settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT}/oauth2/authorize"

    def access_token_url(self) -> str:
        return f"{settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT}/oauth2/access_token"

    def auth_complete_params(self, state: str | None = None) -> dict[str, Any]:
        return {**super().auth_complete_params(state), "token_type": "jwt"}  # type: ignore[no-untyped-call]

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                access_token,
                leeway=settings.SIGN_IN_CLOCK_SKEW,
                options={"verify_signature": False, "verify_exp": True, "require": ["exp"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise AuthResponseError(self, code="response_expired", stage="token_validation") from error
        except jwt.PyJWTError as error:
            raise AuthResponseError(self, code="malformed_response", stage="token_validation") from error
        return {name: claims[name] for name in _CLAIMS if name in claims}

    def get_user_details(self, response: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def get_user_id(self, details: Any, response: Mapping[str, Any]) -> str:
        return self.identity(response).uid

    def identity(self, response: Mapping[str, Any]) -> Identity:
        """Who signs in, by course site and number there."""
        number = response.get("user_id")
        if isinstance(number, bool) or not isinstance(number, int | str) or number == "":
            raise AuthResponseError(self, claim="user_id", code="missing_claim", stage="user_info")
        return identity_in(
            response,
            provider=self.name,
            issuer=settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT,
            subject=str(number),
        )

    def roles(self, response: Mapping[str, Any]) -> frozenset[str]:
        """What the course site calls its staff."""
        return frozenset(name for name in _RIGHTS if response.get(name) is True)

    def staff_roles(self) -> Mapping[str, list[str]]:
        """What a role gives here."""
        roles: Mapping[str, list[str]] = settings.EDX_STAFF_ROLES
        return roles

    def logout_url(self, *, id_token: str, back_to: str) -> str:
        """Where the browser goes to end the session there too."""
        return f"{settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT}/logout?{urlencode({'redirect_url': back_to})}"
