"""Signing in by e-mail and password, for the storefront and both admins."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from mitxonline.kernel.http import client_address
from mitxonline.kernel.ratelimit import RateLimit, network_of
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User
from mitxonline.users.sso.rights import ProvenRightsMixin

login_limit = RateLimit("login")


class EmailBackend(ProvenRightsMixin, ModelBackend):
    """Django's check, with limits on wrong passwords. Raises RateLimited.

    The limit is checked before the password, so that a guesser who has reached it learns nothing from a right guess.
    An unknown address takes as long as a wrong password, because Django hashes one anyway.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        email = username if username is not None else kwargs.get("email")
        if not email or password is None:
            return None
        account = normalize_email(email)
        network = network_of(client_address(request)) if request is not None else None
        keys = {
            "account": account,
            "account_here": f"{account} {network}" if network else None,
            "address": network,
        }
        login_limit.check(keys)
        user = super().authenticate(request, username=email, password=password)
        if not isinstance(user, User):
            login_limit.count(keys)
            return None
        login_limit.forget({"account_here": keys["account_here"]})
        return user


class RightsBackend(ProvenRightsMixin, ModelBackend):
    """Permissions only, for sites without passwords."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> None:  # type: ignore[override]
        return None
