"""`make run`: starts and stops everything the storefront needs on a developer's machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

from dev.embedded.address import port_is_free
from dev.embedded.errors import EmbeddedError
from dev.embedded.locks import exclusive, wait_until
from dev.embedded.places import DEFAULT_PORT, PROJECT, local_dir, make_folder, remember_port
from dev.embedded.processes import Process, stop_with_parent
from dev.embedded.servers import development_servers

PATIENCE = 60.0  # seconds until the first page
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Raised by a signal to stop. A BaseException, so that no handler mistakes it for a failure."""


def run() -> int:
    """Run the storefront until Ctrl-C and return the exit status."""
    if "MAKELEVEL" in os.environ:
        stop_with_parent()
    host, port = os.environ.get("HOST") or "127.0.0.1", _port(os.environ)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.dev", "PORT": str(port)}
    if not port_is_free(port, host):
        raise EmbeddedError(f"Another program uses port {port}. Choose another: PORT={port + 1} make run")
    make_folder(local_dir())
    busy = (
        f"The storefront already runs from {local_dir()}. For a second one: LOCAL_DIR=.local2 PORT={port + 1} make run"
    )
    with exclusive(local_dir() / "run.lock", seconds=0, busy=busy), _raise_on_signals():
        return _run(host, port)


def _run(host: str, port: int) -> int:
    processes: list[Process] = []
    started = []
    try:
        remember_port(port)
        _say("Starting PostgreSQL and Redis …")
        started = development_servers().provide(os.environ)
        _say("Preparing the database, the first time about half a minute …")
        accounts = _prepare()
        _say("Starting web, workers and beat …")
        make_folder(_log_folder())
        for name, command in _commands(host, port).items():
            log = _log_folder() / f"{name}.log"
            processes.append(Process(name, command, os.environ, log=log, shows_all=_is_debugging()))
        _wait_for_first_page(processes, host, port)
        _print_welcome(port, accounts)
        return _watch(processes)
    except Stopped:
        return 0
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave processes running
        _say("Stopping …")
        for process in processes:
            process.request_stop()
        for process in processes:
            process.stop()
        for server in reversed(started):
            server.stop()


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT") or DEFAULT_PORT
    if not text.isdigit() or not 0 < int(text) < 65535:
        raise EmbeddedError(f"PORT must be a number between 1 and 65534, not {text!r}.")
    return int(text)


@contextmanager
def _raise_on_signals() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before = {number: signal.signal(number, end) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _prepare() -> str:
    """Migrate and load the demo; return its table of accounts."""
    command = [sys.executable, "-m", "dev.embedded.prepare"]
    # What the demo's disputes and second payments write to the log is no news to anyone here.
    environ = os.environ | {"LOG_LEVEL": "CRITICAL"}
    with subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            accounts, _ = child.communicate()
        except Stopped:
            child.terminate()
            raise
    if child.returncode:
        raise EmbeddedError("The database couldn't be prepared. The reason is above.")
    return accounts.decode()


def _commands(host: str, port: int) -> dict[str, list[str]]:
    """Return the processes of the Procfile, sized for one person."""
    python = sys.executable
    # Celery warns against running as root, which doesn't matter in development.
    celery = [python, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "mitxonline"]
    web = [python, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    web += ["--workers", "1", "--blocking-threads", "4", "--no-ws", "--workers-kill-timeout", "5"]
    web += ["mitxonline.wsgi:application"]
    if _is_debugging():
        web = [python, "manage.py", "runserver", f"{host}:{port}"]  # reloads changed code
    return {
        "web": web,
        "worker": [*celery, *_worker("tessera", 2)],
        "remote": [*celery, *_worker("tessera-remote", 1)],
        "beat": [*celery, "beat", "--schedule", str(local_dir() / "beat")],
    }


def _is_debugging() -> bool:
    return os.environ.get("DEBUG", "").lower() in ("1", "true", "yes", "on")


def _log_folder() -> Path:
    return local_dir() / "log"


def _worker(queue: str, concurrency: int) -> list[str]:
    options = ["--queues", queue, "--hostname", f"{queue}@%h", "--concurrency", str(concurrency)]
    return ["worker", *options, "--without-gossip", "--without-mingle"]


def _wait_for_first_page(processes: list[Process], host: str, port: int) -> None:
    def is_settled() -> bool:
        return _find_exited(processes) is not None or _answers(host, port)

    if not wait_until(is_settled, seconds=PATIENCE):
        raise EmbeddedError(f"The web process didn't answer within {PATIENCE:.0f} seconds.")


def _answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _print_welcome(port: int, accounts: str) -> None:
    base = os.environ.get("SITE_BASE_URL") or f"http://127.0.0.1:{port}"
    lines = [
        "",
        f"  Storefront     {base}/",
        f"  Wagtail admin  {base}/cms/",
        f"  Django admin   {base}/admin/",
        f"  E-mail         files in {local_dir() / 'mail'}",
        f"  Logs           files in {_log_folder()}; errors are shown here too",
        "",
        accounts.rstrip(),
        "",
        "Press Ctrl-C to stop everything.",
        "",
    ]
    _say("\n".join(lines))


def _watch(processes: list[Process]) -> int:
    """Wait until a signal stops us or a process exits on its own, which is an error."""
    while not wait_until(lambda: _find_exited(processes) is not None, seconds=1):
        if _make_was_interrupted():
            raise Stopped
    if exited := _find_exited(processes):
        for line in exited.last_lines:
            _say(f"{exited.name:<6} | {line}")
        _say(f"{exited.name} exited; stopping the others.")
    return 1


def _make_was_interrupted() -> bool:
    """Whether our parent `make` got a SIGINT that was sent to it alone, as by a script and not by a terminal."""
    if "MAKELEVEL" not in os.environ:
        return False
    try:
        return _has_default_sigint(Path(f"/proc/{os.getppid()}/status").read_text())
    except OSError:
        return False


def _has_default_sigint(status: str) -> bool:
    """Whether a process neither catches nor ignores SIGINT, according to its /proc status.

    GNU make forwards a SIGTERM, but after a SIGINT it resets its handler and waits silently. A make that a script put
    into the background never had a handler: its shell made it ignore SIGINT.
    """
    masks = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("SigCgt:", "SigIgn:")))
    handled = 0
    for mask in masks.values():
        handled |= int(mask, 16)
    return len(masks) == 2 and not handled >> (signal.SIGINT - 1) & 1


def _find_exited(processes: list[Process]) -> Process | None:
    return next((process for process in processes if process.exit_status is not None), None)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
