"""A real broker and a real Celery worker, for tests about what happens after the commit.

    def test_it_is_sent(redis_broker, celery_worker): ...

Both are for this test process alone: a Redis database of its own, and a worker on the process's own database.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection
from redis import Redis

from mitxonline.celery import app
from mitxonline.embedded.places import PROJECT


def _database_number() -> int:
    """Redis databases 2, 3, …: one for each process, apart from the cache's and the broker's of development."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return 2 + int(worker.removeprefix("gw"))


def _forget_connections() -> None:
    """Celery keeps what it connected with, as after a fork: a changed address has to be read again."""
    app._after_fork()  # type: ignore[attr-defined]


@pytest.fixture
def redis_broker() -> Iterator[str]:
    """An empty broker; tasks sent in this test wait in it. The address."""
    url = urlunsplit(urlsplit(settings.REDIS_URL)._replace(path=f"/{_database_number()}"))
    with Redis.from_url(url) as client, pytest.MonkeyPatch.context() as patch:
        client.flushdb()
        patch.setenv("CELERY_BROKER_URL", url)
        _forget_connections()
        yield url
        client.flushdb()
    _forget_connections()


@pytest.fixture
def celery_worker(transactional_db: None, redis_broker: str) -> Iterator["subprocess.Popen[str]"]:
    """A worker on this test's database, ready for tasks; it is ended before the database starts over."""
    known = connection.settings_dict
    database = f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
    environ = {**os.environ, "DATABASE_URL": database, "TEST_BROKER_URL": redis_broker, "C_FORCE_ROOT": "1"}
    # Without this the worker would take itself for a test and start servers.
    environ.pop("PYTEST_VERSION", None)
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "mitxonline", "worker"]
    command += ["--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    worker = subprocess.Popen(command, cwd=PROJECT, env=environ, stderr=subprocess.PIPE, text=True)
    assert worker.stderr is not None
    for line in worker.stderr:
        if " ready." in line:
            break
    try:
        yield worker
    finally:
        worker.terminate()
        worker.communicate(timeout=30)
