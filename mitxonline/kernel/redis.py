"""Connections to Redis: one server, or whichever of several Sentinel says is the master now.

With Sentinel an address is redis+sentinel://user:password@host:26379,host:26379/master/0: the sentinels, the name they
know the master by, and the number of the database. User and password are the servers' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from redis import ConnectionPool, Redis
from redis.sentinel import Sentinel, SentinelConnectionPool

SENTINEL: Final = "redis+sentinel"
_PORT: Final = 26379
# A connection to a sentinel itself waits no longer than one to a server.
_PATIENCE: Final = ("socket_connect_timeout", "socket_timeout")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    hosts: tuple[tuple[str, int], ...]
    master: str
    database: int
    username: str | None
    password: str | None

    @property
    def broker_url(self) -> str:
        """The same servers as Celery writes them; the master's name is a transport option there."""
        account = f"{quote(self.username or '', '')}:{quote(self.password or '', '')}@" if self.password else ""
        return ";".join(f"sentinel://{account}{host}:{port}/{self.database}" for host, port in self.hosts)


def is_sentinel(url: str) -> bool:
    return url.startswith(f"{SENTINEL}://")


def read_sentinels(url: str) -> SentinelAddress:
    """Raises ValueError for an address without hosts, master or a number for the database."""
    parts = urlsplit(url)
    account, _at, hosts = parts.netloc.rpartition("@")
    user, _colon, password = account.partition(":")
    master, _slash, database = parts.path.strip("/").partition("/")
    found = tuple(_read_host(each) for each in hosts.split(",") if each)
    if parts.scheme != SENTINEL or not found or not master:
        raise ValueError("no sentinels, or no master's name")
    return SentinelAddress(found, master, int(database or 0), unquote(user) or None, unquote(password) or None)


def _read_host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a sentinel has no host")
    return parts.hostname, parts.port or _PORT


def make_redis_pool(url: str, **options: Any) -> ConnectionPool:
    """Return a pool of connections; the options are those of `Redis.from_url`."""
    if not is_sentinel(url):
        return ConnectionPool.from_url(url, **options)
    address = read_sentinels(url)
    patience = {name: options[name] for name in _PATIENCE if name in options}
    sentinels = Sentinel(list(address.hosts), sentinel_kwargs=patience)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        address.master,
        sentinels,
        db=address.database,
        username=address.username,
        password=address.password,
        **options,
    )


def connect_redis(url: str, **options: Any) -> Redis:
    """Return a client with a pool of its own; the options are those of `Redis.from_url`."""
    return Redis(connection_pool=make_redis_pool(url, **options))
