"""Row locks, advisory locks, and helpers for raw SQL.

`LockableQuerySet.locked()` locks rows in primary key order, so that two transactions can't wait for each other. Where
no row represents what may only be done once at a time, there are advisory locks: `named_lock` for work with several
commits, `transaction_lock` inside one transaction.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self, TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic, TransactionManagementError
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)
_local = threading.local()

M_co = TypeVar("M_co", bound=models.Model, covariant=True)
Params = Sequence[Any] | Mapping[str, Any]


class LockTaken(DomainError):
    code = "busy"
    message = _("This is already being worked on.")
    advice = _("Try again shortly.")


class LockableQuerySet(models.QuerySet[M_co]):
    def locked(self) -> Self:
        """Lock these rows, but no joined ones, in primary key order."""
        # `no_key` lets other transactions insert rows that refer to a locked one.
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


@contextmanager
def limit_statements() -> Iterator[None]:
    """Have the database cut off statements that take longer than `STATEMENT_SECONDS`, in a transaction of their own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{settings.STATEMENT_SECONDS}s"])
        yield


@contextmanager
def limit_waiting(seconds: float) -> Iterator[None]:
    """Cut the connection, which raises an Error in the block, whenever it takes longer: the server itself may hang."""
    watched, is_over = connections[DEFAULT_DB_ALIAS], threading.Event()

    def cut() -> None:
        while not is_over.wait(seconds):
            if (held := watched.connection) is None or held.closed:
                continue  # Connecting has a limit of its own.
            try:
                # A copy of the socket, because the block's thread may close its own at this moment.
                with socket.socket(fileno=os.dup(held.fileno())) as channel:
                    channel.shutdown(socket.SHUT_RDWR)
            except (OSError, Error):
                continue

    watcher = threading.Thread(target=cut, name="limit of waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


@contextmanager
def named_lock(namespace: str, key: int | str, *, wait: bool = True) -> Iterator[None]:
    """Do something once at a time in the whole system, over several transactions.

    A transaction on a connection of its own holds the lock: a session's lock would be lost or left behind where a
    pooler gives each transaction another session. So it ends with the process at the latest. The same thread can take
    it twice. Raises LockTaken if it is taken and `wait` is false, and RuntimeError inside a transaction.
    """
    if in_transaction():
        # The lock would be released before the commit, and the next holder wouldn't see what was done.
        raise RuntimeError("A named lock is taken outside a transaction; inside one use transaction_lock")
    number = lock_number(namespace, key)
    if number in _thread_locks():
        yield
        return
    holder = connection.copy()
    try:
        holder.connect()
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
            cursor.execute(f"SELECT {function}(%s)", [number])
            if not wait and cursor.fetchone() != (True,):
                raise LockTaken
        _thread_locks().add(number)
        try:
            yield
        finally:
            _thread_locks().discard(number)
            _release(holder, namespace)
    finally:
        holder.close()


def transaction_lock(namespace: str, key: int | str) -> None:
    """Wait for the lock and keep it until this transaction ends. Raises TransactionManagementError outside of one."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("transaction_lock needs a transaction, which releases the lock at its end")
    run_sql("SELECT pg_advisory_xact_lock(%s)", [lock_number(namespace, key)])


def all_or_nothing() -> Atomic:
    """Open a transaction, or join the caller's without a savepoint.

    For services that call each other and let refusals propagate to the outermost one, which undoes everything. To
    catch an error and continue, use `transaction.atomic`.
    """
    return transaction.atomic(savepoint=not in_transaction())


@contextmanager
def read_snapshot() -> Iterator[datetime]:
    """Read in the block what is stored at one moment, which is yielded, whatever others write meanwhile.

    Nothing can be written in it. Raises RuntimeError inside a transaction, which would see what others committed.
    """
    if in_transaction():
        raise RuntimeError("A snapshot is a transaction of its own")
    with transaction.atomic():
        if len(connection.atomic_blocks) == 1:  # one that a test case wraps around it has begun too early
            run_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        ((moment,),) = fetch_sql("SELECT now()")
        yield moment


def in_transaction() -> bool:
    """Whether the code itself opened a transaction. One that a test case wraps around it doesn't count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def lock_number(namespace: str, key: int | str) -> int:
    """Return the 64-bit number of the lock, the same in every process and release."""
    digest = blake2b(f"{namespace}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def prepare_session(*, connection: Any, **_kwargs: Any) -> None:
    """Set up a new session; where a pooler gives each transaction another one, use nothing that belongs to a session.

    Compiling (PostgreSQL's JIT) costs our statements more than it saves. It can't be switched off by a parameter of
    the connection, which poolers refuse. Receives `connection_created`.
    """
    session = connection.connection
    # A pooler hands out process ids of its own, so the session's real one tells it.
    pid, _jit = session.execute("SELECT pg_backend_pid(), set_config('jit', 'off', false)").fetchone()
    if pid != session.info.backend_pid:
        connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True


def run_sql(sql: str, params: Params = ()) -> int:
    """Run one statement and return how many rows it wrote or found."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        count: int = cursor.rowcount
        return count


def fetch_sql(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def count_together(querysets: Sequence[models.QuerySet[Any]]) -> list[int]:
    """Count the rows of each queryset, all in one query; none for an empty list."""
    counts = [0] * len(querysets)
    parts: list[str] = []
    params: list[Any] = []
    for position, queryset in enumerate(querysets):
        try:
            sql, its_params = queryset.order_by().values("pk").query.sql_with_params()
        except EmptyResultSet:  # A queryset that can't have rows, such as `none()`, has no SQL.
            continue
        parts.append(f"SELECT {position}, count(*) FROM ({sql}) AS rows{position}")  # noqa: S608  # Django's own SQL
        params += its_params
    if parts:
        for position, count in fetch_sql(" UNION ALL ".join(parts), params):
            counts[position] = count
    return counts


def _thread_locks() -> set[int]:
    """The named locks of this thread."""
    numbers: set[int] = _local.__dict__.setdefault("numbers", set())
    return numbers


def _release(holder: BaseDatabaseWrapper, namespace: str) -> None:
    # Never hides an error that is propagating. The server notices a closed connection a moment later only, so the
    # transaction is ended first.
    try:
        holder.rollback()
    except DatabaseError:
        logger.error("named lock was lost while it was held", extra={"namespace": namespace})
