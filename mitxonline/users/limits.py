"""Limits on what visitors can set off before they have proved who they are."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from mitxonline.kernel.http import client_address
from mitxonline.kernel.ratelimit import RateLimit, network_of
from mitxonline.kernel.text import normalize_email

_mails = RateLimit("mails")
_registrations = RateLimit("register")
_provider_redirects = RateLimit("sign_in_begun")


def count_mail(request: HttpRequest, *, email: str, retry_url: str | None = None) -> None:
    """Count an e-mail the visitor asks for, whether or not the address has an account. Raise RateLimited."""
    keys = {"account": normalize_email(email), "address": network_of(client_address(request))}
    _mails.check_and_count(keys, retry_url=retry_url)


def count_registration(request: HttpRequest) -> None:
    """Count an attempt to register, so that no one can probe many addresses. Raise RateLimited."""
    _registrations.check_and_count({"address": network_of(client_address(request))})


def count_provider_redirect(request: HttpRequest) -> None:
    """Count a visitor sent to a provider: each leaves rows until they come back. Raise RateLimited."""
    _provider_redirects.check_and_count({"address": network_of(client_address(request))}, retry_url=reverse("login"))
