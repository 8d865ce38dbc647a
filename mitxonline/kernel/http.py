"""The one place where a refusal becomes a response: a page, an htmx fragment or JSON (docs/adr/0005).

A view catches a refusal only to show it on its form (`kernel.forms.refusals_on`) or on the page of what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import reswap, retarget
from django_htmx.middleware import HtmxDetails

from mitxonline.kernel.errors import DomainError, RateLimited

FRAGMENT = "partials/refusal.html"
PAGE = "errors/refusal.html"
# Where a refusal is shown: the status region every form page has. A page with several forms names its own
# in the header, as a plain id selector (anything else is ignored: it would be a stranger's selector in our
# answer).
STATUS_REGION = "#form-status"
STATUS_REGION_HEADER = "X-Status-Region"
_ID_SELECTOR = re.compile(r"#[A-Za-z][\w-]*")


class SeeOther(HttpResponseRedirect):
    """Go and look over there, with a GET: the answer to a refused POST."""

    status_code = 303


class DomainErrorMiddleware:
    """Answers for every view that refuses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """By then the refusal has left, and so rolled back, whatever transaction the view had opened."""
        return domain_error_response(request, exception) if isinstance(exception, DomainError) else None


def domain_error_response(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The refusal in the form this client asked for."""
    if wants_json(request):
        response = _json(error)
    elif wants_fragment(request):
        response = _fragment(request, error)
    elif error.retry_url and not _is_here(request, error.retry_url):
        response = _message_elsewhere(request, error, error.retry_url)
    else:
        response = render(request, PAGE, {"error": error, "status": error.status}, status=error.status)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    patch_vary_headers(response, ["Accept", "HX-Request"])
    return response


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks: an API address, or JSON preferred to HTML."""
    if request.path.startswith("/api/"):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx will put the answer into a page that is there; boosted links and history want a whole page."""
    htmx = HtmxDetails(request)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def _json(error: DomainError) -> HttpResponse:
    return JsonResponse({"code": error.code, "message": str(error), "data": error.data()}, status=error.status)


def _fragment(request: HttpRequest, error: DomainError) -> HttpResponse:
    region = request.headers.get(STATUS_REGION_HEADER, "")
    response = render(request, FRAGMENT, {"error": error, "status": error.status}, status=error.status)
    retarget(response, region if _ID_SELECTOR.fullmatch(region) else STATUS_REGION)
    return reswap(response, "innerHTML")


def _message_elsewhere(request: HttpRequest, error: DomainError, url: str) -> HttpResponse:
    messages.error(request, str(error), extra_tags=error.code)
    return SeeOther(url)


def _is_here(request: HttpRequest, url: str) -> bool:
    """Whether going there would only ask the same again: a redirect to the page that refuses has no end."""
    return request.method in ("GET", "HEAD") and urlsplit(url).path == request.path


def client_address(request: HttpRequest) -> str:
    """The address of the visitor, as far as it can be trusted.

    `TRUSTED_PROXY_COUNT` says how many proxies of ours stand in front: each adds the address it heard from
    to the right of X-Forwarded-For, so the visitor is that many entries from the right, and what stands
    further left is the visitor's own invention. With 0 the header is not looked at.
    """
    proxies: int = settings.TRUSTED_PROXY_COUNT
    forwarded = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))
