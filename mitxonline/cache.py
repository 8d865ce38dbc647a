"""A Redis cache whose absence slows pages down but breaks none.

While Redis is away, reads find nothing and writes do nothing: pages work as with an empty cache, and rate limits don't
apply. After a failure this process leaves Redis alone for a few seconds, because otherwise each read of a page would
wait for its own timeout. Entries that could not be deleted in that time stay until they expire.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar, cast

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mitxonline.kernel.redis import make_redis_pool

logger = logging.getLogger(__name__)

T = TypeVar("T")
PAUSE = 5.0  # seconds


class _RedisClient(RedisCacheClient):
    """Makes its connections as all of ours are made, so that Sentinel may say which server is the master."""

    _pools: dict[int, ConnectionPool]
    _servers: list[str]
    _pool_options: dict[str, Any]

    def _get_connection_pool(self, write: bool) -> ConnectionPool:
        if not self._pools:
            self._pools[0] = make_redis_pool(self._servers[0], **self._pool_options)
        return self._pools[0]


class _Client:
    """Wraps Django's client and answers in its place while Redis is away."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        # One retry, because a pooled connection may be from before a restart of Redis.
        self._redis = _RedisClient(servers, retry=Retry(NoBackoff(), 1), **options)
        self._away_until = 0.0

    def works(self) -> bool:
        """Whether Redis answers now, even during a pause."""
        try:
            return bool(self._redis.get_client(write=True).ping())
        except (RedisError, OSError):
            return False

    def add(self, key: str, value: Any, timeout: Any) -> bool:
        return self._try(lambda: self._redis.add(key, value, timeout), otherwise=False)

    def get(self, key: str, default: Any) -> Any:
        return self._try(lambda: self._redis.get(key, default), otherwise=default)

    def set(self, key: str, value: Any, timeout: Any) -> None:
        self._try(lambda: self._redis.set(key, value, timeout), otherwise=None)

    def touch(self, key: str, timeout: Any) -> bool:
        return self._try(lambda: self._redis.touch(key, timeout), otherwise=False)

    def delete(self, key: str) -> bool:
        return self._try(lambda: self._redis.delete(key), otherwise=False)

    def get_many(self, keys: Any) -> dict[Any, Any]:
        return self._try(lambda: self._redis.get_many(keys), otherwise={})

    def has_key(self, key: str) -> bool:
        return self._try(lambda: self._redis.has_key(key), otherwise=False)

    def incr(self, key: str, delta: int) -> int:
        """Return the new count. Raises ValueError without a key to increment, like all of Django's caches."""
        count: int | None = self._try(lambda: self._redis.incr(key, delta), otherwise=None)
        if count is None:
            raise ValueError(f"Key {key!r} not found: the cache is away.")
        return count

    def set_many(self, data: Any, timeout: Any) -> None:
        self._try(lambda: self._redis.set_many(data, timeout), otherwise=None)

    def delete_many(self, keys: Any) -> None:
        self._try(lambda: self._redis.delete_many(keys), otherwise=None)

    def clear(self) -> bool:
        return self._try(self._redis.clear, otherwise=False)

    def _try(self, ask: Callable[[], T], *, otherwise: T) -> T:
        if monotonic() < self._away_until:
            return otherwise
        try:
            return ask()
        except (RedisError, OSError) as error:
            self._away_until = monotonic() + PAUSE
            logger.warning("the cache is away, pages go on without it", extra={"error": type(error).__name__})
            return otherwise


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._servers = [server]  # Django takes the commas between sentinels for those between servers
        self._class = _Client

    def works(self) -> bool:
        return cast("_Client", self._cache).works()
