"""Reading the logout token of OpenID Connect Back-Channel Logout 1.0, with the checks of its section 2.6."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from mitxonline.users.sso.keycloak import KeycloakBackend
from mitxonline.users.sso.sessions import LogoutNotice
from mitxonline.users.sso.tokens import TokenRefused, verify_token

EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Reject tokens older than this many seconds, even if they haven't expired.
_MAX_AGE = 300
_MAX_TEXT = 255
_TYPES = {"", "jwt", "logout+jwt"}


def read_logout_token(backend: KeycloakBackend, token: str) -> LogoutNotice:
    """Check the token and return what it says. Raises TokenRefused."""
    kind, claims = verify_token(backend, token, audience=settings.SOCIAL_AUTH_KEYCLOAK_KEY, required=["iat"])
    if kind not in _TYPES:
        raise TokenRefused("typ names a different kind of token")
    issued_at = claims["iat"]
    if not isinstance(issued_at, int | float) or time.time() > issued_at + _MAX_AGE + settings.SIGN_IN_CLOCK_SKEW:
        raise TokenRefused("iat is missing or too old")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise TokenRefused("events does not say logout")
    if "nonce" in claims:
        raise TokenRefused("a logout token has no nonce")
    sid, subject = _read_text(claims, "sid"), _read_text(claims, "sub")
    if not sid and not subject:
        raise TokenRefused("neither sid nor sub")
    jti = _read_text(claims, "jti")
    if not jti:
        raise TokenRefused("no jti")
    # Longer than the token is accepted, so a replay always meets the row of the first one.
    until = issued_at + _MAX_AGE + 2 * settings.SIGN_IN_CLOCK_SKEW
    return LogoutNotice(
        issuer=claims["iss"], jti=jti, sid=sid, subject=subject, until=datetime.fromtimestamp(until, tz=UTC)
    )


def _read_text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not value.isprintable():
        raise TokenRefused(f"{name} is not a string of at most {_MAX_TEXT} characters")
    return value
