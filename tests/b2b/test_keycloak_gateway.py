"""Wrong and missing answers of Keycloak."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import pytest

from b2b.errors.organizations import KeycloakUnavailable
from b2b.gateways.keycloak import KeycloakGateway
from mitxonline.celery import app
from mitxonline.settings.parts import keycloak as keycloak_settings
from tests.support.silence import MANNERS, Manner, silent_server


def gateway(port: int) -> KeycloakGateway:
    return KeycloakGateway(
        url=f"http://127.0.0.1:{port}", realm="tessera", client_id="sync", client_secret="secret", timeout=1
    )


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """Run a server that gives this answer to every request; return its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 – the server looks for this name

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome to the proxy</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (404, b"nothing here"),
        (500, b'{"error": "unknown_error"}'),
        (502, b""),
    ],
)
def test_an_answer_not_from_keycloak_counts_as_none(status: int, body: bytes) -> None:
    with answering(status, body) as port:
        with pytest.raises(KeycloakUnavailable):
            gateway(port).organizations()
        with pytest.raises(KeycloakUnavailable):
            gateway(port).check_organizations()
        with pytest.raises(KeycloakUnavailable):
            gateway(port).add_member(organization_id=uuid4(), subject="sam")


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(KeycloakUnavailable):
            gateway(silent.getsockname()[1]).organizations()


def test_scheduled_tasks_exist() -> None:
    assert keycloak_settings.KEYCLOAK_BEAT_SCHEDULE == {}  # no Keycloak in the tests' environment
    app.loader.import_default_modules()
    assert {"b2b.tasks.sync_keycloak_orgs", "b2b.tasks.sweep_keycloak_joins"} <= set(app.tasks)


@pytest.mark.parametrize("manner", MANNERS)
def test_a_silent_keycloak_never_blocks_the_caller(manner: Manner, settings: Any) -> None:
    settings.REMOTE_CALL_SECONDS = 0.3
    with silent_server(manner) as server:
        began = time.monotonic()
        with pytest.raises(KeycloakUnavailable):
            gateway(server.port).organizations()
        assert time.monotonic() - began < 20


def test_a_keycloak_that_stays_silent_is_left_alone_for_a_while(settings: Any) -> None:
    settings.REMOTE_CALL_SECONDS = 0.3
    with silent_server() as server:
        for _each in range(4):
            with pytest.raises(KeycloakUnavailable):
                gateway(server.port).add_member(organization_id=uuid4(), subject="somebody")
        assert server.connections == 3
