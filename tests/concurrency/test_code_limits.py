"""An unlimited code gets a limit while people use it: never more uses than the limit."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import Any

import pytest

from ecommerce.models import CodeUse, DiscountCode
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.services.discounts import codes as code_services
from ecommerce.services.discounts.codes import CLAIM, use_code
from ecommerce.services.discounts.discounts import limit_code
from mitxonline.kernel import audit
from mitxonline.kernel.db import fetch_sql
from mitxonline.users.models import User
from tests.factories import NOON, make_code, make_user
from tests.support.together import PATIENCE, MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def using(code_id: int, user: User) -> Callable[[], Any]:
    return lambda: use_code(code=DiscountCode.objects.get(pk=code_id), user_id=user.pk, now=NOON)


def limiting(code_id: int) -> Callable[[], Any]:
    return lambda: limit_code(code_id=code_id, max_uses=4, access=OPERATOR)


def code_used_three_times() -> DiscountCode:
    code = make_code(text="SUMMER")
    for _each in range(3):
        use_code(code=code, user_id=make_user().pk, now=NOON)
    return code


def given_and_counted(code: DiscountCode) -> tuple[int, int]:
    code.refresh_from_db()
    return CodeUse.objects.live().filter(code=code).count(), code.uses


def test_a_use_during_the_recount_respects_the_limit(together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_used_three_times()
    answers = limit_with_three_at_the_door(code, together, monkeypatch)
    assert given_and_counted(code) == (4, 4)
    assert sorted(type(answer).__name__ for answer in answers) == ["CodeUsed", "CodeUsed", "DiscountCode", "int"]


def test_without_the_shared_lock_the_harness_gives_too_many(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_services, "CLAIM", CLAIM.replace("FOR KEY SHARE", ""))
    code = code_used_three_times()
    limit_with_three_at_the_door(code, together, monkeypatch)
    given, counted = given_and_counted(code)
    assert given > counted  # if this fails, the test above proves nothing


def test_a_use_before_the_recount_is_counted(together: Together, meet_at: MeetAt) -> None:
    """A use that was claimed and isn't committed yet is waited for."""
    code = code_used_three_times()
    meeting = meet_at(code_services, "claim_row", parties=1)
    answers = together(using(code.pk, make_user()), limiting(code.pk))
    assert meeting.happened
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert given_and_counted(code) == (4, 4)


def limit_with_three_at_the_door(code: DiscountCode, together: Together, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count the uses, let three learners try the code meanwhile, then commit the limit."""
    counted = Event()
    record = audit.record

    def when_they_wait(*args: Any, **kwargs: Any) -> None:
        record(*args, **kwargs)
        counted.set()
        until(lambda: waiting() >= 3)

    monkeypatch.setattr(audit, "record", when_they_wait)

    def after_the_count(call: Callable[[], Any]) -> Callable[[], Any]:
        def later() -> Any:
            assert counted.wait(PATIENCE)
            return call()

        return later

    return together(limiting(code.pk), *(after_the_count(using(code.pk, make_user())) for _each in range(3)))


def waiting() -> int:
    """How many sessions of this database wait for a lock; within a transaction the list has to be asked for anew."""
    fetch_sql("SELECT pg_stat_clear_snapshot()")
    found = fetch_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return int(found[0][0])


def until(happens: Callable[[], bool]) -> None:
    """Ask the database until something has happened there; it takes its time to answer, so nothing is hurried."""
    ends = monotonic() + PATIENCE
    while not happens():
        assert monotonic() < ends, "no one came"
        fetch_sql("SELECT pg_sleep(0.01)")
