"""Exact counts of a view's SQL statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

# A test runs inside a transaction of its own, so that the view's transaction is a savepoint there.
TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


@contextmanager
def queries(exactly: int) -> Iterator[None]:
    """Fail unless exactly this many statements are sent, not counting transaction control."""
    with CaptureQueriesContext(connection) as captured:
        yield
    asked = [each["sql"] for each in captured.captured_queries if not each["sql"].startswith(TRANSACTION_CONTROL)]
    if len(asked) != exactly:
        numbered = "\n".join(f"{number}. {sql[:300]}" for number, sql in enumerate(asked, start=1))
        pytest.fail(f"{len(asked)} queries instead of {exactly}:\n{numbered}", pytrace=False)
