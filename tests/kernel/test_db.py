import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import ProgrammingError

from mitxonline.kernel.db import (
    LockableQuerySet,
    LockTaken,
    fetch_sql,
    in_transaction,
    lock_number,
    named_lock,
    run_sql,
    transaction_lock,
)
from mitxonline.users.models import User
from tests.support.together import Together


@pytest.fixture
def other_session(transactional_db: None) -> Iterator["psycopg.Connection[Any]"]:
    """Another connection to the same database."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.autocommit = True
        yield other


def is_free(session: "psycopg.Connection[Any]", namespace: str, key: int | str) -> bool:
    """Return whether another session could take the lock now."""
    number = lock_number(namespace, key)
    row = session.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone()
    if row == (True,):
        session.execute("SELECT pg_advisory_unlock(%s)", [number])
    return row == (True,)


def test_a_named_lock_keeps_other_sessions_out(other_session: "psycopg.Connection[Any]") -> None:
    with named_lock("contract", 7):
        assert not is_free(other_session, "contract", 7)
        assert is_free(other_session, "contract", 8)
        assert is_free(other_session, "course", 7)
    assert is_free(other_session, "contract", 7)


def test_a_named_lock_outlives_transactions_within(other_session: "psycopg.Connection[Any]") -> None:
    with named_lock("contract", 7):
        with transaction.atomic():
            User.objects.create_user("ada@example.org")
        assert not is_free(other_session, "contract", 7)


def test_a_named_lock_is_given_back_after_an_error(other_session: "psycopg.Connection[Any]") -> None:
    with pytest.raises(ProgrammingError), named_lock("contract", 7):
        run_sql("SELECT nothing FROM nowhere")
    assert is_free(other_session, "contract", 7)


@pytest.mark.django_db(transaction=True)
def test_a_taken_lock_can_be_refused_instead_of_waited_for(together: Together) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold() -> str:
        with named_lock("contract", 7):
            holding.set()
            assert done.wait(20)
        return "held"

    def ask() -> str:
        assert holding.wait(20)
        try:
            with named_lock("contract", 7, wait=False):
                return "got it"
        except LockTaken as refusal:
            return refusal.code
        finally:
            done.set()

    assert together(hold, ask) == ["held", "busy"]


@pytest.mark.django_db(transaction=True)
def test_a_lock_lets_one_in_after_the_other(together: Together) -> None:
    inside: list[str] = []
    seen: list[int] = []

    def work() -> None:
        with named_lock("contract", 7):
            inside.append("x")
            seen.append(len(inside))
            fetch_sql("SELECT pg_sleep(0.01)")
            inside.pop()

    together(*[work] * 6)
    assert seen == [1] * 6


@pytest.mark.django_db(transaction=True)
def test_a_named_lock_is_refused_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside a transaction"), named_lock("x", 1):
        raise AssertionError("never entered")


@pytest.mark.django_db
def test_a_test_cases_own_transaction_does_not_count() -> None:
    assert connection.in_atomic_block
    assert not in_transaction()
    with named_lock("contract", 7), transaction.atomic():
        assert in_transaction()


@pytest.mark.django_db(transaction=True)
def test_losing_the_session_does_not_hide_the_error() -> None:
    def lose_it() -> None:
        with named_lock("contract", 7):
            connection.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose_it()


def test_a_transaction_lock_ends_with_its_transaction(other_session: "psycopg.Connection[Any]") -> None:
    with transaction.atomic():
        transaction_lock("order numbers", "2026")
        assert not is_free(other_session, "order numbers", "2026")
    assert is_free(other_session, "order numbers", "2026")


@pytest.mark.django_db(transaction=True)
def test_a_transaction_lock_needs_a_transaction() -> None:
    with pytest.raises(TransactionManagementError):
        transaction_lock("order numbers", "2026")


def test_lock_numbers_are_the_same_in_every_release() -> None:
    assert lock_number("contract", 7) == lock_number("contract", "7") == 9031455028457169511
    numbers = {lock_number(name, key) for name in ("a", "b", "ab") for key in range(50)}
    assert len(numbers) == 150
    assert all(-(2**63) <= number < 2**63 for number in numbers)


@pytest.mark.django_db
def test_rows_are_locked_in_order_and_without_their_key(django_assert_num_queries: Callable[..., Any]) -> None:
    people: LockableQuerySet[User] = LockableQuerySet(User)
    with transaction.atomic(), django_assert_num_queries(1) as queries:
        list(people.locked())
    sql = queries.captured_queries[0]["sql"]
    assert 'ORDER BY "users_user"."id" ASC FOR NO KEY UPDATE OF "users_user"' in sql


@pytest.mark.django_db
def test_sql_in_one_line() -> None:
    User.objects.create_user("ada@example.org")
    assert run_sql("UPDATE users_user SET name = %s", ["Ada"]) == 1
    assert fetch_sql("SELECT name FROM users_user WHERE email = %(email)s", {"email": "ada@example.org"}) == [("Ada",)]
