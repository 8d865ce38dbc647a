"""How often pages came from the cache, for monitoring: counted in the process, and added up in Redis now and then."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, Metric
from redis.exceptions import RedisError

from mitxonline.kernel.versions import is_redis_paused, redis_client

_EVERY = 5.0  # seconds

_counts: Counter[str] = Counter()
_lock = threading.Lock()
_next = 0.0


def count(outcome: str) -> None:
    """Count one answer: `hit`, `drawn`, `waited` for another's, `personal`, `unkept`, which can't be shared, or
    `refused`, because the database is away.
    """
    global _next
    with _lock:
        _counts[outcome] += 1
        if time.monotonic() < _next:
            return
        _next = time.monotonic() + _EVERY
        taken = dict(_counts)
        _counts.clear()
    _add_up(taken)


def _add_up(taken: dict[str, int]) -> None:
    if is_redis_paused():
        return
    try:
        with redis_client(settings.REDIS_URL, settings.VERSIONS_PATIENCE_SECONDS).pipeline(transaction=False) as pipe:
            for outcome, number in taken.items():
                pipe.hincrby(_key(), outcome, number)
            pipe.execute()
    except (RedisError, OSError):
        return  # figures, which may be lost


def collect_shared_pages() -> Iterator[Metric]:
    """`tessera_shared_pages_total` by outcome. Raises RedisError."""
    family = CounterMetricFamily(
        "tessera_shared_pages", "Answers at addresses of shared pages, by where they came from", labels=["outcome"]
    )
    found = redis_client(settings.REDIS_URL, settings.VERSIONS_PATIENCE_SECONDS).hgetall(_key())
    for outcome, number in sorted(found.items()):
        family.add_metric([str(outcome)], int(number))
    yield family


def _key() -> str:
    return f"{settings.METRICS_KEY}:shared_pages"
