"""One id for everything that follows from one request or command, in logs and on delivery rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-ID"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")  # what a proxy may hand us; anything else could forge log lines
_current: ContextVar[str] = ContextVar("trace_id", default="")


def trace_id() -> str:
    """The id of what is going on; empty where no one opened a trace."""
    return _current.get()


@contextmanager
def open_trace(identifier: str = "") -> Iterator[str]:
    """Everything in the block belongs to the given trace, or to a new one."""
    chosen = identifier or token_hex(8)  # shorter than a code, so that no log redacts it
    token = _current.set(chosen)
    try:
        with bound_contextvars(trace=chosen):  # every log line says it
            yield chosen
    finally:
        _current.reset(token)


class TraceMiddleware:
    """Opens a trace for each request, under the proxy's id if it sent a decent one, and tells the client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get(HEADER, "")
        with open_trace(offered if _ACCEPTABLE.fullmatch(offered) else "") as identifier:
            response = self.get_response(request)
        response.headers[HEADER] = identifier
        return response
