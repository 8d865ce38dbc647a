"""The test harness itself: the restored database, and races that are races."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from wagtail.models import Locale, Page

from tests.factories import make_user
from tests.support.together import MeetAt, Together


def _make_session(key: str) -> Callable[[], str]:
    def make() -> str:
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now())
        return key

    return make


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("turns")  # one after the other in one process
@pytest.mark.parametrize("turn", [1, 2])
def test_a_transactional_test_finds_what_migrations_made_and_nothing_else(turn: int) -> None:
    assert Page.objects.filter(depth=1).exists()
    assert Locale.objects.get().language_code == "en"
    assert Session.objects.count() == 0
    if turn == 2:
        assert make_user().pk == 1, "sequences begin again after a transactional test"
    Session.objects.create(session_key=f"turn {turn}", session_data="", expire_date=timezone.now())
    Page.objects.all().delete()
    Locale.objects.update(language_code="de")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_a_transactional_test_may_change_the_structure(turn: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session ADD note text; DROP TABLE django_admin_log")


def test_calls_run_together_have_connections_of_their_own(together: Together) -> None:
    def backend() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    assert len(set(together(*[backend] * 16))) == 16


def test_results_and_exceptions_come_back_in_order(together: Together) -> None:
    first, second, third = together(_make_session("a"), lambda: 1 // 0, _make_session("b"))
    assert (first, third) == ("a", "b")
    assert isinstance(second, ZeroDivisionError)
    assert Session.objects.count() == 2


def test_readers_who_meet_have_all_seen_the_old_state(together: Together, meet_at: MeetAt) -> None:
    reads = SimpleNamespace(count=Session.objects.count)
    meeting = meet_at(reads, "count", parties=2)

    def add(key: str) -> Callable[[], int]:
        def read_then_write() -> int:
            seen = int(reads.count())
            _make_session(key)()
            return seen

        return read_then_write

    assert together(add("a"), add("b")) == [0, 0]
    assert meeting.happened


def test_a_caller_nobody_joins_continues_alone(meet_at: MeetAt) -> None:
    reads = SimpleNamespace(count=lambda: 7)
    meeting = meet_at(reads, "count", parties=2, patience=0.01)
    assert reads.count() == 7
    assert not meeting.happened


def test_the_time_limit_leaves_out_what_fixtures_build(pytestconfig: pytest.Config) -> None:
    # Migrating the template takes longer than any test may; pytest-timeout's markers inherit the setting.
    assert pytestconfig.getini("timeout_func_only") is True
