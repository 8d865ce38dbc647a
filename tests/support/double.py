"""A double of another company's API over HTTP: it records calls and misbehaves on demand."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeAlias
from urllib.parse import parse_qsl, urlsplit

PATIENCE = 60.0

# Instead of a status: the connection ends without an answer.
DROPPED = 0


@dataclass(slots=True)
class Call:
    """A request that came. ``params`` are those of the form, of the JSON object or of the address."""

    method: str
    path: str
    params: dict[str, Any]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Failure:
    """An answer to give instead of the right one; with ``after`` the request takes effect and its answer is lost."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    delay: float = 0.0


# Status, what is sent as JSON (or as it is, if it is text), headers, and the seconds before it is sent.
Answer: TypeAlias = tuple[int, Any, dict[str, str], float]


class HttpDouble:
    """The HTTP side of a double. A subclass says what a call does (``do``)."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failures: list[tuple[str, Failure]] = []
        self.lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"double": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(PATIENCE)

    def fail(self, path: str, status: int, body: Any = None, **options: Any) -> None:
        """Fail the next call whose method and path match this regular expression."""
        self.failures.append((path, Failure(status, {} if body is None else body, **options)))

    def calls_to(self, path: str) -> list[Call]:
        return [call for call in self.calls if re.search(path, call.path)]

    def do(self, call: Call) -> tuple[int, Any]:
        raise NotImplementedError

    def answer(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(call)
            failure = self.failure_for(call)
            if failure is None:
                return (*self.do(call), {}, 0.0)
            if failure.after:
                self.do(call)
            return failure.status, failure.body, failure.headers, failure.delay

    def failure_for(self, call: Call) -> Failure | None:
        for number, (pattern, failure) in enumerate(self.failures):
            if re.search(pattern, call.path) or re.search(pattern, f"{call.method} {call.path}"):
                del self.failures[number]
                return failure
        return None


class Handler(BaseHTTPRequestHandler):
    double: ClassVar[HttpDouble]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; apart, the second waits for an acknowledgment of the first

    def do_GET(self) -> None:
        self.serve(b"")

    def do_POST(self) -> None:
        self.serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, *args: Any) -> None:
        pass

    def serve(self, body: bytes) -> None:
        address = urlsplit(self.path)
        call = Call(self.command, address.path, self._params(body, address.query), dict(self.headers.items()), body)
        status, answer, headers, delay = self.double.answer(call)
        if delay:
            threading.Event().wait(delay)
        if status == DROPPED:
            self.close_connection = True
            return
        is_text = isinstance(answer, str)
        text = answer.encode() if is_text else json.dumps(answer).encode()
        kind = "text/html; charset=utf-8" if is_text else "application/json"
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Request-Id": "req_test", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except (BrokenPipeError, ConnectionResetError):  # the caller lost patience, as the test wants
            self.close_connection = True

    def _params(self, body: bytes, query: str) -> dict[str, Any]:
        if "json" in str(self.headers.get("Content-Type", "")) and body:
            read = json.loads(body)
            return read if isinstance(read, dict) else {"": read}
        return dict(parse_qsl(body.decode() or query, keep_blank_values=True))
