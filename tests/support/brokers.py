"""Brokers of their own that a test may kill and start again: Redis, which forgets everything, and RabbitMQ."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

import pytest
from django.test import override_settings
from kombu import Connection
from redis import Redis

from dev.embedded.address import free_port
from dev.embedded.binaries import redis_binary
from mitxonline.celery import app
from tests.support.broker import StartWorker, Worker, until, use_broker
from tests.support.hurry import HURRY
from tests.support.programs import find_program

BROKERS = ["redis", pytest.param("rabbitmq", marks=pytest.mark.needs("rabbitmq-server"))]
START = 120.0  # seconds that a broker may take on a busy machine


class Broker(Protocol):
    url: str

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None: ...


class _Server:
    """A broker's process, with a folder of its own."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="broker-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str, **variables: str) -> None:
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(self.answers, START)

    def answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            pytest.fail(f"the broker ended: {(self.folder / 'output.log').read_text()[-2000:]}")
        try:
            with Connection(self.url, connect_timeout=2, transport_options={"max_retries": 0}) as connection:
                connection.connect()
        except OSError:
            return False
        except Exception as error:
            # Of the client's own kinds. The server is starting.
            if type(error).__module__.partition(".")[0] in ("amqp", "redis", "kombu"):
                return False
            raise
        return True

    @property
    def url(self) -> str:
        raise NotImplementedError

    def kill(self) -> None:
        """Kill it like a power cut."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
            self.process = None

    def forget(self) -> None:
        """Lose all that it keeps on disk, queues too."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class OwnRedis(_Server):
    """Keeps nothing: what was in its queues is lost when it is killed."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(redis_binary()), "--bind", "127.0.0.1", "--port", str(self.port)]
        self.run(*command, "--save", "", "--appendonly", "no")

    def clear(self) -> None:
        with Redis.from_url(self.url) as client:
            client.flushall()


class OwnRabbit(_Server):
    """Keeps durable queues on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.epmd_port, self.node_port = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        config = self.folder / "rabbitmq.conf"
        config.write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\n")
        plugins = self.folder / "plugins"
        plugins.write_text("[].")
        self.run(
            find_program("rabbitmq-server"),
            HOME=str(self.folder),
            RABBITMQ_NODENAME=f"tests{self.port}@localhost",
            RABBITMQ_CONFIG_FILE=str(config),
            RABBITMQ_MNESIA_BASE=str(self.folder / "data"),
            RABBITMQ_LOG_BASE=str(self.folder / "log"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(plugins),
            RABBITMQ_PID_FILE=str(self.folder / "pid"),
            RABBITMQ_DIST_PORT=str(self.node_port),
            ERL_EPMD_PORT=str(self.epmd_port),
            ERL_EPMD_ADDRESS="127.0.0.1",
        )

    def clear(self) -> None:
        with Connection(self.url) as connection, connection.channel() as channel:
            for queue in app.amqp.queues.values():
                queue.bind(channel).declare()
                queue.bind(channel).purge()

    def close(self) -> None:
        super().close()
        # Erlang's directory of nodes, which the server started apart from itself.
        subprocess.run(
            [shutil.which("epmd") or "epmd", "-port", str(self.epmd_port), "-kill"],
            env=os.environ | {"ERL_EPMD_RELAXED_COMMAND_CHECK": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


MAKE: dict[str, Callable[[], OwnRedis | OwnRabbit]] = {"redis": OwnRedis, "rabbitmq": OwnRabbit}
_running: dict[str, OwnRedis | OwnRabbit] = {}


@pytest.fixture(scope="session")
def own_brokers() -> Iterator[dict[str, OwnRedis | OwnRabbit]]:
    """Brokers by name, started when a test asks for them and stopped after the last test."""
    yield _running
    for each in _running.values():
        each.close()
    _running.clear()


@pytest.fixture(params=BROKERS)
def own_broker(
    request: pytest.FixtureRequest, own_brokers: dict[str, OwnRedis | OwnRabbit], monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnRedis | OwnRabbit]:
    """A broker with empty queues. What is lost is found soon (`HURRY`), here and in workers."""
    if request.param not in own_brokers:
        own_brokers[request.param] = MAKE[request.param]()
    broker = own_brokers[request.param]
    if broker.process is None:
        broker.start()
    broker.clear()
    monkeypatch.setenv("TEST_BROKER_URL", broker.url)
    monkeypatch.setenv("TEST_HURRY", "1")
    with use_broker(broker.url), override_settings(**HURRY):
        yield broker


@pytest.fixture
def start_own_worker(own_broker: Broker, transactional_db: None, tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers on that broker; those still running are killed after the test, which has no more use for them."""
    workers: list[Worker] = []

    def start(queue: str = "", *, wait: bool = True, **variables: str) -> Worker:
        workers.append(Worker(tmp_path / f"worker-{len(workers)}.log", queue, wait=wait, **variables))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
