"""Limits on what a visitor can set going without having proved who they are."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.http import client_address
from mitxonline.kernel.ratelimit import RateLimit, network_of
from mitxonline.kernel.text import normalize_email

_mails = RateLimit("mails")
_registrations = RateLimit("register")
_begun = RateLimit("sign_in_begun")


def count_mail(request: HttpRequest, *, email: str, retry_url: str | None = None) -> None:
    """Count a mail the visitor asks for, whether or not there is anyone to get it; RateLimited beyond the limit."""
    keys = {"account": normalize_email(email), "address": network_of(client_address(request))}
    _mails.check(keys, retry_url=retry_url)
    _mails.count(keys)


def may_mail(request: HttpRequest, *, email: str) -> bool:
    """The same, for a mail the visitor is not told about."""
    try:
        count_mail(request, email=email)
    except RateLimited:
        return False
    return True


def count_registration(request: HttpRequest) -> None:
    """Count a try to register: who asks about many addresses this way is stopped."""
    keys = {"address": network_of(client_address(request))}
    _registrations.check(keys)
    _registrations.count(keys)


def count_sign_in_begun(request: HttpRequest) -> None:
    """Count a visitor sent to a provider: each leaves rows behind that are needed until they come back."""
    keys = {"address": network_of(client_address(request))}
    _begun.check(keys, retry_url=reverse("login"))
    _begun.count(keys)
