"""A mail server that hangs, trickles or closes blocks no one; a working one gets its e-mails."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from django.core.mail import EmailMessage, get_connection

from mitxonline.kernel.breaker import find_open_breakers
from mitxonline.kernel.mail import PatientEmailBackend
from mitxonline.kernel.remote import RemoteAvoided, RemoteAway, page_patience
from mitxonline.settings.parts.mail import email_settings
from tests.support.silence import MANNERS, Manner, silent_server

SHORT, LATE = 0.3, 20.0


@pytest.fixture(autouse=True)
def _short_patience(settings: Any) -> None:
    settings.REMOTE_PAGE_SECONDS = settings.REMOTE_CALL_SECONDS = SHORT


def _message(connection: PatientEmailBackend) -> EmailMessage:
    return EmailMessage("Hello", "It is here.", to=["amara@example.test"], connection=connection)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("is_secure", [False, True])
def test_no_manner_of_silence_holds_the_sender(manner: Manner, *, is_secure: bool) -> None:
    with silent_server(manner) as server:
        connection = PatientEmailBackend(host="127.0.0.1", port=server.port, use_ssl=is_secure, timeout=60)
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 - smtplib's errors and ours have no other ancestor in common
            _message(connection).send()
        assert time.monotonic() - began < LATE


def test_a_server_that_stays_silent_is_left_alone_for_a_while() -> None:
    with silent_server() as server:
        for _each in range(3):
            with pytest.raises(RemoteAway):
                _message(PatientEmailBackend(host="127.0.0.1", port=server.port)).send()
        with pytest.raises(RemoteAvoided):
            _message(PatientEmailBackend(host="127.0.0.1", port=server.port)).send()
        assert server.connections == 3
    assert find_open_breakers() == ["mail"]


def test_a_page_that_sends_mail_has_the_patience_of_a_page(settings: Any) -> None:
    settings.REMOTE_CALL_SECONDS = 60
    with silent_server() as server, page_patience():
        began = time.monotonic()
        with pytest.raises(RemoteAway):
            _message(PatientEmailBackend(host="127.0.0.1", port=server.port)).send()
        assert time.monotonic() - began < LATE


def test_several_mails_go_over_one_connection(postman: int) -> None:
    connection = PatientEmailBackend(host="127.0.0.1", port=postman)
    connection.open()
    assert [connection.send_messages([_message(connection)]) for _each in range(3)] == [1, 1, 1]
    connection.close()
    assert Postman.taken == 3
    assert Postman.connections == 1


def test_a_mail_server_in_the_settings_gets_this_backend() -> None:
    backend = email_settings("smtp://127.0.0.1:25")["EMAIL_BACKEND"]
    assert isinstance(get_connection(backend), PatientEmailBackend)


class Postman(socketserver.StreamRequestHandler):
    """A minimal SMTP server."""

    taken: ClassVar[int] = 0
    connections: ClassVar[int] = 0

    def handle(self) -> None:
        Postman.connections += 1
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split(b":")[0].split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                Postman.taken += 1
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def postman() -> Iterator[int]:
    Postman.taken = Postman.connections = 0
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postman) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()
