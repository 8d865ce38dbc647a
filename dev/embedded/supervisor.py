"""Everything a developer's machine runs, started and stopped as one."""

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
from dev.embedded.processes import Process, end_with_parent
from dev.embedded.servers import development_servers

PATIENCE = 60.0  # seconds until the first page
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Someone asked us to end; a BaseException, so that nothing on the way takes it for a failure."""


def run() -> int:
    """Run the storefront until Ctrl-C; the exit status."""
    if "MAKELEVEL" in os.environ:
        end_with_parent()
    host, port = os.environ.get("HOST") or "127.0.0.1", _port(os.environ)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.dev", "PORT": str(port)}
    if not port_is_free(port, host):
        raise EmbeddedError(f"Port {port} is taken by another program. Choose one: PORT={port + 1} make run")
    make_folder(local_dir())
    busy = f"It is running already from {local_dir()}. For a second one: LOCAL_DIR=.local2 PORT={port + 1} make run"
    with exclusive(local_dir() / "run.lock", seconds=0, busy=busy), _signals_raise():
        return _run(host, port)


def _run(host: str, port: int) -> int:
    processes: list[Process] = []
    started = []
    try:
        remember_port(port)
        _say("Starting PostgreSQL and Redis …")
        started = development_servers().provide(os.environ)
        _say("Migrating, loading the demo …")
        accounts = _prepare()
        _say("Starting web, workers and beat …")
        for name, command in _commands(host, port).items():
            processes.append(Process(name, command, os.environ))
        _wait_for_first_page(processes, host, port)
        _welcome(port, accounts)
        return _watch(processes)
    except Ended:
        return 0
    finally:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not leave half of it running
        _say("Stopping …")
        for process in processes:
            process.ask_to_end()
        for process in processes:
            process.end()
        for server in reversed(started):
            server.stop()


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT") or DEFAULT_PORT
    if not text.isdigit() or not 0 < int(text) < 65535:
        raise EmbeddedError(f"PORT is a number between 1 and 65534, not {text!r}.")
    return int(text)


@contextmanager
def _signals_raise() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.signal(number, end) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _prepare() -> str:
    """Migrate and load the demo; what it says about accounts."""
    command = [sys.executable, "-m", "dev.embedded.prepare"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            accounts, _ = child.communicate()
        except Ended:
            child.terminate()
            raise
    if child.returncode:
        raise EmbeddedError("The database could not be prepared; the reason is above.")
    return accounts.decode()


def _commands(host: str, port: int) -> dict[str, list[str]]:
    """The same processes as in the Procfile, in sizes for one person."""
    python = sys.executable
    # Whoever starts this as root knows that; the warning is for production.
    celery = [python, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "mitxonline"]
    web = [python, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    web += ["--workers", "1", "--blocking-threads", "4", "--no-ws", "--workers-kill-timeout", "5"]
    web += ["mitxonline.wsgi:application"]
    if os.environ.get("DEBUG", "").lower() in ("1", "true", "yes", "on"):
        web = [python, "manage.py", "runserver", f"{host}:{port}"]  # reloads changed code
    return {
        "web": web,
        "worker": [*celery, *_worker("tessera", 2)],
        "remote": [*celery, *_worker("tessera-remote", 1)],
        "beat": [*celery, "beat", "--schedule", str(local_dir() / "beat")],
    }


def _worker(queue: str, concurrency: int) -> list[str]:
    named = ["--queues", queue, "--hostname", f"{queue}@%h"]
    return ["worker", *named, "--concurrency", str(concurrency), "--without-gossip", "--without-mingle"]


def _wait_for_first_page(processes: list[Process], host: str, port: int) -> None:
    def decided() -> bool:
        return _any_ended(processes) is not None or _answers(host, port)

    if not wait_until(decided, seconds=PATIENCE):
        raise EmbeddedError(f"The web process did not answer within {PATIENCE:.0f} seconds.")


def _answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _welcome(port: int, accounts: str) -> None:
    base = os.environ.get("SITE_BASE_URL") or f"http://127.0.0.1:{port}"
    lines = [
        "",
        f"  Storefront     {base}/",
        f"  Wagtail admin  {base}/cms/",
        f"  Django admin   {base}/admin/",
        f"  Mail           files in {local_dir() / 'mail'}",
        "",
        accounts.rstrip(),
        "",
        "Ctrl-C stops all of it.",
        "",
    ]
    _say("\n".join(lines))


def _watch(processes: list[Process]) -> int:
    """Until someone ends us, or one of them ends by itself, which it should not."""
    while not wait_until(lambda: _any_ended(processes) is not None, seconds=1):
        if _make_was_interrupted():
            raise Ended
    ended = _any_ended(processes)
    _say(f"{ended.name if ended else 'A process'} ended by itself; stopping the others.")
    return 1


def _make_was_interrupted() -> bool:
    """Whether the `make` above us got a SIGINT that was sent to it alone, as a script does and no terminal."""
    if "MAKELEVEL" not in os.environ:
        return False
    try:
        return _gave_up_interrupts(Path(f"/proc/{os.getppid()}/status").read_text())
    except OSError:
        return False


def _gave_up_interrupts(status: str) -> bool:
    """Whether a process neither catches nor ignores SIGINT, going by its /proc status.

    GNU make passes on a SIGTERM but waits silently after a SIGINT, having reset its handler. A make that a script
    put into the background never had one: there the shell has SIGINT ignored from the start.
    """
    masks = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("SigCgt:", "SigIgn:")))
    handled = 0
    for mask in masks.values():
        handled |= int(mask, 16)
    return len(masks) == 2 and not handled >> (signal.SIGINT - 1) & 1


def _any_ended(processes: list[Process]) -> Process | None:
    return next((process for process in processes if process.exit_status is not None), None)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
