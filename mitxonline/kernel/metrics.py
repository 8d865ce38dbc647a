"""Durations of calls and jobs, counted across processes and machines in Redis, for Prometheus to read.

One short command per observation, after what it is about. Without Redis nothing is counted, and nothing waits: after a
failure the process leaves Redis alone for a while.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from mitxonline.kernel.redis import connect_redis

logger = logging.getLogger(__name__)

BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds
_PAUSE = 30.0
_SEPARATOR = "\x1f"

_away_until = 0.0


@dataclass(frozen=True, slots=True)
class Durations:
    """How many took at most so long, for each bucket and infinity, and how long all took together."""

    labels: tuple[str, ...]
    buckets: list[tuple[str, int]]
    seconds: float


def observe_call(service: str, outcome: str, seconds: float) -> None:
    """Count a call to another system: `stripe`, `keycloak`, `openedx-lms`; `ok`, `refused`, `failed`, `silent`."""
    observe("calls", (service, outcome), seconds)


def observe(name: str, labels: tuple[str, ...], seconds: float) -> None:
    """Count a duration. Never raises, and never waits for more than a fraction of a second."""
    global _away_until
    if time.monotonic() < _away_until:
        return
    bucket = next((f"{edge:g}" for edge in BUCKETS if seconds <= edge), "+Inf")
    field = _SEPARATOR.join(labels)
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipe:
            pipe.hincrby(_key(name), f"{field}{_SEPARATOR}{bucket}", 1)
            pipe.hincrbyfloat(_key(name), f"{field}{_SEPARATOR}sum", seconds)
            pipe.execute()
    except (RedisError, OSError) as error:
        _away_until = time.monotonic() + _PAUSE
        logger.warning("durations aren't counted for a while", extra={"error": type(error).__name__})


def read_durations(name: str) -> Iterator[Durations]:
    """Return what all processes counted. Raises RedisError."""
    numbers: dict[tuple[str, ...], dict[str, float]] = {}
    for field, value in _client(settings.REDIS_URL).hgetall(_key(name)).items():
        *labels, part = str(field).split(_SEPARATOR)
        numbers.setdefault(tuple(labels), {})[part] = float(value)
    for known, parts in sorted(numbers.items()):
        total, buckets = 0, []
        for edge in (*(f"{each:g}" for each in BUCKETS), "+Inf"):
            total += int(parts.get(edge, 0))
            buckets.append((edge, total))
        yield Durations(known, buckets, parts.get("sum", 0.0))


def _key(name: str) -> str:
    return f"{settings.METRICS_KEY}:{name}"


@cache
def _client(url: str) -> Redis:
    return connect_redis(url, socket_connect_timeout=0.2, socket_timeout=0.2, decode_responses=True)
