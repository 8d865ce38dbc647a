"""`make run` starts everything and Ctrl-C ends it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from dev.embedded.address import free_port
from dev.embedded.places import PROJECT
from dev.embedded.servers import Servers
from dev.embedded.supervisor import _has_default_sigint

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start what `make run` starts, in a folder of its own and with an environment as a newcomer has it."""
    children: list[subprocess.Popen[str]] = []

    def start(**variables: str) -> "subprocess.Popen[str]":
        environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environ |= {"LOCAL_DIR": str(tmp_path / "local")} | variables
        command = [sys.executable, "-m", "dev.embedded", "run"]
        child = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.stdout and not child.stdout.closed:
            child.terminate()
            child.communicate()
    Servers(folder=tmp_path / "local").stop()


def status_of(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.timeout(300)
def test_one_command_starts_everything_and_ctrl_c_ends_it(run: Run, tmp_path: Path) -> None:
    port = free_port()
    storefront = run(PORT=str(port))
    assert storefront.stdout is not None
    said = ""
    for line in storefront.stdout:
        said += line
        if line.startswith("Press Ctrl-C"):
            break
    assert f"http://127.0.0.1:{port}/" in said, said
    assert re.search(r"\w+@\w+", said), "the demo accounts"
    assert {path: status_of(port, path) for path in ("/", "/cms/login/", "/admin/login/", "/health/")} == {
        "/": 200,
        "/cms/login/": 302,
        "/admin/login/": 302,
        "/health/": 200,
    }

    same_port, _ = run(PORT=str(port)).communicate()
    assert "Another program uses port" in same_port
    same_folder, _ = run(PORT=str(free_port())).communicate()
    assert "already runs" in same_folder

    storefront.send_signal(signal.SIGINT)
    storefront.communicate()
    assert storefront.returncode == 0
    assert Servers(folder=tmp_path / "local").stop() == [], "the servers it started are down"


def test_a_port_that_is_none_is_refused(run: Run) -> None:
    child = run(PORT="http")
    said, _ = child.communicate()
    assert child.returncode == 1
    assert said == "PORT must be a number between 1 and 65534, not 'http'.\n"


@pytest.mark.parametrize(
    ("caught", "ignored", "gave_up"),
    [
        ("0000000000000002", "0000000000000000", False),  # waiting for its recipe
        ("0000000000000000", "0000000000000000", True),  # was sent one
        ("0000000000000000", "0000000000000006", False),  # `make run &` in a script
    ],
)
def test_only_a_make_that_was_interrupted_ends_it(caught: str, ignored: str, *, gave_up: bool) -> None:
    assert _has_default_sigint(f"Name:\tmake\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n") is gave_up


def test_nobody_was_interrupted_where_the_system_does_not_say() -> None:
    assert not _has_default_sigint("Name:\tmake\n")
