"""Undoing what a test case did, for tests that go through many cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def undone() -> Iterator[None]:
    """Roll everything back afterwards, as if the test case had begun anew."""
    block: Any = transaction.atomic()
    block._from_testcase = True  # so that snapshots may be taken and gateways be called in it
    with block:
        yield
        transaction.set_rollback(True)
