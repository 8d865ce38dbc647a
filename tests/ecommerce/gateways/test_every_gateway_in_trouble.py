"""What every gateway that is called over HTTP does when its other side is slow, broken or silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from ecommerce.enums import RefundState
from ecommerce.gateways.base import PaymentFailed, PaymentOutcome, RefundInstruction, Session
from mitxonline.kernel.money import Money
from tests.ecommerce.gateways.examination import (
    CALLS,
    PATHS,
    REMOTE,
    WITH_SESSIONS,
    RemoteBench,
    a_request,
    accounts_setting,
    begun,
    remote_bench,
    session_of,
)
from tests.support.double import DROPPED

TOTAL = Money("249.00", "USD")
EVERY_CALL = pytest.mark.parametrize(("bench", "verb"), CALLS, indirect=["bench"])
EVERY_SESSION = pytest.mark.parametrize("bench", WITH_SESSIONS, indirect=True)


@pytest.fixture(params=REMOTE)
def bench(request: pytest.FixtureRequest) -> RemoteBench:
    return remote_bench(request, request.param)


def refund_of(payment_id: str, amount: str = "49.00") -> RefundInstruction:
    reference = str(uuid4())
    return RefundInstruction(
        payment_id=payment_id,
        amount=Money(amount, "USD"),
        idempotency_key=f"refund:{reference}",
        reason="asked for",
        reference=reference,
    )


def paid(bench: RemoteBench) -> tuple[Session, str]:
    session = begun(bench.gateway, TOTAL)
    bench.pay(session)
    return session, bench.gateway.look_up(session).payment_id


def call_of(bench: RemoteBench, verb: str) -> Callable[[], object]:
    """A call of this verb that can be repeated, as the shop repeats it."""
    if verb == "start":
        request = a_request(TOTAL)
        return lambda: bench.gateway.start(request)
    session, payment_id = paid(bench)
    if verb == "look_up":
        return lambda: bench.gateway.look_up(session)
    refund = refund_of(payment_id)
    return lambda: bench.gateway.refund(refund)


@EVERY_CALL
@pytest.mark.parametrize("status", [429, 500, 502, 503, DROPPED])
def test_what_was_not_answered_is_unknown_and_can_be_repeated(bench: RemoteBench, verb: str, status: int) -> None:
    call = call_of(bench, verb)
    bench.server.fail(PATHS[bench.gateway.name][verb], status)
    with pytest.raises(PaymentFailed) as failed:
        call()
    assert failed.value.retriable


@EVERY_CALL
@pytest.mark.parametrize("status", [429, DROPPED])
def test_what_was_refused_for_the_moment_works_the_next_time(bench: RemoteBench, verb: str, status: int) -> None:
    call = call_of(bench, verb)
    bench.server.fail(PATHS[bench.gateway.name][verb], status)
    with pytest.raises(PaymentFailed):
        call()
    assert call() == call()


@EVERY_SESSION
@pytest.mark.parametrize("status", [500, DROPPED])
def test_a_session_whose_answer_was_lost_is_begun_once(bench: RemoteBench, status: int) -> None:
    call = call_of(bench, "start")
    bench.server.fail(PATHS[bench.gateway.name]["start"], status, after=True)
    with pytest.raises(PaymentFailed) as failed:
        call()
    assert failed.value.retriable
    assert call() == call()
    assert bench.sessions_begun() == 1


@pytest.mark.parametrize("status", [500, DROPPED])
def test_a_refund_whose_answer_was_lost_is_made_once(bench: RemoteBench, status: int) -> None:
    _session, payment_id = paid(bench)
    refund = refund_of(payment_id)
    bench.server.fail(PATHS[bench.gateway.name]["refund"], status, after=True)
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.refund(refund)
    assert failed.value.retriable
    found = bench.gateway.look_up_refund(refund, "")
    assert found is not None
    assert found.amount == refund.amount
    assert bench.gateway.refund(refund).refund_id == found.refund_id
    assert bench.refunds_made() == 1


@EVERY_CALL
def test_one_who_takes_too_long_is_not_waited_for(bench: RemoteBench, settings: Any, verb: str) -> None:
    call = call_of(bench, verb)
    settings.REMOTE_CALL_SECONDS = 0.2
    bench.server.fail(PATHS[bench.gateway.name][verb], 200, delay=1.0)
    with pytest.raises(PaymentFailed) as failed:
        call()
    assert failed.value.retriable


@EVERY_CALL
@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_said_to_be(bench: RemoteBench, verb: str, status: int) -> None:
    call = call_of(bench, verb)
    for _time in range(2):  # one that asks again with a fresh token gets the same answer
        bench.server.fail(PATHS[bench.gateway.name][verb], status, {"type": "invalid_request_error", "message": "No."})
    with pytest.raises(PaymentFailed) as failed:
        call()
    assert (failed.value.retriable, failed.value.code) == (False, "key_refused")


@EVERY_CALL
@pytest.mark.parametrize("answer", ["<html>A proxy's own page</html>", {}, [], {"id": None}, {"id": 7, "status": []}])
def test_an_answer_nobody_documented_settles_nothing(bench: RemoteBench, verb: str, answer: object) -> None:
    call = call_of(bench, verb)
    bench.server.failures.clear()
    bench.server.fail(PATHS[bench.gateway.name][verb], 200, answer)
    bench.server.failures[-1][1].body = answer
    try:
        found = call()
    except PaymentFailed:
        return
    assert getattr(found, "outcome", None) in (PaymentOutcome.UNKNOWN, PaymentOutcome.OPEN)


def test_without_a_key_nothing_is_asked(bench: RemoteBench, settings: Any) -> None:
    call = call_of(bench, "look_up")
    asked = len(bench.server.calls)
    setattr(settings, f"{bench.gateway.name.upper()}_ACCOUNTS", {})
    with pytest.raises(PaymentFailed) as failed:
        call()
    assert (failed.value.retriable, failed.value.code, len(bench.server.calls)) == (False, "no_key", asked)


def test_a_host_with_keys_of_its_own_has_its_own_account(bench: RemoteBench, settings: Any) -> None:
    accounts = accounts_setting(settings, bench.gateway)
    setattr(settings, f"{bench.gateway.name.upper()}_ACCOUNTS", {**accounts, "other.example": accounts[""]})
    hosts = ["shop.example", "other.example", "OTHER.example:443"]
    assert [bench.gateway.account_for(host) for host in hosts] == ["", "other.example", "other.example"]
    assert set(bench.gateway.accounts()) <= {"", "other.example"}


def test_each_refund_of_several_is_known_with_its_amount(bench: RemoteBench) -> None:
    _session, payment_id = paid(bench)
    ours = [bench.gateway.refund(refund_of(payment_id, amount)) for amount in ("20.00", "29.00")]
    bench.refund_there(payment_id, Money("100.00", "USD"))
    found = bench.gateway.refunds_of(payment_id, "")
    assert sorted(str(each.amount.amount) for each in found) == ["100.00", "20.00", "29.00"]
    assert {each.refund_id for each in ours} < {each.refund_id for each in found}
    assert {each.payment_id for each in found} == {payment_id}
    assert sum(bool(each.reference) for each in found) == 2
    assert all(each.state in (RefundState.SUCCEEDED, RefundState.PENDING) for each in found)


def test_more_than_was_paid_is_not_refunded(bench: RemoteBench) -> None:
    _session, payment_id = paid(bench)
    bench.gateway.refund(refund_of(payment_id, "200.00"))
    with pytest.raises(PaymentFailed) as refused:
        bench.gateway.refund(refund_of(payment_id, "49.01"))
    assert not refused.value.retriable
    assert bench.refunds_made() == 1


@EVERY_SESSION
def test_a_session_the_gateway_does_not_know_is_missing(bench: RemoteBench) -> None:
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.look_up(session_of(a_request(TOTAL), "nosuchsession1"))
    assert (failed.value.retriable, failed.value.code) == (False, "resource_missing")


def test_two_payments_are_two(bench: RemoteBench) -> None:
    (one, first), (two, second) = paid(bench), paid(bench)
    assert first != second
    assert {bench.gateway.look_up(each).reference for each in (one, two)} == {one.reference, two.reference}
    assert bench.payments_made() == 2
