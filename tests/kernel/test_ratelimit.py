import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.cache import cache
from django.test import RequestFactory, override_settings

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.ratelimit import RateLimit, network_of, visitor_keys
from mitxonline.users.models import User
from tests.support.together import Together

LIMITS = {"codes": {"user": (3, 600), "session": (3, 600), "address": (8, 60)}}
codes = RateLimit("codes")


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    with override_settings(RATE_LIMITS=LIMITS):
        yield


@pytest.fixture
def shared_cache() -> Iterator[None]:
    """The product's Redis cache instead of the tests' local one, under keys only this test uses."""
    redis = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": settings.REDIS_URL,
        "KEY_PREFIX": uuid4().hex,
    }
    with override_settings(CACHES={"default": redis}):
        yield
        for key in _redis_keys():
            _client().delete(key)


def fail(times: int, **keys: int | str | None) -> None:
    for _time in range(times):
        codes.count(keys)


def test_nothing_is_limited_before_the_last_failure() -> None:
    fail(2, user=1)
    codes.check({"user": 1})
    fail(1, user=1)
    with pytest.raises(RateLimited) as refused:
        codes.check({"user": 1})
    assert 595 <= refused.value.retry_after <= 600


def test_each_key_has_its_own_count() -> None:
    fail(3, user=1, session="a", address="192.0.2.1")
    codes.check({"user": 2, "session": "b", "address": "192.0.2.1"})
    for key in ({"user": 1}, {"session": "a"}):
        with pytest.raises(RateLimited):
            codes.check(key)


def test_an_address_bears_more_but_not_everything() -> None:
    for visitor in range(8):
        fail(1, session=f"s{visitor}", address="192.0.2.1")
    with pytest.raises(RateLimited) as refused:
        codes.check({"session": "new", "address": "192.0.2.1"})
    assert refused.value.retry_after <= 60


def test_the_longest_wait_is_reported() -> None:
    fail(8, user=1, address="192.0.2.1")
    with pytest.raises(RateLimited) as refused:
        codes.check({"user": 1, "address": "192.0.2.1"})
    assert refused.value.retry_after > 60


def test_a_missing_key_is_left_out() -> None:
    fail(5, user=None, session="")
    codes.check({"user": None, "session": ""})


def test_success_can_start_over() -> None:
    fail(3, user=1, session="a")
    codes.forget({"user": 1})
    codes.check({"user": 1})
    with pytest.raises(RateLimited):
        codes.check({"session": "a"})


def test_the_refusal_knows_where_it_is_shown() -> None:
    fail(3, user=1)
    with pytest.raises(RateLimited) as refused:
        codes.check({"user": 1}, retry_url="/cart/")
    assert refused.value.retry_url == "/cart/"


def test_a_kind_of_key_without_a_limit_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        codes.check({"planet": "earth"})


@pytest.mark.usefixtures("shared_cache")
def test_counts_are_shared_between_processes(together: Together) -> None:
    together(*[lambda: fail(2, address="192.0.2.1")] * 4)
    with pytest.raises(RateLimited):
        codes.check({"address": "192.0.2.1"})
    codes.check({"address": "192.0.2.2"})


@pytest.mark.usefixtures("shared_cache")
def test_a_window_is_not_prolonged_by_later_failures() -> None:
    fail(1, user=1)
    (key,) = [key for key in _redis_keys() if not key.endswith("until")]
    before = _ttl(key)
    fail(2, user=1)
    assert _ttl(key) <= before


@pytest.mark.usefixtures("shared_cache")
def test_no_key_tells_who_was_counted() -> None:
    fail(1, session="secret-session-key", address="192.0.2.77")
    assert _redis_keys()
    assert not [key for key in _redis_keys() if "secret" in key or "192.0" in key]


@override_settings(
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.2},
        }
    }
)
def test_without_a_cache_nothing_is_limited_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mitxonline.kernel.ratelimit"):
        fail(5, user=1)
        codes.check({"user": 1})
        codes.forget({"user": 1})
    assert {record.message for record in caplog.records} == {"cache away: nothing is limited"}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_customer_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_visitor_is_user_session_and_network(rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR="192.0.2.1")
    request.session = SessionStore("some-session-key")
    request.user = AnonymousUser()
    assert visitor_keys(request) == {"user": None, "session": "some-session-key", "address": "192.0.2.1"}
    request.user = User(pk=5)
    assert visitor_keys(request)["user"] == 5


def _client() -> Any:
    return cache._cache.get_client()  # type: ignore[attr-defined]


def _redis_keys() -> list[str]:
    return [key.decode() for key in _client().keys(f"{cache.key_prefix}:*")]


def _ttl(key: str) -> int:
    left: int = _client().ttl(key)
    return left
