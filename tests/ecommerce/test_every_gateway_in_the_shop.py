"""Every gateway behind the shop's own doors: notices early, twice, late and forged; refunds and disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ecommerce.enums import AttemptState, EnrollmentAfter, NoticeState, OrderState, RefundOrigin, RefundState
from ecommerce.gateways.base import Session
from ecommerce.models import GatewayNotice, Order, Refund
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout.review import check_with_gateway
from ecommerce.services.payment.notices import process_notice
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.payment.pending import check_unsettled_payments
from ecommerce.services.payment.sessions import make_session
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel.money import Money
from tests.ecommerce.gateways.examination import PATHS, REMOTE, WITH_SIGNED_HEADERS, RemoteBench, remote_bench
from tests.ecommerce.paying import latest_attempt, place_order
from tests.factories import make_user
from tests.support.double import DROPPED

pytestmark = pytest.mark.django_db


@pytest.fixture(params=REMOTE)
def bench(request: pytest.FixtureRequest) -> RemoteBench:
    return remote_bench(request, request.param)


@pytest.fixture
def order(bench: RemoteBench) -> Order:
    return place_order(now=timezone.now())


def session_of(order: Order) -> Session:
    return make_session(latest_attempt(order))


def post(bench: RemoteBench, body: bytes, headers: Mapping[str, str]) -> Any:
    address = f"/payment/{bench.gateway.name}/webhook/"
    return Client().post(address, body, content_type="application/json", headers=dict(headers))


def deliver(bench: RemoteBench, order: Order) -> GatewayNotice:
    """Post the notice about the order's payment, and process it as the worker does."""
    body, headers = bench.notice(session_of(order))
    answer = post(bench, body, headers)
    assert answer.status_code == 200, answer.content
    return process_notice(notice_id=GatewayNotice.objects.latest("pk").pk, now=timezone.now())


def come_back(order: Order) -> Any:
    buyer = Client()
    buyer.force_login(order.purchaser)
    return buyer.get(f"/payment/completed/{latest_attempt(order).reference}/")


def test_the_buyer_who_comes_back_has_the_course(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    answer = come_back(order)
    order.refresh_from_db()
    assert (order.state, latest_attempt(order).state) == (OrderState.FULFILLED, AttemptState.PAID)
    assert "/checkout/receipt/" in answer["Location"]
    assert latest_attempt(order).paid_money == order.money


def test_a_notice_before_the_buyer_comes_back_opens_the_course(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    notice = deliver(bench, order)
    order.refresh_from_db()
    assert (notice.state, notice.order_id, order.state) == (NoticeState.DONE, order.pk, OrderState.FULFILLED)
    assert come_back(order).status_code == 302
    assert bench.payments_made() == 1


def test_a_notice_that_comes_twice_is_one(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    body, headers = bench.notice(session_of(order))
    assert [post(bench, body, headers).status_code for _time in range(2)] == [200, 200]
    assert GatewayNotice.objects.count() == 1


def test_a_late_notice_changes_nothing(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    come_back(order)
    before = latest_attempt(order).settled_at
    assert deliver(bench, order).state == NoticeState.DONE
    assert (order.attempts.count(), latest_attempt(order).settled_at) == (1, before)
    assert bench.payments_made() == 1


@pytest.mark.parametrize(
    ("bench", "change"),
    [(name, "body") for name in REMOTE]
    + [(name, change) for name in WITH_SIGNED_HEADERS for change in ("headers", "nothing signed")],
    indirect=["bench"],
)
def test_a_forged_notice_is_refused_and_not_stored(bench: RemoteBench, order: Order, change: str) -> None:
    bench.agree(session_of(order))
    body, headers = bench.notice(session_of(order))
    if change == "body":
        body = body.replace(b"a", b"b", 1)
    elif change == "headers":
        headers = {name: value[:-4] + "AAAA" for name, value in headers.items()}
    else:
        headers = {}
    assert post(bench, body, headers).status_code == 400
    assert not GatewayNotice.objects.exists()
    order.refresh_from_db()
    assert order.state == OrderState.PENDING


def test_a_gateway_that_drops_the_line_keeps_the_buyer_waiting_and_is_asked_again(
    bench: RemoteBench, order: Order
) -> None:
    bench.agree(session_of(order))
    bench.server.fail(PATHS[bench.gateway.name]["look_up"], DROPPED)
    come_back(order)
    order.refresh_from_db()
    assert order.state == OrderState.PENDING
    list(check_unsettled_payments(now=timezone.now(), older_than=timedelta(0), dry_run=False))
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert bench.payments_made() == 1


def test_looking_without_settling_moves_no_money(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    before = bench.payments_made()
    (seen,) = check_unsettled_payments(now=timezone.now(), older_than=timedelta(0), dry_run=True)
    order.refresh_from_db()
    assert (order.state, seen.failure, bench.payments_made()) == (OrderState.PENDING, "", before)


def test_a_bank_that_takes_days_opens_the_course_when_it_says_yes_or_frees_the_place(
    bench: RemoteBench, order: Order
) -> None:
    bench.pay_later(session_of(order))
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=timezone.now())
    order.refresh_from_db()
    assert (order.state, latest_attempt(order).state) == (OrderState.PENDING, AttemptState.PROCESSING)
    bench.bank_declines(session_of(order))
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=timezone.now())
    order.refresh_from_db()
    assert (order.state, latest_attempt(order).state) == (OrderState.DECLINED, AttemptState.DECLINED)


def test_two_refunds_of_parts_and_one_made_at_the_gateway_add_up(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    come_back(order)
    staff = make_user(is_superuser=True)
    for amount in ("20.00", "30.00"):
        refund_order(
            order_id=order.pk,
            choice=RefundChoice(reason="asked for", enrollment_after=EnrollmentAfter.KEEP, amount=Money(amount, "USD")),
            by_id=staff.pk,
            now=timezone.now(),
        )
    payment = latest_attempt(order)
    bench.refund_there(payment.payment_id, Money("50.00", "USD"))
    check_with_gateway(order_id=order.pk, by_id=staff.pk, now=timezone.now())
    payment.refresh_from_db()
    assert payment.refunded_money == Money("100.00", "USD")
    assert payment.gap_money.is_zero
    assert set(Refund.objects.values_list("state", flat=True)) <= {RefundState.SUCCEEDED, RefundState.PENDING}
    assert Refund.objects.filter(origin=RefundOrigin.PROVIDER).count() == 1


def test_a_dispute_is_on_the_order(bench: RemoteBench, order: Order) -> None:
    bench.agree(session_of(order))
    come_back(order)
    payment = latest_attempt(order)
    bench.dispute(payment.payment_id)
    check_with_gateway(order_id=order.pk, by_id=make_user(is_superuser=True).pk, now=timezone.now())
    (dispute,) = payment.disputes.all()
    assert dispute.amount == payment.amount
