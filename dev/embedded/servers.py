"""Both servers, and the variables by which the rest of the project knows them."""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from dev.embedded.places import local_dir, make_folder
from dev.embedded.postgres import PostgresServer
from dev.embedded.redis import RedisServer
from dev.embedded.server import Server


@dataclass(frozen=True, slots=True)
class Servers:
    """The embedded servers of one folder."""

    folder: Path
    disposable: bool = False

    @property
    def postgres(self) -> PostgresServer:
        return PostgresServer(home=self.folder / "postgres", disposable=self.disposable)

    @property
    def redis(self) -> RedisServer:
        return RedisServer(home=self.folder / "redis", disposable=self.disposable)

    def provide(self, environ: MutableMapping[str, str] = os.environ) -> list[Server]:
        """Name a server in each variable that names none, starting it if need be; what this call started.

        Child processes inherit the variables, so they use the same servers without looking.
        """
        started: list[Server] = []
        make_folder(self.folder)
        if not environ.get("DATABASE_URL"):
            address, is_new = self.postgres.ensure()
            environ["DATABASE_URL"] = self.postgres.url(address)
            started += [self.postgres] if is_new else []
        if not environ.get("REDIS_URL"):
            address, is_new = self.redis.ensure()
            environ["REDIS_URL"] = self.redis.url(address)
            # Apart from the cache, whose clearing empties its whole database.
            environ.setdefault("CELERY_BROKER_URL", self.redis.url(address, database=1))
            started += [self.redis] if is_new else []
        return started

    def stop(self) -> list[Server]:
        """End both; those that ran."""
        return [server for server in (self.redis, self.postgres) if server.stop()]


def name_unreachable_servers(environ: MutableMapping[str, str]) -> None:
    """Give the variables values that can be read but never connected to, for who only looks at the code."""
    environ.setdefault("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")


def development_servers() -> Servers:
    return Servers(folder=local_dir())


def test_servers() -> Servers:
    """In a folder of their own, so that no test ever touches what a person made."""
    return Servers(folder=local_dir() / "test", disposable=True)
