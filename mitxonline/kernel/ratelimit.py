"""Limits on how often something may happen: wrong passwords, wrong codes, e-mails asked for, payments begun.

The caller decides what counts: for passwords and codes only the wrong ones, so that people who get it right are never
limited. Counters live in the shared cache, hold across processes and expire by themselves. A window starts with
the first count and later ones don't extend it. `RATE_LIMITS` has the numbers:

    RATE_LIMITS = {"codes": {"user": (10, 600), "session": (10, 600), "address": (200, 600)}}

allows ten in 600 seconds for one user or one session, and two hundred for one address.

Without the cache nothing is limited and the log says so. Guessing a code of 122 random bits or a sound password for
the minutes of an outage gains nothing, while refusing would close the shop to everyone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.http import client_address

logger = logging.getLogger(__name__)

Keys = Mapping[str, int | str | None]

# What an unreachable or hanging cache raises. Other errors are bugs and propagate.
_CACHE_AWAY = (RedisError, OSError)


@dataclass(frozen=True, slots=True)
class _Counter:
    name: str
    limit: int
    window: int

    @property
    def until(self) -> str:
        return f"{self.name}:until"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit by its name in `RATE_LIMITS`.

    Keys say for what is counted (`user`, `session`, `address`). One whose value is None is left out.
    """

    name: str

    def check(self, keys: Keys, *, retry_url: str | None = None) -> None:
        """Raise RateLimited with the seconds left if a key has reached its limit.

        `retry_url` is the page that shows the refusal.
        """
        counters = list(self._counters(keys))
        try:
            found = cache.get_many([name for each in counters for name in (each.name, each.until)])
        except _CACHE_AWAY as error:
            _log_cache_away(self.name, error)
            return
        full = [each for each in counters if found.get(each.name, 0) >= each.limit]
        if full:
            ends, limit = max((float(found.get(each.until, 0)), each.limit) for each in full)
            raise RateLimited(retry_after=max(1, round(ends - time.time())), limit=limit, retry_url=retry_url)

    def count(self, keys: Keys) -> None:
        """Count one for each key."""
        try:
            for counter in self._counters(keys):
                _increment(counter)
        except _CACHE_AWAY as error:
            _log_cache_away(self.name, error)

    def check_and_count(self, keys: Keys, *, retry_url: str | None = None) -> None:
        """Count one for each key, or raise RateLimited and count nothing."""
        self.check(keys, retry_url=retry_url)
        self.count(keys)

    def forget(self, keys: Keys) -> None:
        """Reset these keys: the right password came after some wrong ones."""
        try:
            cache.delete_many([name for each in self._counters(keys) for name in (each.name, each.until)])
        except _CACHE_AWAY as error:
            _log_cache_away(self.name, error)

    def _counters(self, keys: Keys) -> Iterator[_Counter]:
        limits: Mapping[str, tuple[int, int]] = settings.RATE_LIMITS[self.name]
        for kind, value in keys.items():
            limit, window = limits[kind]
            if value is not None and value != "":
                # Hashed, so that e-mail and network addresses don't show up in a list of cache keys.
                digest = sha256(f"{kind}:{value}".encode()).hexdigest()[:32]
                yield _Counter(f"limit:{self.name}:{digest}", limit, window)


def visitor_keys(request: HttpRequest) -> dict[str, int | str | None]:
    """Return the keys of a request: the signed-in user, the session, the network it came from."""
    return {
        "user": request.user.pk if request.user.is_authenticated else None,
        "session": request.session.session_key,
        "address": network_of(client_address(request)),
    }


def network_of(address: str) -> str:
    """Return the network to limit: the whole /64 of an IPv6 address, since a customer can choose any in it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network(f"{parsed}/64", strict=False))
    return str(parsed)


def _increment(counter: _Counter) -> None:
    for _attempt in range(2):
        # Only the first count of a window sets its end, because `add` writes nothing to an existing key.
        if cache.add(counter.name, 0, counter.window):
            cache.set(counter.until, time.time() + counter.window, counter.window)
        try:
            cache.incr(counter.name)
        except ValueError:  # The window expired between the two calls: begin the next one.
            continue
        return


def _log_cache_away(name: str, error: Exception) -> None:
    logger.warning("cache away: nothing is limited", extra={"limit": name, "error": type(error).__name__})
