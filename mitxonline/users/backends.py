"""Signing in by e-mail and password, at every door: the storefront's, Wagtail's and Django's."""

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
    """Django's own check, with the address compared in any case and failures limited.

    Raises RateLimited before the password is looked at, so that a limited guesser learns nothing from a
    right guess. An unknown address costs the same time as a wrong password: Django hashes one in vain.
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
        keys = _keys(request, email)
        login_limit.check(keys)
        user = super().authenticate(request, username=email, password=password)
        if not isinstance(user, User):
            login_limit.count(keys)
            return None
        login_limit.forget({"account_here": keys["account_here"]})
        return user


class RightsBackend(ProvenRightsMixin, ModelBackend):
    """What people may do, where no password of ours lets them in. It signs no one in."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> None:  # type: ignore[override]
        return None


def _keys(request: HttpRequest | None, email: str) -> dict[str, str | None]:
    account = normalize_email(email)
    network = network_of(client_address(request)) if request is not None else None
    return {
        "account": account,
        "account_here": f"{account} {network}" if network else None,
        "address": network,
    }
