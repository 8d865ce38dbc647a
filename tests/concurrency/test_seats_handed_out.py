"""Managers at once: never more people than seats, one reminder a day, no code both used and taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from b2b.models import ContractMembership, ContractRun, ContractTermsQuerySet, HandOut, HandOutMail
from b2b.selectors.handouts import waiting_addresses
from b2b.services.handouts import assign, mails, stocks
from b2b.services.handouts.assign import HandOutRequest, hand_out, remind, replace_shared_code
from b2b.services.handouts.mails import send_mails
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import revoke_code
from b2b.services.seats.membership import remove_member
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.db import run_sql
from tests.factories import NOON, codes_of, make_code, make_contract, make_contract_run, make_user
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in results)


def giving(run: ContractRun, manager: int) -> Callable[[], Any]:
    """One manager's list of two people."""
    people = [Recipient(f"person{manager}-{number}@northgate.example") for number in range(2)]
    return lambda: hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=None, now=NOON)


def runs_with_codes(seats: int) -> list[ContractRun]:
    """Four courses with as many codes as there are seats: there are more codes than seats to be given."""
    contract = make_contract(seats=seats)
    return [make_contract_run(contract, codes=seats) for _each in range(4)]


def test_eight_managers_and_four_seats(together: Together) -> None:
    runs = runs_with_codes(4)
    answers = kinds(together(*(giving(runs[number % 4], number) for number in range(8))))
    assert answers == {"HandOutPlan": 2, "NoSeatsLeft": 6}
    assert len(waiting_addresses(runs[0].contract_id).without_seat) == 4
    assert HandOut.objects.count() == HandOutMail.objects.count() == 4


def test_without_the_contracts_lock_the_harness_promises_too_many(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_with_codes(4)
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    meeting = meet_at(stocks, "waiting_addresses", parties=8, patience=20.0)
    together(*(giving(runs[number % 4], number) for number in range(8)))
    assert meeting.happened
    assert len(waiting_addresses(runs[0].contract_id).without_seat) > 4  # else the test above proves nothing


def test_the_last_seat_is_taken_and_promised_at_once(together: Together) -> None:
    run = make_contract_run(make_contract(seats=1), codes=2)
    code, learner = codes_of(run)[1], make_user()
    answers = kinds(
        together(
            lambda: redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON),
            lambda: hand_out(
                HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("ines@x.example")]), by_id=None, now=NOON
            ),
        )
    )
    waiting = waiting_addresses(run.contract_id).without_seat
    assert answers in ({"CodeRedemption": 1, "NoSeatsLeft": 1}, {"ContractPromised": 1, "HandOutPlan": 1})
    assert ContractMembership.objects.count() + len(waiting) == 1


def test_no_code_goes_to_two_people(together: Together) -> None:
    run = make_contract_run(make_contract(seats=20), codes=16)
    together(*(giving(run, number) for number in range(8)))
    assert HandOut.objects.count() == 16
    assert HandOut.objects.values("code").distinct().count() == 16


def test_used_and_taken_back_at_once(together: Together) -> None:
    """One of the two wins: a code that was taken back is used by no one."""
    run = make_contract_run(make_contract(seats=30), codes=12)
    people = [Recipient(f"person{number}@northgate.example") for number in range(12)]
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=None, now=NOON)
    given = list(HandOut.objects.select_related("code").order_by("pk"))
    learners = [make_user() for _each in given]

    def using(number: int) -> Callable[[], Any]:
        text = given[number].code.text  # type: ignore[union-attr]
        return lambda: redeem_enrollment_code(text=text, user_id=learners[number].pk, now=NOON)

    def taking_back(number: int) -> Callable[[], Any]:
        code_id = given[number].code_id or 0
        return lambda: revoke_code(code_id=code_id, by_id=None, now=NOON)

    answers = together(*(act(number) for number in range(12) for act in (using, taking_back)))
    for number, each in enumerate(given):
        used, taken_back = answers[2 * number : 2 * number + 2]
        assert (type(used).__name__, taken_back) in (
            ("CodeUnknown", None),
            ("CodeRedemption", taken_back),
        )
        assert (type(used).__name__ == "CodeRedemption") == CodeUse.objects.filter(code=each.code).exists()
        assert (taken_back is None) == (not CodeUse.objects.filter(code=each.code).exists())


