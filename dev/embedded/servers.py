"""Both servers, and the environment variables that name them."""

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
    folder: Path
    disposable: bool = False

    @property
    def postgres(self) -> PostgresServer:
        return PostgresServer(home=self.folder / "postgres", disposable=self.disposable)

    @property
    def redis(self) -> RedisServer:
        return RedisServer(home=self.folder / "redis", disposable=self.disposable)

    def provide(self, environ: MutableMapping[str, str] = os.environ) -> list[Server]:
        """Set each unset variable to a server's URL, starting it if necessary; return the servers this call started.

        Child processes inherit the variables, so they use the same servers.
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
            # Apart from the cache, because clearing the cache empties its whole database.
            if not environ.get("CELERY_BROKER_URL"):
                environ["CELERY_BROKER_URL"] = self.redis.url(address, database=1)
            started += [self.redis] if is_new else []
        return started

    def stop(self) -> list[Server]:
        """Stop both servers and return those that were running."""
        return [server for server in (self.redis, self.postgres) if server.stop()]


def name_unreachable_servers(environ: MutableMapping[str, str]) -> None:
    """Set the variables to addresses that parse but never connect, for commands that need no server."""
    for name, url in (("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"), ("REDIS_URL", "redis://127.0.0.1:1/0")):
        if not environ.get(name):
            environ[name] = url


def development_servers() -> Servers:
    return Servers(folder=local_dir())


def test_servers() -> Servers:
    """Return servers in a folder of their own, so that no test touches a developer's data."""
    return Servers(folder=local_dir() / "test", disposable=True)
