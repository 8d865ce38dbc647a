"""What every answer of the API has, also one that no operation gave: JSON, the trace's id, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers, set_response_etag

from api.http.errors import PROBLEM, refusal_of_status, refuse
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.trace import trace_id

TRACE_HEADER = "X-Trace-Id"
_OK, _BAD = 200, 400


class ApiMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(settings.API_PREFIX):
            return self.get_response(request)
        response = _answer_conditionally(request, self._answer(request))
        response.headers[TRACE_HEADER] = trace_id()
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ["Accept", "Cookie", "Authorization"])
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            return refuse(request, NotFound())
        response = self.get_response(request)
        if response.status_code < _BAD or _is_json(response):
            return response
        plain = refuse(request, refusal_of_status(response.status_code), status=response.status_code)
        for name in ("Allow", "Retry-After"):
            if name in response.headers:
                plain.headers[name] = response.headers[name]
        return plain


def _is_json(response: HttpResponse) -> bool:
    return response.headers.get("Content-Type", "").partition(";")[0] in ("application/json", PROBLEM)


def _answer_conditionally(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give what was read a tag, and send nothing to whoever has it already."""
    if request.method not in ("GET", "HEAD") or response.status_code != _OK or response.streaming:
        return response
    set_response_etag(response)
    return get_conditional_response(request, etag=response.headers["ETag"], response=response) or response
