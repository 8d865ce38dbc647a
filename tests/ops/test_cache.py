"""Pages keep working without the cache."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache.backends.redis import RedisCacheClient

from dev.embedded.address import free_port
from mitxonline import cache as cache_module
from mitxonline.cache import ForgivingRedisCache


def cache_at(url: str) -> ForgivingRedisCache:
    options = {"socket_connect_timeout": 1, "socket_timeout": 1}
    return ForgivingRedisCache(url, {"KEY_PREFIX": f"test-{uuid4().hex}", "OPTIONS": options})


@pytest.fixture
def cache() -> Iterator[ForgivingRedisCache]:
    cache = cache_at(settings.REDIS_URL)
    yield cache
    cache.delete_many(["a", "b", "count"])


@pytest.fixture
def absent() -> ForgivingRedisCache:
    return cache_at(f"redis://127.0.0.1:{free_port()}/0")


def test_with_redis_it_is_a_cache_like_any_other(cache: ForgivingRedisCache) -> None:
    assert cache.works()
    assert cache.add("a", 1)
    assert not cache.add("a", 2)
    cache.set_many({"b": "x", "count": 1})
    assert cache.incr("count") == 2
    assert cache.get_many(["a", "b", "none"]) == {"a": 1, "b": "x"}
    assert cache.touch("a")
    assert cache.has_key("a")
    assert cache.delete("a")
    assert cache.get("a", "gone") == "gone"


def test_without_redis_nothing_is_found_and_nothing_fails(absent: ForgivingRedisCache) -> None:
    absent.set("a", 1)
    absent.set_many({"a": 1})
    absent.delete_many(["a"])
    absent.clear()
    assert not any([absent.add("a", 1), absent.touch("a"), absent.delete("a"), absent.has_key("a")])
    assert absent.get("a", "default") == "default"
    assert absent.get_many(["a"]) == {}
    assert absent.get_or_set("a", lambda: "made") == "made"
    assert not absent.works()
    with pytest.raises(ValueError, match="away"):
        absent.incr("a")


def test_after_a_failure_redis_is_left_alone_for_a_while(
    cache: ForgivingRedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a", 1)
    moment = [1000.0]
    monkeypatch.setattr(cache_module, "monotonic", lambda: moment[0])
    with monkeypatch.context() as patch:
        patch.setattr(RedisCacheClient, "get_client", _refuse)
        assert cache.get("a") is None
    assert cache.get("a") is None, "not asked again yet"
    moment[0] += cache_module.PAUSE
    assert cache.get("a") == 1


def _refuse(*_: Any, **__: Any) -> None:
    raise ConnectionRefusedError
