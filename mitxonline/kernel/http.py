"""The one place where a refusal becomes a response: a page, an htmx fragment or JSON (docs/adr/0005).

A view catches a refusal only to show it on its form (`kernel.forms.refusals_on`) or on the page of what it is about.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import reswap, retarget
from django_htmx.middleware import HtmxDetails

from mitxonline.kernel.constraints import refusal_for
from mitxonline.kernel.errors import DomainError, RateLimited
from mitxonline.kernel.paging import PageGone, redirect_to_last_page

logger = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

FRAGMENT = "partials/refusal.html"
PAGE = "errors/refusal.html"
# The status region of form pages, where htmx puts a refusal. A page with several forms names its own in the header.
# Only a plain id selector is accepted, because the header comes from the client and goes into our response.
STATUS_REGION = "#form-status"
STATUS_REGION_HEADER = "X-Status-Region"
_ID_SELECTOR = re.compile(r"#[A-Za-z][\w-]*")
_HOST_AND_PORT = re.compile(r"\[(?P<bracketed>[^\]]+)\](?::\d+)?|(?P<plain>[^:]+)(?::\d+)?")
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# Search engines, link previews and archives. Cubot makes telephones.
_ROBOT = re.compile(
    r"\b(?!cubot)[a-z]*bot\b|crawler|spider|slurp|facebookexternalhit|whatsapp/|embedly|skypeuripreview|mediapartners",
    re.IGNORECASE,
)


class SeeOther(HttpResponseRedirect):
    """Redirect a refused POST to a page that is fetched with GET."""

    status_code = 303


class DomainErrorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Respond to a refusal. It has already rolled back any transaction the view had opened."""
        if isinstance(exception, PageGone):
            return redirect_to_last_page(request, exception)
        if isinstance(exception, IntegrityError) and (refusal := refusal_for(exception)) is not None:
            # Every check before the database's should have refused this, so whoever runs the site hears of it.
            logger.error("a constraint refused what no check had", exc_info=exception)
            exception = refusal
        return domain_error_response(request, exception) if isinstance(exception, DomainError) else None


def accept_from_own_pages(view: View) -> View:
    """Take this view's forms from our own pages without a token, which pages that visitors share can't have.

    `mitxonline.security.OwnPagesCsrfMiddleware` sees to it that they are ours.
    """

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    wrapped.accepts_own_pages = True  # type: ignore[attr-defined]
    return cast("View", wrapped)


def domain_error_response(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The response to a refusal: JSON, an htmx fragment, a redirect with a message, or a page."""
    if wants_json(request):
        body = {"code": error.code, "message": str(error), "data": error.data()}
        response: HttpResponse = JsonResponse(body, status=error.status)
    elif wants_fragment(request):
        response = _fragment(request, error)
    elif error.retry_url and not _is_here(request, error.retry_url):
        messages.error(request, str(error), extra_tags=error.code)
        response = SeeOther(error.retry_url)
    else:
        response = render(request, PAGE, {"error": error, "status": error.status}, status=error.status)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    patch_vary_headers(response, ["Accept", "HX-Request"])
    return response


def wants_json(request: HttpRequest) -> bool:
    """Whether the client wants JSON: an API URL, or an Accept header that prefers it."""
    if request.path.startswith("/api/"):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx will swap the response into a page. Boosted links and history restores want a whole page."""
    htmx = HtmxDetails(request)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def _fragment(request: HttpRequest, error: DomainError) -> HttpResponse:
    region = request.headers.get(STATUS_REGION_HEADER, "")
    response = render(request, FRAGMENT, {"error": error, "status": error.status}, status=error.status)
    retarget(response, region if _ID_SELECTOR.fullmatch(region) else STATUS_REGION)
    return reswap(response, "innerHTML")


def _is_here(request: HttpRequest, url: str) -> bool:
    """Whether the redirect would lead to the same page, which would refuse again and never stop."""
    return request.method in ("GET", "HEAD") and urlsplit(url).path == request.path


def client_address(request: HttpRequest) -> str:
    """The visitor’s IP address, as far as it can be trusted.

    Each of our proxies (`TRUSTED_PROXY_COUNT`) appends the address it got the request from to X-Forwarded-For. So the
    visitor is that many entries from the right, and entries further left may be forged. With 0 the header is ignored.
    """
    connected = str(request.META.get("REMOTE_ADDR", ""))
    if came_through_proxies(request):
        return _parse_address(_forwarded_for(request)[-settings.TRUSTED_PROXY_COUNT]) or connected
    return _parse_address(connected) or connected


def came_through_proxies(request: HttpRequest) -> bool:
    """Whether all of our proxies passed the request on, so that what they say about it can be believed."""
    return 0 < settings.TRUSTED_PROXY_COUNT <= len(_forwarded_for(request))


def _forwarded_for(request: HttpRequest) -> list[str]:
    return [entry.strip() for entry in request.headers.get("X-Forwarded-For", "").split(",") if entry.strip()]


def _parse_address(entry: str) -> str:
    """Return the address without the port some proxies add (203.0.113.7:5000, [2001:db8::7]:443); empty for no address.

    With the port, each request would seem to come from somewhere else, and no limit would hold.
    """
    found = _HOST_AND_PORT.fullmatch(entry.strip('" '))
    host = (found["bracketed"] or found["plain"]) if found else entry
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str((isinstance(address, IPv6Address) and address.ipv4_mapped) or address)


def is_speculative(request: HttpRequest) -> bool:
    """Whether a browser loads the page before anyone asked for it, or a robot follows a link."""
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    if any(_AHEAD.search(purpose) for purpose in purposes):
        return True
    return bool(_ROBOT.search(request.headers.get("User-Agent", "")))
