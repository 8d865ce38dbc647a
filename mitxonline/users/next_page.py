"""The page that a visitor wanted before they had to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PARAMETER = "next"


@dataclass(frozen=True, slots=True)
class SignInReason:
    """Why a page asks for an account, as the pages for signing in and for creating an account say it."""

    sign_in: StrOrPromise = ""
    register: StrOrPromise = ""


# By the names of their URLs. Apps above this one add theirs when they are ready.
SIGN_IN_REASONS: dict[str, SignInReason] = {}


def find_reason(page: str) -> SignInReason:
    """Return why this page asks for an account; empty sentences for most pages."""
    path = page.split("?")[0]
    return next((reason for name, reason in SIGN_IN_REASONS.items() if reverse(name) == path), SignInReason())


def next_page(request: HttpRequest) -> str:
    """Return the `next` of the request, or an empty string if it leads off this site or to a sign-in page.

    Check it when it comes in and again before redirecting, because the form in between is in the visitor's hands.
    """
    return safe_page(request, request.POST.get(PARAMETER) or request.GET.get(PARAMETER) or "")


def safe_page(request: HttpRequest, address: str) -> str:
    """Return the address if it is a page of this site, else an empty string."""
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # Browsers take a backslash for a slash, and a sign-in page would lead in a circle.
    sign_in_pages = {reverse("login"), reverse("logout"), reverse("register")}
    is_usable = address.isprintable() and "\\" not in address and address.split("?")[0] not in sign_in_pages
    return address if is_ours and is_usable else ""


def with_next(address: str, page: str) -> str:
    """Add the page to go to afterwards to an address."""
    return f"{address}?{urlencode({PARAMETER: page})}" if page else address
