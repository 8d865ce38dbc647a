"""A server that accepts connections and then hangs, trickles or closes; for HTTP and SMTP alike."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from mitxonline.kernel.breaker import close

Manner = Literal["hang", "trickle", "trickle body", "close"]

MANNERS: tuple[Manner, ...] = ("hang", "trickle", "trickle body", "close")
# A byte now and then: each one is an answer to whoever only limits the wait for the next.
PAUSE = 0.05


class SilentServer:
    """Accepts every connection; ``connections`` is how many there were, ``open_ones`` how many still are."""

    def __init__(self, manner: Manner = "hang") -> None:
        self.manner = manner
        self.connections = 0
        self.open_ones = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.open_ones += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self.manner != "close":
                    self._hold(connection)
        except OSError:
            pass
        finally:
            with self._lock:
                self.open_ones -= 1

    def _hold(self, connection: socket.socket) -> None:
        """Hold the connection until the caller leaves or the test ends."""
        connection.settimeout(PAUSE)
        if self.manner == "trickle body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        elif self.manner == "trickle":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self._over.is_set():
            try:
                if not connection.recv(65536):
                    return
            except TimeoutError:
                if self.manner != "hang":
                    connection.sendall(b" ")


@pytest.fixture(autouse=True)
def _closed_breakers() -> None:
    """Close the breakers that another test's silent server opened."""
    for name in (
        "stripe",
        "paypal",
        "cybersource",
        "keycloak",
        "keycloak-admin",
        "edx-oauth2",
        "openedx-lms",
        "openedx-studio",
        "mail",
    ):
        close(name)


@contextmanager
def silent_server(manner: Manner = "hang") -> Iterator[SilentServer]:
    """Run a silent server for as long as the block lasts."""
    server = SilentServer(manner)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port on which connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[socket.socket]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server
