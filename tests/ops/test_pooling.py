"""Behind a real pgbouncer with transaction pooling: locks hold, and long results are read whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from b2b.services.contracts.reconcile import run_reconcile
from ecommerce.models import DiscountCode
from mitxonline.kernel.db import LockTaken, fetch_sql, named_lock, transaction_lock
from mitxonline.users.models import User
from tests.b2b.worlds import make_source_course, publish_contract
from tests.support.pooler import SESSIONS, transaction_pooling
from tests.support.together import Together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("pgbouncer")]

Params = dict[str, Any]


@pytest.fixture
def pooled(transactional_db: None) -> Iterator[Params]:
    with transaction_pooling() as params:
        yield params


def count_advisory_locks() -> int:
    (count,) = fetch_sql(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )[0]
    return int(count)


def test_a_sessions_lock_would_be_left_behind(pooled: Params) -> None:
    """The control: what this pooler does to the locks we don't use."""
    with psycopg.connect(**pooled, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(7)")
        answers = [session.execute("SELECT pg_advisory_unlock(7)").fetchone() for _each in range(SESSIONS)]
        assert (False,) in answers


def test_a_named_lock_holds_over_several_transactions_and_ends(pooled: Params, together: Together) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold() -> str:
        with named_lock("contract", 7):
            for _each in range(3 * SESSIONS):
                with transaction.atomic():
                    User.objects.count()
            holding.set()
            assert done.wait(20)
        return "held"

    def ask() -> str:
        assert holding.wait(20)
        try:
            with named_lock("contract", 7, wait=False):
                return "got it"
        except LockTaken:
            return "busy"
        finally:
            done.set()

    assert together(hold, ask) == ["held", "busy"]
    assert count_advisory_locks() == 0
    with named_lock("contract", 7, wait=False), named_lock("contract", 7):
        assert count_advisory_locks() == 1
    assert count_advisory_locks() == 0


def test_a_transaction_lock_ends_with_its_transaction(pooled: Params) -> None:
    for _each in range(SESSIONS):
        with transaction.atomic():
            transaction_lock("order numbers", "2026")
            assert count_advisory_locks() == 1
        assert count_advisory_locks() == 0


def test_long_results_are_read_whole_between_other_queries(pooled: Params) -> None:
    User.objects.bulk_create([User(email=f"{n}@example.org") for n in range(250)])
    seen = 0
    for _person in User.objects.order_by("pk").iterator(chunk_size=100):
        seen += 1
        if seen % 50 == 0:
            fetch_sql("SELECT 1")
    assert seen == 250
    assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_a_contract_is_brought_in_line_and_leaves_no_lock(pooled: Params) -> None:
    page = publish_contract(make_source_course(), cap=20, name="Pooled")
    for _each in range(3):
        run_reconcile(contract_id=page.pk, now=timezone.now())
    assert DiscountCode.objects.filter(active=True).count() == 20
    assert count_advisory_locks() == 0


def test_every_transaction_has_the_sites_time_zone(pooled: Params) -> None:
    zones = {fetch_sql("SELECT current_setting('TimeZone')")[0][0] for _each in range(3 * SESSIONS)}
    assert zones == {"UTC"}


def test_without_a_pooler_long_results_are_streamed(transactional_db: None) -> None:
    User.objects.count()
    assert not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")


def test_no_session_compiles_statements(transactional_db: None) -> None:
    assert fetch_sql("SELECT current_setting('jit')") == [("off",)]
