"""Where someone wanted to go before we asked who they are."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

PARAMETER = "next"


def next_page(request: HttpRequest) -> str:
    """The address given with the request, or nothing if it leads off this site or back to a sign-in page.

    Asked when it comes in and again when it is gone to: the form between the two is in the visitor's hands.
    """
    return safe_page(request, request.POST.get(PARAMETER) or request.GET.get(PARAMETER) or "")


def safe_page(request: HttpRequest, address: str) -> str:
    """The address if it is one of ours to go to, else nothing."""
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    leads_on = address.isprintable() and "\\" not in address and address.split("?")[0] not in _sign_in_pages()
    return address if is_ours and leads_on else ""


def with_next(address: str, page: str) -> str:
    """The address, carrying on where to go afterwards."""
    return f"{address}?{urlencode({PARAMETER: page})}" if page else address


def _sign_in_pages() -> set[str]:
    return {reverse("login"), reverse("logout"), reverse("register")}
