"""The course site on two loopback sockets, one of the LMS and one of Studio. It misbehaves on demand.

    with course_site() as site:
        site.state.add_account("ada", "ada@mail.example")
        site.misbehave("throttle", path="/api/enrollment", times=2, retry_after=1)

Other processes read the state at `/double/state`, and order mischief by a POST to `/double/misbehave`.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from tests.openedx.state import Answer, Asked, SiteState

# slow: waits, then does the work. late: does the work, then waits. drop: cuts the connection and does nothing.
# lost: does the work, then cuts the connection. All others answer so, and do nothing.
Manner = Literal[
    "slow",
    "late",
    "drop",
    "lost",
    "unauthorized",
    "forbidden",
    "unknown_learner",
    "conflict",
    "throttle",
    "error",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "malformed",
    "html",
]
MANNERS: tuple[Manner, ...] = get_args(Manner)
SLOW_SECONDS = 5.0

_ANSWERS: dict[str, Answer] = {
    "unauthorized": Answer(401, {"detail": "Token is expired."}),
    "forbidden": Answer(403, {"detail": "You do not have permission to perform this action."}),
    "conflict": Answer(409, {"message": "Another request changes this at the moment."}),
    "error": Answer(500, "<h1>Server Error (500)</h1>"),
    "bad_gateway": Answer(502, "<html><h1>502 Bad Gateway</h1></html>"),
    "unavailable": Answer(503, "<html><h1>503 Service Unavailable</h1></html>"),
    "gateway_timeout": Answer(504, "<html><h1>504 Gateway Time-out</h1></html>"),
    "html": Answer(200, "<html><title>Sign in</title></html>"),
}


@dataclass
class Mischief:
    manner: Manner
    path: str
    method: str
    times: int
    seconds: float
    retry_after: int


@dataclass(frozen=True)
class Call:
    """A request as it came in, and the answer's status; 0 if the connection was cut."""

    site: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    status: int


@dataclass
class CourseSite:
    state: SiteState = field(default_factory=SiteState)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.is_over = threading.Event()
        self.lms, self.studio = _Server(self, "lms"), _Server(self, "studio")
        self._mischief: list[Mischief] = []

    @property
    def lms_url(self) -> str:
        return self.lms.url

    @property
    def studio_url(self) -> str:
        return self.studio.url

    def start(self) -> None:
        for server in (self.lms, self.studio):
            threading.Thread(target=server.serve_forever, args=[0.02], name=server.url, daemon=True).start()

    def stop(self) -> None:
        self.is_over.set()
        for server in (self.lms, self.studio):
            server.shutdown()
            server.server_close()

    def misbehave(
        self,
        manner: Manner,
        *,
        path: str = "/api/",
        method: str = "",
        times: int = 1,
        seconds: float = SLOW_SECONDS,
        retry_after: int = 1,
    ) -> None:
        """Misbehave for the next calls whose path contains this, after what was ordered before is used up."""
        assert manner in MANNERS, manner
        self._mischief.append(Mischief(manner, path, method, times, seconds, retry_after))

    def behave(self) -> None:
        self._mischief.clear()

    def count(self, path: str = "", *, method: str = "") -> int:
        """Return how many calls there were whose path contains this; tokens and the double's own aren't counted."""
        return len(self.calls_of(path, method=method))

    def calls_of(self, path: str = "", *, method: str = "") -> list[Call]:
        return [
            call
            for call in self.calls
            if path in call.path and method in ("", call.method) and ("oauth2" in path or "/oauth2/" not in call.path)
        ]

    def take_mischief(self, asked: Asked) -> Mischief | None:
        for each in self._mischief:
            if each.times > 0 and each.path in asked.path and each.method in ("", asked.method):
                each.times -= 1
                return each
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, site: CourseSite, name: str) -> None:
        self.site, self.name = site, name
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that leave early are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, *_args: Any) -> None:
        pass

    def _serve(self) -> None:
        site, asked = self.server.site, self._read()
        if asked.path.startswith("/double/"):
            self._send(_serve_double(site, asked))
            return
        with site.lock:
            mischief = site.take_mischief(asked)
        if mischief is not None and mischief.manner == "slow":
            site.is_over.wait(mischief.seconds)
        with site.lock:
            answer = self._answer(asked, mischief)
            is_cut = mischief is not None and mischief.manner in ("drop", "lost")
            site.calls.append(
                Call(
                    asked.site,
                    asked.method,
                    asked.path,
                    dict(asked.query),
                    asked.body,
                    dict(asked.headers),
                    0 if is_cut else answer.status,
                )
            )
        if is_cut:
            self._cut()
            return
        if mischief is not None and mischief.manner == "late":
            site.is_over.wait(mischief.seconds)
        self._send(answer)

    def _answer(self, asked: Asked, mischief: Mischief | None) -> Answer:
        if mischief is None or mischief.manner in ("slow", "late", "lost"):
            return self.server.site.state.answer(asked)
        if mischief.manner == "throttle":
            seconds = mischief.retry_after
            detail = f"Request was throttled. Expected available in {seconds} seconds."
            return Answer(429, {"detail": detail}, {"Retry-After": str(seconds)})
        if mischief.manner == "unknown_learner":
            user = asked.body.get("user", "") if isinstance(asked.body, dict) else asked.query.get("username", "")
            return Answer(406, {"message": f"The user {user} does not exist."})
        if mischief.manner == "malformed":
            return Answer(200, '{"results": [{"mode": ', {"Content-Type": "application/json"})
        return _ANSWERS.get(mischief.manner, Answer(0))

    def _read(self) -> Asked:
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length).decode()
        body: Any = None
        if "application/json" in self.headers.get("Content-Type", ""):
            with suppress(ValueError):
                body = json.loads(raw)
        elif raw:
            body = dict(parse_qsl(raw))
        return Asked(
            site=self.server.name,
            method=self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base=self.server.url,
        )

    def _send(self, answer: Answer) -> None:
        is_text = isinstance(answer.body, str)
        content = answer.body.encode() if is_text else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        headers = {"Content-Type": "text/html" if is_text else "application/json", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _serve_double(site: CourseSite, asked: Asked) -> Answer:
    with site.lock:
        if asked.path == "/double/misbehave" and asked.method == "POST":
            site.misbehave(**asked.body)
            return Answer(200, {})
        if asked.path == "/double/state":
            calls = [{"method": call.method, "path": call.path, "status": call.status} for call in site.calls]
            return Answer(200, {**site.state.as_json(), "calls": calls})
    return Answer(404, {})


@contextmanager
def course_site() -> Iterator[CourseSite]:
    """Run a course site for as long as the block lasts."""
    site = CourseSite()
    site.start()
    try:
        yield site
    finally:
        site.stop()
