"""One id for all that follows from a request, command or task: in log lines and on delivery rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-ID"
# What is taken over from a proxy. Anything else could forge log lines.
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_current: ContextVar[str] = ContextVar("trace_id", default="")


def trace_id() -> str:
    """Return the id of the open trace, or an empty string."""
    return _current.get()


@contextmanager
def open_trace(identifier: str = "") -> Iterator[str]:
    """Put the block into the given trace, or into a new one."""
    chosen = identifier or token_hex(8)  # shorter than an enrollment code, so that logs don't redact it
    token = _current.set(chosen)
    try:
        with bound_contextvars(trace=chosen):
            yield chosen
    finally:
        _current.reset(token)


class TraceMiddleware:
    """Opens a trace for each request, with the proxy's id if it sent a safe one, and returns the id as a header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get(HEADER, "")
        with open_trace(offered if _SAFE_ID.fullmatch(offered) else "") as identifier:
            response = self.get_response(request)
        response.headers[HEADER] = identifier
        return response
