"""Headers that tell browsers what our pages may do."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.log import log_response

from mitxonline.health import VIEWS
from mitxonline.kernel.shop import current_shop, use_shop_of_host

logger = logging.getLogger(__name__)


class HostMiddleware:
    """Makes the shop of the request's host the current one.

    Requests for hosts that aren't served are refused with one line in the log. Scanners send them all day.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in VIEWS:
            try:
                request.get_host()
            except DisallowedHost:
                return self._refuse(request)
            with use_shop_of_host(request.get_host(), port=_read_port(request)):
                return self.get_response(request)
        return self.get_response(request)

    def _refuse(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponse("This host is not served here.\n", status=400, content_type="text/plain")
        host = str(request.META.get("HTTP_HOST", ""))[:100]
        # Marks the response as logged, so that Django adds no line of its own.
        log_response(
            "Host not in ALLOWED_HOSTS: %r asked for %s", host, request.path, response=response, request=request
        )
        return response


def _read_port(request: HttpRequest) -> int:
    port = request.get_port()
    return int(port) if port.isdecimal() else 0  # a server on a socket has none


class PolicyMiddleware(CSPMiddleware):
    """Sends one content security policy for visitors, another for the two admins, and a permissions policy."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if origin := _stored_sign_in_origin():
            parts.update = {**(parts.update or {}), "form-action": [origin]}
        if request.path_info.startswith(settings.CONTENT_SECURITY_POLICY_ADMIN_PREFIXES):
            parts.replace = {**settings.CONTENT_SECURITY_POLICY_ADMIN, **(parts.replace or {})}
        return parts

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return response


class OwnPagesCsrfMiddleware(CsrfViewMiddleware):
    """Takes some forms without a token if the browser says that one of our own pages sent them.

    Pages that visitors share carry no token. Browsers say where a form came from by Sec-Fetch-Site, older ones by
    Origin or Referer, none of which another site's page can set. Who says nothing sees the form again, with a token.
    """

    CONFIRM = "errors/confirm_form.html"

    def process_view(
        self, request: HttpRequest, callback: Any, callback_args: Any, callback_kwargs: Any
    ) -> Any:  # the stubs know only Django's own refusal
        if request.method != "POST" or not getattr(callback, "accepts_own_pages", False):
            return super().process_view(request, callback, callback_args, callback_kwargs)
        if getattr(request, "_dont_enforce_csrf_checks", False):  # a test's client
            return super().process_view(request, callback, callback_args, callback_kwargs)
        is_from_here = self._is_from_here(request)
        if is_from_here:
            return self._accept(request)  # type: ignore[attr-defined]  # Django's own step
        if is_from_here is None and "csrfmiddlewaretoken" not in request.POST:
            return self._ask_again(request)
        return super().process_view(request, callback, callback_args, callback_kwargs)

    def _is_from_here(self, request: HttpRequest) -> bool | None:
        """Whether the browser says that one of our pages sent the form; None if it says nothing."""
        if site := request.headers.get("Sec-Fetch-Site"):
            return site == "same-origin"
        if "Origin" in request.headers:
            return bool(self._origin_verified(request))  # type: ignore[attr-defined]  # Django's own step
        if referer := request.headers.get("Referer"):
            sender = urlsplit(referer)
            return (sender.scheme, sender.netloc) == (request.scheme, request.get_host())
        return None

    def _ask_again(self, request: HttpRequest) -> HttpResponse:
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        response = render(request, self.CONFIRM, {"fields": fields})
        add_never_cache_headers(response)
        return response


def _stored_sign_in_origin() -> str:
    """The origin of the course site's sign-in where a site stores it; the environment's is in the policy already."""
    shop = current_shop()
    if not shop.has_sign_in:
        return ""
    parts = urlsplit(shop.sign_in_public_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return "" if origin in settings.SIGN_IN_ORIGINS else origin
