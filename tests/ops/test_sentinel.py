"""Redis found by Sentinel: addresses, and a master that dies while a process runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError

from dev.embedded.address import free_port
from dev.embedded.binaries import redis_binary
from mitxonline.cache import ForgivingRedisCache
from mitxonline.kernel.redis import connect_redis, read_sentinels
from mitxonline.settings.env import read
from tests.ops.variables import REQUIRED, load_with, warm_up
from tests.support.broker import until

PASSWORD = "p/w:1"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://host:26379/",
        "redis+sentinel:///master/0",
        "redis+sentinel://host/master/first",
        "redis+sentinel://host:many/master",
        "redis+sentinel://:26379/master",
    ],
)
def test_an_address_without_its_parts_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"REDIS_URL can't be read"):
        read("REDIS_URL", url, lambda: read_sentinels(url))


def test_an_address_is_read() -> None:
    found = read_sentinels("redis+sentinel://shop:p%2Fw%3A1@one:26380,[2001:db8::1],two/storefront/3")
    assert found.hosts == (("one", 26380), ("2001:db8::1", 26379), ("two", 26379))
    assert (found.master, found.database, found.username, found.password) == ("storefront", 3, "shop", "p/w:1")
    assert found.broker_url.split(";")[0] == "sentinel://shop:p%2Fw%3A1@one:26380/3"


def test_production_takes_it_for_the_cache_and_for_the_broker() -> None:
    warm_up()
    variables = REQUIRED | {
        "REDIS_URL": "redis+sentinel://:word@one,two/storefront/1",
        "STRIPE_SECRET_KEY": "sk_live_key",
    }
    assert load_with("production", variables, show="CELERY_BROKER_URL") == (
        "sentinel://:word@one:26379/1;sentinel://:word@two:26379/1"
    )
    options = load_with("production", variables, show="CELERY_BROKER_TRANSPORT_OPTIONS")
    assert "'master_name': 'storefront'" in options


class Servers:
    """A master, a replica, and a sentinel that alone decides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.master, self.replica, self.sentinel = free_port(), free_port(), free_port()
        account = ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--save", ""]
        self._start(self.master, *account)
        self._start(
            self.replica, *account, "--replicaof", "127.0.0.1", str(self.master), "--repl-diskless-sync-delay", "0"
        )
        until(lambda: self._is_in_sync())
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self.sentinel}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor storefront 127.0.0.1 {self.master} 1\n"
            f'sentinel auth-pass storefront "{PASSWORD}"\n'
            "sentinel down-after-milliseconds storefront 500\n"
            "sentinel failover-timeout storefront 3000\n"
        )
        self._start(self.sentinel, config=config)
        until(lambda: self._knows_replica())

    @property
    def url(self) -> str:
        return f"redis+sentinel://:p%2Fw%3A1@127.0.0.1:{self.sentinel}/storefront/0"

    def kill_master(self) -> None:
        self.processes[self.master].kill()
        self.processes[self.master].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _start(self, port: int, *options: str, config: Path | None = None) -> None:
        arguments = [str(config), "--sentinel"] if config else ["--port", str(port), "--bind", "127.0.0.1", *options]
        self.processes[port] = subprocess.Popen(
            [str(redis_binary()), *arguments], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _is_in_sync(self) -> bool:
        return bool(self._ask(self.replica, "replication").get("master_link_status") == "up")

    def _knows_replica(self) -> bool:
        return bool(self._ask(self.sentinel, "sentinel", password=None).get("master0", {}).get("slaves") == 1)

    def _ask(self, port: int, section: str, password: str | None = PASSWORD) -> dict[str, Any]:
        try:
            with Redis("127.0.0.1", port, password=password) as client:
                return dict(client.info(section))
        except RedisError:
            return {}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    running = Servers(tmp_path)
    yield running
    running.stop()


def test_processes_go_on_with_the_next_master(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitxonline.cache.PAUSE", 0.1)
    quick = {"socket_connect_timeout": 1, "socket_timeout": 1}
    cache = ForgivingRedisCache(servers.url, {"OPTIONS": quick})
    client = connect_redis(servers.url, **quick)
    address = read_sentinels(servers.url)
    broker = Connection(address.broker_url, transport_options={"master_name": address.master, **quick})
    cache.set("before", "there")
    until(lambda: bool(Redis("127.0.0.1", servers.replica, password=PASSWORD).dbsize()))

    servers.kill_master()
    assert cache.get("nothing") is None, "a page goes on without the cache"

    def is_written() -> bool:
        cache.set("after", "there")
        return bool(cache.get("after") == "there")

    until(is_written)
    assert cache.get("before") == "there"
    assert client.set("by client", "1")
    with Redis("127.0.0.1", servers.replica, password=PASSWORD) as next_master:
        assert next_master.get("by client") == b"1"
        with broker.SimpleQueue("tessera") as queue:
            queue.put({"is": "sent"})
            assert queue.get(timeout=5).payload == {"is": "sent"}
            assert next_master.info("replication")["role"] == "master"
    client.close()
    broker.release()
