"""The cache of shared pages, on a real Redis and with keys of its own for each test."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from mitxonline.kernel import versions
from mitxonline.shared import entries


class Visit(Protocol):
    def __call__(self, path: str, **headers: str) -> Any: ...


@pytest.fixture
def shared_pages(transactional_db: None, settings: Settings) -> Iterator[Settings]:
    settings.SHARED_PAGES = True
    settings.SHARED_PAGES_LISTEN = False
    settings.VERSIONS_KEY = f"test-{uuid4().hex}"
    forget_process()
    yield settings
    forget_process()


def forget_process() -> None:
    """What another process wouldn't know."""
    entries.recent.clear()
    versions._moments.clear()
    versions._paused_until = versions._away_until = 0.0
    versions._seen = None
    versions._state.unsettled = None


@pytest.fixture
def visit(shared_pages: Settings) -> Visit:
    """A first visit: no cookies."""

    def get(path: str, **headers: str) -> Any:
        return Client().get(path, headers=headers or None)

    return get


@pytest.fixture
def count_queries() -> Callable[[Callable[[], Any]], int]:
    def count(call: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as found:
            call()
        return len(found)

    return count
