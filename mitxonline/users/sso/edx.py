"""The Open edX course site as a provider: plain OAuth 2 with a JWT as the access token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
from django.conf import settings
from social_core.exceptions import AuthResponseError

from mitxonline.kernel.shop import current_shop
from mitxonline.users.sso.backend import ProviderBackend
from mitxonline.users.sso.identity import ProviderIdentity, read_identity

_CLAIMS = ("user_id", "email", "email_verified", "name", "given_name", "family_name", "administrator", "superuser")
_ROLES = ("administrator", "superuser")


class EdxBackend(ProviderBackend):
    """Accounts of the course site.

    The signature of the token isn't verified: it comes from the course site's own address over TLS. `user_id` names the
    person, because user names can change there. `email_verified` means that the account is activated there.
    """

    name = "edx-oauth2"
    ACCESS_TOKEN_METHOD = "POST"  # noqa: S105 - an HTTP method, not a secret
    REDIRECT_STATE = False
    ID_KEY = "user_id"
    DEFAULT_SCOPE = ["user_id", "profile", "email"]

    def get_key_and_secret(self) -> tuple[str, str]:
        shop = current_shop()
        return shop.sso_client_id, shop.sso_client_secret

    def authorization_url(self) -> str:
        return f"{current_shop().sign_in_public_url}/oauth2/authorize"

    def access_token_url(self) -> str:
        return f"{current_shop().sign_in_url}/oauth2/access_token"

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

    def identity(self, response: Mapping[str, Any]) -> ProviderIdentity:
        user_id = response.get("user_id")
        if isinstance(user_id, bool) or not isinstance(user_id, int | str) or user_id == "":
            raise AuthResponseError(self, claim="user_id", code="missing_claim", stage="user_info")
        return read_identity(
            response,
            provider=self.name,
            issuer=current_shop().sign_in_public_url,
            subject=str(user_id),
        )

    def roles(self, response: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(name for name in _ROLES if response.get(name) is True)

    def staff_roles(self) -> Mapping[str, list[str]]:
        roles: Mapping[str, list[str]] = settings.EDX_STAFF_ROLES
        return roles

    def logout_url(self, *, id_token: str, back_to: str) -> str:
        return f"{current_shop().sign_in_public_url}/logout?{urlencode({'redirect_url': back_to})}"
