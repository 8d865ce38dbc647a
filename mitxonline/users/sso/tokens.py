"""Checking what every signed token of a provider has: its signature, issuer, audience and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
from django.conf import settings
from jwt import PyJWTError

from mitxonline.users.sso.keycloak import KeycloakBackend


class TokenRefused(Exception):
    """The token can't be acted on. The reason goes to the provider and the log, and quotes nothing of the token."""


def verify_token(
    backend: KeycloakBackend, token: str, *, audience: str | Sequence[str], required: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Check the token and return the type that its header names, in lower case, and its claims.

    Raises TokenRefused, and what the backend raises if it can't read the provider's keys.
    """
    try:
        kind = str(jwt.get_unverified_header(token).get("typ", "")).lower()
        key = backend.find_valid_key(token)
        if key is None:
            raise TokenRefused("the signature is not the provider's")
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key).key,
            algorithms=[key["alg"]],
            audience=audience,
            issuer=backend.id_token_issuer(),
            leeway=settings.SIGN_IN_CLOCK_SKEW,
            options={"require": ["iss", "aud", *required]},
        )
    except PyJWTError as error:
        raise TokenRefused(type(error).__name__) from error
    return kind, claims
