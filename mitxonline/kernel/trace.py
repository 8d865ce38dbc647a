"""One id for all that follows from a request, command or task: in log lines, on rows, and with calls to other systems.

Other systems get it as W3C trace context (https://www.w3.org/TR/trace-context/), and our proxies may send one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from secrets import token_hex

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars

from mitxonline.kernel.http import came_through_proxies

HEADER = "X-Request-ID"
PARENT_HEADER = "traceparent"
MAX_LENGTH = 64
# What is taken over from a proxy. Anything else could forge log lines.
_SAFE_ID = re.compile(rf"[A-Za-z0-9._-]{{8,{MAX_LENGTH}}}")
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_HEX = re.compile(r"(?=.*[1-9a-f])[0-9a-f]{1,32}")
_current: ContextVar[str] = ContextVar("trace_id", default="")


def trace_id() -> str:
    """Return the id of the open trace, or an empty string."""
    return _current.get()


@contextmanager
def open_trace(identifier: str = "") -> Iterator[str]:
    """Put the block into the given trace, or into a new one."""
    chosen = identifier or token_hex(8)  # half of a W3C id, because visitors read it to support
    token = _current.set(chosen)
    try:
        with bound_contextvars(trace=chosen):
            yield chosen
    finally:
        _current.reset(token)


def traceparent() -> str:
    """Return the header that puts a call to another system into the open trace, as a span of its own."""
    return f"00-{_widen(trace_id() or token_hex(8))}-{token_hex(8)}-01"


def read_traceparent(header: str) -> str:
    """Return the trace id of a `traceparent`, as this site writes it. Empty for anything that isn't one."""
    found = _PARENT.fullmatch(header.strip())
    if found is None or (found[1] == "00" and found[3]):  # Only later versions may have more fields.
        return ""
    return _narrow(found[2])


def find_trace_ids(text: str) -> list[str]:
    """Return the ids that a text may mean: ours, one of a proxy's, a W3C id or a whole `traceparent`."""
    text = text.strip()
    if parent := read_traceparent(text):
        return [parent]
    if not _SAFE_ID.fullmatch(text):
        return []
    return list(dict.fromkeys([text, _narrow(text.lower())]))


def _widen(identifier: str) -> str:
    """Return 32 hexadecimal digits: ours filled with zeros, so that people recognize it; other ids hashed."""
    return identifier.zfill(32) if _HEX.fullmatch(identifier) else sha256(identifier.encode()).hexdigest()[:32]


def _narrow(identifier: str) -> str:
    """Return our own id of a W3C one that was made of it. Other ids are kept whole."""
    return identifier[16:] if len(identifier) == 32 and identifier.startswith("0" * 16) else identifier


class TraceMiddleware:
    """Opens a trace for each request, with a trusted proxy's id if it sent a safe one, and returns it as a header.

    Ids of visitors are ignored: rows of one trace are shown together, so nobody may join another one's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with open_trace(_find_offered_id(request)) as identifier:
            response = self.get_response(request)
        response.headers[HEADER] = identifier
        return response


def _find_offered_id(request: HttpRequest) -> str:
    if not came_through_proxies(request):
        return ""
    if parent := read_traceparent(request.headers.get(PARENT_HEADER, "")):
        return parent
    offered = request.headers.get(HEADER, "")
    return offered if _SAFE_ID.fullmatch(offered) else ""