def test_the_shared_code_is_replaced_while_people_join(together: Together) -> None:
    run = make_contract_run(make_contract())
    assert run.product is not None
    old = make_code(run.product.unlocked_by, max_uses=None)
    learners = [make_user() for _each in range(8)]
    together(
        *(lambda user=user: redeem_enrollment_code(text=old.text, user_id=user.pk, now=NOON) for user in learners),
        lambda: replace_shared_code(contract_run_id=run.pk, by_id=None, now=NOON),
    )
    live = DiscountCode.objects.get(active=True)
    assert live.text != old.text
    assert ContractMembership.objects.count() == CodeUse.objects.count() <= 8


def test_two_managers_remind_the_same_person_once(together: Together) -> None:
    run = make_contract_run(make_contract(seats=3), codes=3)
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("ines@northgate.example")]), by_id=None, now=NOON
    )
    pk = HandOut.objects.get().pk
    reports = together(*(lambda: remind(hand_out_ids=[pk], by_id=None, now=NOON) for _each in range(6)))
    assert sum(report.sent for report in reports) == 1
    assert sum(report.too_soon for report in reports) == 5
    assert HandOutMail.objects.filter(kind="reminder").count() == 1


def test_without_the_conditional_write_the_harness_reminds_twice(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_contract_run(make_contract(seats=3), codes=3)
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("ines@northgate.example")]), by_id=None, now=NOON
    )
    pk = HandOut.objects.get().pk

    def look_then_write(_sql: str, params: dict[str, Any]) -> list[tuple[int]]:
        due = look(params["today"])
        for each in due:
            run_sql("UPDATE b2b_handout SET reminded_on = %s WHERE id = %s", [params["today"], each])
        return [(each,) for each in due]

    class Looking:
        @staticmethod
        def due(today: Any) -> list[int]:
            return list(HandOut.objects.filter(pk=pk).exclude(reminded_on=today).values_list("pk", flat=True))

    meeting = meet_at(Looking, "due", parties=6, patience=20.0)

    def look(today: Any) -> list[int]:
        return Looking.due(today)

    monkeypatch.setattr(assign, "fetch_sql", look_then_write)
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    together(*(lambda: remind(hand_out_ids=[pk], by_id=None, now=NOON) for _each in range(6)))
    assert meeting.happened
    assert HandOutMail.objects.filter(kind="reminder").count() > 1  # else the test above proves nothing


def test_four_workers_send_a_mail_once(together: Together, mailoutbox: list[Any]) -> None:
    run = make_contract_run(make_contract(seats=9), codes=9)
    people = [Recipient(f"person{number}@northgate.example") for number in range(6)]
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=None, now=NOON)
    ids = list(HandOutMail.objects.values_list("pk", flat=True))
    together(*(lambda: send_mails(ids) for _each in range(4)))
    assert sorted(each.to[0] for each in mailoutbox) == sorted(each.email for each in people)


def test_without_the_claim_the_harness_sends_a_mail_twice(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any]
) -> None:
    run = make_contract_run(make_contract(seats=9), codes=9)
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("ines@northgate.example")]), by_id=None, now=NOON
    )
    ids = list(HandOutMail.objects.values_list("pk", flat=True))
    monkeypatch.setattr(mails, "_claim", lambda _mail_id: True)
    meeting = meet_at(mails, "build_email", parties=4, patience=20.0)
    together(*(lambda: send_mails(ids) for _each in range(4)))
    assert meeting.happened
    assert len(mailoutbox) > 1  # else the test above proves nothing


def test_withdrawn_and_using_a_code_at_once(together: Together) -> None:
    """Either the withdrawal finds the use, or the code finds the withdrawal; no one is left with half of it."""
    run = make_contract_run(make_contract(seats=9), codes=9)
    other = make_contract_run(run.contract, codes=9)
    learner = make_user()
    redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    together(
        lambda: remove_member(contract_id=run.contract_id, user_id=learner.pk, reason="left", now=clock.now()),
        lambda: redeem_enrollment_code(text=codes_of(other)[0].text, user_id=learner.pk, now=NOON),
    )
    assert not ContractMembership.objects.exists()
    assert not CodeUse.objects.live().exists()
