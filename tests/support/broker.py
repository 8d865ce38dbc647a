"""A real broker and real workers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from kombu import pools
from redis import Redis

from mitxonline.celery import app
from mitxonline.kernel.broker import broker_pause

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0

StartWorker = Callable[..., "Worker"]


def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Call until the answer is true and return it; fail the test after a deadline."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience:.0f} s in vain")
        threading.Event().wait(0.05)
    return answer


class Worker:
    """A Celery worker in its own process group, with this test's queues and database.

    Without `wait` it may still be starting.
    """

    def __init__(self, log: Path, queue: str = "", *, wait: bool = True, **variables: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "mitxonline", "worker", "--concurrency", "1"),
                    # A name of its own: RabbitMQ gives the queue of a worker's name to one connection.
                    *("--hostname", f"{log.stem}-{uuid4().hex[:8]}@%h"),
                    *("--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"),
                    *(("--queues", queue) if queue else ()),
                ],
                cwd=ROOT,
                env=child_environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if wait:
            self.await_start()

    def await_start(self) -> None:
        until(self._is_ready)

    def kill(self) -> None:
        """Kill it like a power cut: no handler runs, no task is returned to the queue."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Stop it and its children; kill them after 15 seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the worker ended: {self.log.read_text()[-2000:]}")
        return " ready." in self.log.read_text()


@pytest.fixture
def redis_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """Send this process's tasks to Redis, under keys only this test uses."""
    url, prefix = os.environ.get("CELERY_BROKER_URL") or settings.REDIS_URL, f"test-{uuid4().hex}."
    monkeypatch.setenv("TEST_BROKER_URL", url)
    monkeypatch.setenv("TEST_BROKER_PREFIX", prefix)
    with use_broker(url, {"global_keyprefix": prefix}), Redis.from_url(url) as client:
        yield client
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder workers write their e-mails to; request it before `start_worker`."""
    monkeypatch.setenv("TEST_MAILBOX", str(tmp_path / "mails"))
    return tmp_path / "mails"


@pytest.fixture
def start_worker(redis_broker: Redis, transactional_db: None, tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers; those still running are stopped after the test."""
    workers: list[Worker] = []

    def start(queue: str = "") -> Worker:
        workers.append(Worker(tmp_path / f"worker-{len(workers)}.log", queue))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


@contextmanager
def use_broker(url: str, options: dict[str, Any] | None = None) -> Iterator[None]:
    """Send this process's tasks to this broker, and end the pause an unreachable one caused."""
    before = {name: app.conf[name] for name in ("broker_url", "broker_transport_options")}
    app.conf.update(broker_url=url, broker_transport_options=options or {})
    _forget_connections()
    try:
        yield
    finally:
        app.conf.update(before)
        _forget_connections()


def _forget_connections() -> None:
    """Let Celery connect to the broker of its settings, not to the one it talked to before."""
    broker_pause.end()
    pools.reset()
    app._pool = app.amqp._producer_pool = None  # type: ignore[attr-defined]


def child_environment() -> dict[str, str]:
    """Return the variables of a process with this test's database and broker."""
    known = connection.settings_dict
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return environment | {
        "DJANGO_SETTINGS_MODULE": "tests.support.worker_settings",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{known['NAME']}")),
    }
