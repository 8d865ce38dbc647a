"""Headers that tell browsers what our pages may do."""

import logging
from collections.abc import Callable

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.log import log_response

from mitxonline.health import VIEWS

logger = logging.getLogger(__name__)


class HostMiddleware:
    """Refuses requests for other hosts with one line in the log. Scanners send them all day."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in VIEWS:
            try:
                request.get_host()
            except DisallowedHost:
                return self._refuse(request)
        return self.get_response(request)

    def _refuse(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponse("This host is not served here.\n", status=400, content_type="text/plain")
        host = str(request.META.get("HTTP_HOST", ""))[:100]
        # Marks the response as logged, so that Django adds no line of its own.
        log_response(
            "Host not in ALLOWED_HOSTS: %r asked for %s", host, request.path, response=response, request=request
        )
        return response


class PolicyMiddleware(CSPMiddleware):
    """Sends one content security policy for visitors, another for the two admins, and a permissions policy."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(settings.CONTENT_SECURITY_POLICY_ADMIN_PREFIXES):
            parts.replace = {**settings.CONTENT_SECURITY_POLICY_ADMIN, **(parts.replace or {})}
        return parts

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return response
