"""The contract every gateway fulfills (ADR 0009)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from ecommerce.enums import MovementKind, RefundState
from ecommerce.gateways.base import (
    NoticeForged,
    NoticeNotUnderstood,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    RefundInstruction,
    Session,
)
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from tests.ecommerce.gateways.examination import BENCHES, Bench, a_request, begun

MONIES = [Money("249.00", "USD"), Money("1500", "JPY"), Money("0.99", "EUR"), Money("12.340", "KWD")]


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Bench:
    return BENCHES[request.param](request)


@pytest.fixture
def session(bench: Bench) -> Session:
    return begun(bench.gateway, Money("249.00", "USD"))


@pytest.mark.parametrize("total", MONIES, ids=str)
def test_the_paid_amount_is_the_requested_one_in_every_currency(bench: Bench, total: Money) -> None:
    if not bench.gateway.can_take(total):
        with pytest.raises(PaymentFailed) as refused:
            bench.gateway.start(a_request(total))
        assert (refused.value.retriable, refused.value.code) == (False, "amount_uncounted")
        return
    session = begun(bench.gateway, total)
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.OPEN
    bench.pay(session)
    found = bench.gateway.look_up(session)
    assert (found.outcome, found.paid, found.doubt) == (PaymentOutcome.PAID, total, "")
    assert (found.reference, found.session_id) == (session.reference, session.session_id)
    assert found.payment_id


def test_the_same_request_again_is_the_same_session(bench: Bench) -> None:
    request = a_request(Money("10", "USD"))
    assert bench.gateway.start(request) == bench.gateway.start(request)


def test_another_try_is_another_session(bench: Bench) -> None:
    one, other = (bench.gateway.start(a_request(Money("10", "USD"))) for _each in range(2))
    assert one.session_id != other.session_id


def test_an_ended_session_cannot_be_paid(bench: Bench, session: Session) -> None:
    given_up = replace(session, is_given_up=True)
    for _time in range(2):
        assert bench.gateway.expire(given_up).outcome is PaymentOutcome.EXPIRED
    found = bench.gateway.look_up(given_up)
    # Where we take the money, an order that we gave up stays open at the gateway, and no one takes it.
    assert found.outcome in (PaymentOutcome.EXPIRED, PaymentOutcome.OPEN)
    assert found.paid is None


def test_ending_a_session_that_was_paid_says_so(bench: Bench, session: Session) -> None:
    bench.pay(session)
    ended = bench.gateway.expire(session)
    assert ended.outcome is PaymentOutcome.PAID
    assert bench.gateway.look_up(session).paid == session.total


def test_a_bank_that_takes_its_time_is_not_a_payment_yet(bench: Bench, session: Session) -> None:
    bench.pay_later(session)
    found = bench.gateway.look_up(session)
    assert (found.outcome, found.paid) == (PaymentOutcome.PROCESSING, None)
    assert bench.gateway.expire(session).outcome is PaymentOutcome.PROCESSING
    bench.bank_declines(session)
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.DECLINED


def test_money_that_came_is_not_taken_again(bench: Bench, session: Session) -> None:
    bench.pay(session)
    paid = bench.gateway.look_up(session)
    assert [bench.gateway.capture(session) for _time in range(2)] == [paid, paid]


def test_what_nobody_agreed_to_pay_is_not_taken(bench: Bench, session: Session) -> None:
    assert bench.gateway.capture(session).outcome is not PaymentOutcome.PAID
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.OPEN


def test_its_own_notice_is_let_in_and_understood(bench: Bench, session: Session) -> None:
    bench.pay(session)
    body, headers = bench.notice(session)
    one, other = (bench.gateway.open_notice(body, headers, account="") for _time in range(2))
    assert one == other
    assert one.event_id
    assert one.kind
    notice = bench.gateway.read_notice(body, account="")
    assert isinstance(notice, PaymentNotice)
    assert (notice.event_id, notice.reference, notice.outcome) == (one.event_id, session.reference, PaymentOutcome.PAID)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"not json", b"\xff\xfe", b"x" * 100_000])
def test_forged_notices_are_rejected(bench: Bench, body: bytes) -> None:
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(body, {}, account="")


def test_a_notice_that_was_changed_on_the_way_is_refused(bench: Bench, session: Session) -> None:
    bench.pay(session)
    body, headers = bench.notice(session)
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(body.replace(body[10:11], b"~", 1), headers, account="")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1]", b'{"id": "evt_1", "type": "refund.created"}', b"\xff"])
def test_undocumented_notices_are_reported(bench: Bench, body: bytes) -> None:
    with pytest.raises(NoticeNotUnderstood):
        bench.gateway.read_notice(body, account="")


def test_money_given_back_has_a_name_and_a_state(bench: Bench, session: Session) -> None:
    bench.pay(session)
    payment_id = bench.gateway.look_up(session).payment_id
    reference = str(uuid4())
    request = RefundInstruction(
        payment_id=payment_id,
        amount=Money("49.00", "USD"),
        idempotency_key=f"refund:{reference}",
        reason="asked for",
        reference=reference,
    )
    made = bench.gateway.refund(request)
    assert made.refund_id
    assert made.state in (RefundState.SUCCEEDED, RefundState.PENDING)
    assert bench.gateway.refund(request) == made
    assert bench.gateway.look_up_refund(request, made.refund_id) == made


def test_a_refund_it_never_got_is_none(bench: Bench, session: Session) -> None:
    bench.pay(session)
    payment_id = bench.gateway.look_up(session).payment_id
    unsent = RefundInstruction(
        payment_id=payment_id, amount=Money("1", "USD"), idempotency_key="refund:x", reason="", reference="x"
    )
    assert bench.gateway.look_up_refund(unsent, "") is None
    assert bench.gateway.refunds_of(payment_id, "") == ()
    assert bench.gateway.disputes_of(payment_id, "") == ()


def test_its_data_is_frozen(bench: Bench, session: Session) -> None:
    notice = bench.gateway.look_up(session)
    with pytest.raises(FrozenInstanceError):
        notice.outcome = PaymentOutcome.PAID  # type: ignore[misc]
    assert replace(notice, outcome=PaymentOutcome.PAID) != notice


def test_without_hosts_of_its_own_there_is_one_account(bench: Bench) -> None:
    assert bench.gateway.account_for("shop.example") == ""


def test_what_was_paid_and_refunded_moved_on_the_account(bench: Bench) -> None:
    before = clock.now() - timedelta(seconds=2)
    one, two = (begun(bench.gateway, Money(amount, "USD")) for amount in ("249.00", "100.00"))
    bench.pay(one)
    bench.pay(two)
    payments = [bench.gateway.look_up(each).payment_id for each in (one, two)]
    given = [
        bench.gateway.refund(
            RefundInstruction(
                payment_id=payments[0],
                amount=Money("20.00", "USD"),
                idempotency_key=f"refund:{number}",
                reason="",
                reference=f"{one.reference}-{number}",
            )
        )
        for number in range(2)
    ]
    (account,) = bench.gateway.accounts()
    until = clock.now() + timedelta(seconds=2)
    found = {each.source_id: each for each in bench.gateway.movements(account, since=before, until=until)}
    moved = [(each.kind, each.payment_id, each.amount) for each in found.values()]
    assert sorted(moved, key=str) == sorted(
        [
            (MovementKind.PAYMENT, payments[0], Money("249.00", "USD")),
            (MovementKind.PAYMENT, payments[1], Money("100.00", "USD")),
            *[(MovementKind.REFUND, payments[0], Money("-20.00", "USD"))] * 2,
        ],
        key=str,
    )
    assert {each.refund_id for each in given} <= found.keys()
    assert len({each.movement_id for each in found.values()}) == 4
    assert list(bench.gateway.movements(account, since=until, until=until + timedelta(days=1))) == []
