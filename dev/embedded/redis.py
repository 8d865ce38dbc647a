"""The embedded Redis 6.2."""

import subprocess
from pathlib import Path
from typing import ClassVar

from redis import Redis
from redis.exceptions import RedisError

from dev.embedded.address import HOST, Address
from dev.embedded.binaries import redis_binary
from dev.embedded.identity import Identity
from dev.embedded.server import Server


class RedisServer(Server):
    """Nothing is kept on disk: the cache refills, and pending deliveries are in the database."""

    name: ClassVar[str] = "Redis"

    def program(self) -> Path:
        return redis_binary()

    def url(self, address: Address, database: int = 0) -> str:
        return f"redis://:{address.password}@{HOST}:{address.port}/{database}"

    def answers(self, address: Address) -> bool:
        try:
            with self._connect(address) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def launch(self, address: Address, *, identity: Identity, alive: int) -> None:
        lines = [
            f"bind {HOST}",
            f"port {address.port}",
            f"requirepass {address.password}",
            'save ""',
            "appendonly no",
            "daemonize yes",
            "pidfile redis.pid",
            f"logfile {self.log.name}",
            "databases 32",
        ]
        (self.home / "redis.conf").write_text("\n".join([*lines, ""]))
        identity.take_ownership(self.home)
        subprocess.run(
            identity.command(self.program(), "redis.conf"),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(alive,),
            start_new_session=True,
            check=False,
        )

    def halt(self, address: Address, *, identity: Identity) -> None:
        try:
            with self._connect(address) as client:
                client.shutdown(nosave=True)
        except RedisError as error:
            raise self.failure("can't be stopped") from error

    def wipe(self) -> None:
        self.record.unlink(missing_ok=True)

    def _connect(self, address: Address) -> Redis:
        return Redis.from_url(self.url(address), socket_connect_timeout=2, socket_timeout=5)
