"""Limits on failures: wrong passwords, wrong codes. Who gets it right is never counted.

The counters live in the shared cache, so they hold across processes, and are written by atomic increments
that expire by themselves. A window starts with the first failure and is not prolonged by later ones.
Numbers are in `RATE_LIMITS`:

    RATE_LIMITS = {"codes": {"user": (10, 600), "session": (10, 600), "address": (200, 600)}}

reads: ten failures in 600 seconds for one user or one session, two hundred for one address.

When the cache is away nothing is limited, and a line in the log says so: guessing a code of 122 random bits
or a sound password for the minutes of an outage gains nothing, while refusing would close the shop to
everyone.
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

# What a cache that is away or hung raises, in the drivers in use; a wrong use of it is not forgiven.
_CACHE_AWAY = (RedisError, OSError)


@dataclass(frozen=True, slots=True)
class _Counter:
    name: str
    most: int
    window: int

    @property
    def until(self) -> str:
        return f"{self.name}:until"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The limits of one kind of failure, by their name in `RATE_LIMITS`."""

    name: str

    def check(self, keys: Keys, *, retry_url: str | None = None) -> None:
        """Raise RateLimited, with the seconds left, if any of the keys has used up its failures.

        Keys are what can be limited separately (`user`, `session`, `address`); one whose value is None is
        left out. `retry_url` is the page the refusal is shown on.
        """
        counters = list(self._counters(keys))
        try:
            found = cache.get_many([name for each in counters for name in (each.name, each.until)])
        except _CACHE_AWAY as error:
            _log_away(self.name, error)
            return
        full = [each for each in counters if found.get(each.name, 0) >= each.most]
        if full:
            ends = max(float(found.get(each.until, 0)) for each in full)
            refusal = RateLimited(max(1, round(ends - time.time())))
            refusal.retry_url = retry_url
            raise refusal

    def count(self, keys: Keys) -> None:
        """Count one failure for each key."""
        try:
            for counter in self._counters(keys):
                _increment(counter)
        except _CACHE_AWAY as error:
            _log_away(self.name, error)

    def forget(self, keys: Keys) -> None:
        """Start over for these keys: the right password was given after some wrong ones."""
        try:
            cache.delete_many([name for each in self._counters(keys) for name in (each.name, each.until)])
        except _CACHE_AWAY as error:
            _log_away(self.name, error)

    def _counters(self, keys: Keys) -> Iterator[_Counter]:
        limits: Mapping[str, tuple[int, int]] = settings.RATE_LIMITS[self.name]
        for kind, value in keys.items():
            most, window = limits[kind]
            if value is not None and value != "":
                # Hashed, because addresses and e-mails have no business in a cache's key list.
                digest = sha256(f"{kind}:{value}".encode()).hexdigest()[:32]
                yield _Counter(f"limit:{self.name}:{digest}", most, window)


def visitor_keys(request: HttpRequest) -> dict[str, int | str | None]:
    """Who a failure is counted for: the signed-in user, the session, the network the request came from."""
    return {
        "user": request.user.pk if request.user.is_authenticated else None,
        "session": request.session.session_key,
        "address": network_of(client_address(request)),
    }


def network_of(address: str) -> str:
    """The address as it is limited: an IPv6 customer has a whole /64 to choose from, and counts as one."""
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
    """Add one; the first failure of a window sets its end, and a window that ends in between starts anew."""
    for _attempt in range(2):
        if cache.add(counter.name, 0, counter.window):
            cache.set(counter.until, time.time() + counter.window, counter.window)
        try:
            cache.incr(counter.name)
        except ValueError:  # expired between the two calls
            continue
        return


def _log_away(name: str, error: Exception) -> None:
    logger.warning("cache away: failures are not limited", extra={"limit": name, "error": type(error).__name__})
