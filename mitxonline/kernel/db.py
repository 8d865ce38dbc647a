"""Locks with names, and set-based SQL in one line.

Row locks come from `LockableQuerySet.locked()`, in primary key order, so that two transactions can't wait
on each other. Where no row stands for the thing that is done once at a time there are advisory locks:
`named_lock` for work that commits several times, `transaction_lock` inside one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Self, TypeVar

from django.db import connection, models, transaction
from django.db.transaction import Atomic, TransactionManagementError
from django.utils.translation import gettext_lazy as _
from psycopg.pq import TransactionStatus

from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)

M_co = TypeVar("M_co", bound=models.Model, covariant=True)
Params = Sequence[Any] | Mapping[str, Any]


class LockTaken(DomainError):
    """Someone else is doing this very thing at the moment."""

    code = "busy"
    message = _("Someone else is working on this right now.")
    advice = _("Try again shortly.")


class LockableQuerySet(models.QuerySet[M_co]):
    """Rows that are locked before they are changed."""

    def locked(self) -> Self:
        """Lock these rows, and no joined ones, in primary key order.

        `no_key` lets others insert rows that refer to a locked one: the foreign key check needs no more
        than that.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


@contextmanager
def named_lock(namespace: str, key: int | str, *, wait: bool = True) -> Iterator[None]:
    """Do something once at a time in the whole system, over several transactions.

    Held by the database session, so it ends with the process at the latest. Refused inside a transaction
    (RuntimeError): it would be given back before the commit and the next one in would not see what was
    done. Raises LockTaken when the lock is taken and `wait` is false.
    """
    if in_transaction():
        raise RuntimeError("A named lock is taken outside a transaction; inside one use transaction_lock")
    number = lock_number(namespace, key)
    if wait:
        run_sql("SELECT pg_advisory_lock(%s)", [number])
    elif not fetch_sql("SELECT pg_try_advisory_lock(%s)", [number])[0][0]:
        raise LockTaken
    try:
        yield
    finally:
        _unlock(number, namespace)


def transaction_lock(namespace: str, key: int | str) -> None:
    """Wait for the lock and keep it until this transaction ends; refused outside of one."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("transaction_lock needs a transaction: it is what gives the lock back")
    run_sql("SELECT pg_advisory_xact_lock(%s)", [lock_number(namespace, key)])


def all_or_nothing() -> Atomic:
    """A transaction, or a part of the one the caller opened, without a savepoint of its own.

    For services that call each other and whose refusals always go up to the outermost one: what an inner one did is
    undone with all the rest. Whoever means to catch an error and go on uses `transaction.atomic`.
    """
    return transaction.atomic(savepoint=not in_transaction())


def in_transaction() -> bool:
    """Whether the code itself opened a transaction; one that a test case wraps around it does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def lock_number(namespace: str, key: int | str) -> int:
    """The 64 bits PostgreSQL knows the lock by; the same in every process and release."""
    digest = blake2b(f"{namespace}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def run_sql(sql: str, params: Params = ()) -> int:
    """Run one statement; how many rows it wrote or found."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        count: int = cursor.rowcount
        return count


def fetch_sql(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run one statement and take all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _unlock(number: int, namespace: str) -> None:
    """Give a session lock back without hiding the error that may be on its way out.

    A session that is gone has given its locks back itself, and one in an aborted transaction can't run a
    statement (only within a test case's own transaction, whose end closes the matter).
    """
    session = connection.connection
    if session is None or session.closed or session.info.transaction_status == TransactionStatus.INERROR:
        logger.warning("named lock not given back by hand", extra={"namespace": namespace})
        return
    if not fetch_sql("SELECT pg_advisory_unlock(%s)", [number])[0][0]:
        logger.error("named lock was lost while it was held", extra={"namespace": namespace})
