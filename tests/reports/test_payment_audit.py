"""The audit of payments: what gateways report is what orders say was paid, or the row that differs is named."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ecommerce.enums import AttemptState, DisputeState, EnrollmentAfter, OrderState
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import Order, OrderLine, PaymentAttempt, Refund
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel import clock
from reports.audits.base import RowChoice
from reports.audits.statements import fetch_reports
from reports.enums import Cause
from reports.models import GatewayEntry, GatewayReport
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order, make_payment
from tests.reports.readings import Reading, read_payments
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=3)


@pytest.fixture
def account(stripe_api: StripeServer) -> StripeServer:
    stripe_api.moment = NOON.timestamp
    return stripe_api


def sell(account: StripeServer, price: str = "100", *, fee: int = 0, at: datetime | None = None) -> Order:
    """Sell a course through Stripe, as both sides see it."""
    order = make_paid_order(make_product(price=price), gateway="stripe")
    if at is not None:
        order.attempts.update(settled_at=at)
    charge(account, order, fee=fee)
    return order


def charge(account: StripeServer, order: Order, *, fee: int = 0, **facts: Any) -> None:
    attempt = order.attempts.get()
    source = {"id": f"ch_{attempt.pk}", "object": "charge", "payment_intent": attempt.payment_id}
    account.move("charge", int(attempt.amount * 100), source, fee=fee, **facts)


def refund_there(account: StripeServer, order: Order, amount: str, refund_id: str = "re_1", **facts: Any) -> None:
    source = {"id": refund_id, "object": "refund", "payment_intent": order.attempts.get().payment_id}
    account.move("refund", -int(Decimal(amount) * 100), source, **facts)


def audit(**options: Any) -> Reading:
    outcome = fetch_reports(now=LATER)
    assert [each.failure for each in outcome] == [""]
    reading = read_payments(**options)
    for currency in {section.currency for section in reading.result.sections}:
        figures = reading.figures(currency)
        rows = [row for row in reading.rows if row.currency == currency]
        if options.get("rows") is None:  # whatever differs is in the rows, to the cent
            assert sum((row.difference or Decimal(0) for row in rows), Decimal(0)) == figures["difference"]
    return reading


def causes(reading: Reading) -> list[tuple[str, str]]:
    return [(row.cause, row.key) for row in reading.rows]


def test_the_books_balance_with_fees_refunds_and_disputes(account: StripeServer) -> None:
    _one, two, three = sell(account, "100", fee=320), sell(account, "50", fee=175), sell(account, "80", fee=260)
    for order, states in ((two, ["withdrawn"]), (three, ["withdrawn", "reinstated"])):
        attempt = order.attempts.get()
        for funds in states:
            state = DisputeState.LOST if order == two else DisputeState.WON
            source = {"id": f"dp_{order.pk}", "object": "dispute", "payment_intent": attempt.payment_id}
            sign, category = (-1, "dispute") if funds == "withdrawn" else (1, "dispute_reversal")
            account.move(category, sign * int(attempt.amount * 100), source, fee=1500 if sign < 0 else 0)
            notice = DisputeNotice(
                f"evt_{funds}{order.pk}",
                f"dp_{order.pk}",
                attempt.payment_id,
                attempt.money,
                DisputeState.UNDER_REVIEW if (funds, state) == ("withdrawn", DisputeState.WON) else state,
                "fraudulent",
                funds,  # type: ignore[arg-type]
            )
            follow_dispute(notice, gateway_name="stripe", now=NOON)
    account.move("payout", -5000)
    account.move("fee", -200)
    reading = audit()
    assert reading.figures("USD") == {
        "single": Decimal(230),
        "registration": 0,
        "second": 0,
        "unsold": 0,
        "refunds": 0,
        "chargebacks": Decimal(-130),
        "won": Decimal(80),
        "fees": Decimal("-39.55"),
        "shop": Decimal("140.45"),
        "payment": Decimal(230),
        "refund": 0,
        "chargeback": Decimal(-130),
        "won_dispute": Decimal(80),
        "fee": Decimal("-39.55"),
        "other_movement": 0,
        "gateway": Decimal("140.45"),
        "difference": 0,
    }
    assert reading.rows == []
    assert reading.result.is_balanced


def test_a_refund_made_here_is_on_both_sides(account: StripeServer, settings: Any) -> None:
    orders = [sell(account, "100"), sell(account, "60")]
    for order in orders:
        attempt = order.attempts.get()
        account.payments[attempt.payment_id] = {
            "id": attempt.payment_id,
            "amount": int(attempt.amount * 100),
            "currency": "usd",
            "latest_charge": {"id": f"ch_{attempt.pk}", "amount_refunded": 0},
        }
        choice = RefundChoice(reason="x", enrollment_after=EnrollmentAfter.REMOVE)
        assert refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None).state == "succeeded"
    figures = audit().figures("USD")
    assert (figures["refunds"], figures["refund"], figures["difference"]) == (-160, -160, 0)


class TestTheWorkedExample:
    """100 + 100 + 200 − 100 = 300 at the gateway and 400 in the shop, which doesn't know the refund."""

    @pytest.fixture
    def orders(self, account: StripeServer) -> list[Order]:
        orders = [sell(account, price) for price in ("100", "100", "200")]
        refund_there(account, orders[0], "100")
        return orders

    def test_the_refund_explains_the_difference(self, account: StripeServer, orders: list[Order]) -> None:
        reading = audit()
        figures = reading.figures("USD")
        assert (figures["shop"], figures["payment"], figures["refund"]) == (400, 400, -100)
        assert (figures["gateway"], figures["difference"]) == (300, -100)
        (row,) = reading.rows
        assert (row.cause, row.difference) == (Cause.REFUND_UNKNOWN, Decimal(-100))
        assert row.order_id == orders[0].pk
        assert "re_1" in row.note

    def test_added_back_the_totals_line_up(self, account: StripeServer, orders: list[Order]) -> None:
        figures = audit().figures("USD")
        refunds_in_the_gateway = -figures["refund"]
        assert figures["gateway"] + refunds_in_the_gateway == figures["single"] + figures["registration"] == 400


class TestDifferences:
    def test_money_without_an_order(self, account: StripeServer) -> None:
        sell(account)
        account.move("charge", 7700, {"id": "ch_9", "object": "charge", "payment_intent": "pi_stranger"})
        reading = audit()
        assert causes(reading) == [(Cause.NO_ORDER, "pi_stranger")]
        assert reading.rows[0].difference == 77
        assert reading.result.unexplained == 1

    def test_an_order_without_money(self, account: StripeServer) -> None:
        sell(account)
        order = make_paid_order(make_product(price="40"), gateway="stripe")
        reading = audit()
        assert causes(reading) == [(Cause.NO_MONEY, order.number)]
        assert reading.rows[0].difference == -40

    def test_a_fulfilled_order_without_any_payment(self, account: StripeServer) -> None:
        order = sell(account)
        other = make_paid_order(make_product(price="40"), gateway="stripe")
        PaymentAttempt.objects.filter(order=other).delete()
        assert causes(audit()) == [(Cause.NO_MONEY, other.number)]
        assert order.number

    def test_the_gateway_took_another_amount(self, account: StripeServer) -> None:
        order = sell(account)
        sell(account)
        PaymentAttempt.objects.filter(order=order).update(amount=90)
        account.movements.clear()
        for each in Order.objects.all():
            charge(account, each)
        PaymentAttempt.objects.filter(order=order).update(amount=100)
        reading = audit()
        assert causes(reading) == [(Cause.WRONG_AMOUNT, order.number)]
        assert reading.rows[0].difference == -10

    def test_a_line_was_changed(self, account: StripeServer) -> None:
        order, _other = sell(account), sell(account)
        OrderLine.objects.filter(order=order).update(list_price=70, due=70)
        assert causes(audit()) == [(Cause.WRONG_AMOUNT, order.number)]

    def test_a_payment_says_another_amount_than_the_gateway(self, account: StripeServer) -> None:
        order, _other = sell(account), sell(account)
        PaymentAttempt.objects.filter(order=order).update(amount=70)
        assert causes(audit()) == [(Cause.WRONG_AMOUNT, order.number)]

    def test_another_amount_that_finance_accepted_is_explained(self, account: StripeServer) -> None:
        order = sell(account, "100")
        PaymentAttempt.objects.filter(order=order).update(amount=90, paid_amount=90, paid_currency="USD")
        account.movements.clear()
        charge(account, order)
        reading = audit()
        assert causes(reading) == [(Cause.ACCEPTED_AMOUNT, order.number)]
        assert reading.result.is_balanced

    def test_another_currency_differs_in_both(self, account: StripeServer) -> None:
        order = sell(account, "100")
        account.movements.clear()
        charge(account, order, currency="eur")
        reading = audit()
        assert [(row.cause, row.currency, row.order_id) for row in reading.rows] == [
            (Cause.WRONG_CURRENCY, "EUR", order.pk),
            (Cause.NO_MONEY, "USD", order.pk),
        ]

    def test_paid_twice(self, account: StripeServer) -> None:
        order = sell(account)
        sell(account)
        second = make_payment(order, gateway="stripe")
        PaymentAttempt.objects.filter(pk=second.pk).update(is_surplus=True)
        account.move("charge", 10000, {"id": "ch_2", "object": "charge", "payment_intent": second.payment_id})
        reading = audit()
        assert causes(reading) == [(Cause.PAID_TWICE, order.number)]
        assert reading.figures("USD")["second"] == 100
        assert reading.figures("USD")["difference"] == 0

    def test_a_second_payment_the_shop_does_not_know_is_money_without_an_order(self, account: StripeServer) -> None:
        sell(account)
        account.move("charge", 10000, {"id": "ch_2", "object": "charge", "payment_intent": "pi_second"})
        assert causes(audit()) == [(Cause.NO_ORDER, "pi_second")]

    def test_money_of_an_order_in_review_is_known(self, account: StripeServer) -> None:
        order = make_paid_order(make_product(price="30"), gateway="stripe", state=OrderState.REVIEW)
        charge(account, order)
        reading = audit()
        assert reading.figures("USD")["unsold"] == 30
        assert reading.rows == []

    def test_a_refund_that_never_arrived_at_the_gateway(self, account: StripeServer) -> None:
        order = sell(account)
        Refund.objects.create(
            order=order,
            attempt=order.attempts.get(),
            idempotency_key="refund:1",
            gateway="stripe",
            gateway_refund_id="re_7",
            amount=100,
            currency="USD",
            reason="x",
            state="succeeded",
            enrollment_after="keep",
            recorded_at=NOON,
            settled_at=NOON,
        )
        assert causes(audit()) == [(Cause.REFUND_MISSING, order.number)]

    def test_a_refund_that_failed_is_nothing(self, account: StripeServer) -> None:
        order = sell(account)
        source = {"id": "re_1", "object": "refund", "payment_intent": order.attempts.get().payment_id}
        account.move("refund", -10000, source)
        account.move("refund_failure", 10000, source)
        assert audit().rows == []

    def test_a_chargeback_that_no_notice_told_of(self, account: StripeServer) -> None:
        order = sell(account)
        source = {"id": "dp_1", "object": "dispute", "payment_intent": order.attempts.get().payment_id}
        account.move("dispute", -10000, source, fee=1500)
        reading = audit()
        assert causes(reading) == [(Cause.CHARGEBACK_UNKNOWN, order.number)]

    def test_other_movements_are_listed(self, account: StripeServer) -> None:
        sell(account)
        account.move("other_adjustment", -123)
        assert [row.cause for row in audit().rows] == [Cause.OTHER_MOVEMENT]


class TestLag:
    def test_what_was_paid_just_before_the_report_is_late(self, account: StripeServer) -> None:
        order = make_paid_order(make_product(price="40"), gateway="stripe")
        PaymentAttempt.objects.filter(order=order).update(settled_at=LATER - timedelta(hours=2))
        reading = audit()
        assert causes(reading) == [(Cause.LATE, order.number)]
        assert reading.result.is_balanced

    def test_midnight_between_the_two_clocks_is_another_day(self, account: StripeServer) -> None:
        midnight = clock.start_of_day(NOON.date())
        account.moment = (midnight + timedelta(minutes=1)).timestamp
        order = sell(account, at=midnight - timedelta(minutes=1))
        reading = audit(first=NOON.date(), last=NOON.date())
        assert causes(reading) == [(Cause.OTHER_DAY, order.number)]
        assert reading.figures("USD")["difference"] == 100
        assert reading.result.is_balanced
        assert audit().rows == []

    def test_a_time_without_a_report_is_said(self, account: StripeServer) -> None:
        order = make_paid_order(make_product(price="40"), gateway="paypal")
        assert causes(audit()) == [(Cause.NOT_REPORTED, order.number)]


class TestFetching:
    def test_asked_again_only_for_what_is_new(self, account: StripeServer) -> None:
        sell(account)
        fetch_reports(now=NOON + timedelta(days=1))
        account.moment = (NOON + timedelta(days=2)).timestamp
        sell(account, at=NOON + timedelta(days=2))
        fetch_reports(now=LATER)
        assert GatewayEntry.objects.count() == 2
        newest, oldest = GatewayReport.objects.all()
        assert (newest.until, oldest.until) == (LATER, NOON + timedelta(days=1))
        assert newest.since == NOON
        assert newest.entries == 2  # the last day is asked for again

    def test_an_earlier_time_is_asked_for_once(self, account: StripeServer) -> None:
        sell(account)
        fetch_reports(now=LATER)
        before = clock.start_of_day((NOON - timedelta(days=30)).date())
        fetch_reports(now=LATER, since=before)
        assert GatewayReport.objects.count() == 2
        fetch_reports(now=LATER, since=before)
        assert GatewayReport.objects.count() == 2

    def test_a_gateway_that_does_not_answer_is_named_and_keeps_its_place(self, account: StripeServer) -> None:
        sell(account)
        account.fail("balance_transactions", 500)
        (outcome,) = fetch_reports(now=LATER)
        assert (outcome.gateway, bool(outcome.failure)) == ("stripe", True)
        assert not GatewayReport.objects.exists()
        assert fetch_reports(now=LATER)[0].entries == 1


def test_a_course_is_audited_with_the_orders_it_is_in(account: StripeServer) -> None:
    one, two = make_product(price="100"), make_product(price="30")
    both, only = make_paid_order(one, two, gateway="stripe"), make_paid_order(two, gateway="stripe")
    charge(account, both)
    charge(account, only)
    refund_there(account, only, "30")
    figures = audit(course=one.item_id).figures("USD")
    assert (figures["single"], figures["other"], figures["payment"], figures["difference"]) == (100, 30, 130, 0)


def test_currencies_are_apart(account: StripeServer) -> None:
    sell(account)
    euros = make_paid_order(make_product(price="20", currency="EUR"), gateway="stripe", currency="EUR")
    charge(account, euros, currency="eur")
    reading = audit()
    assert [section.currency for section in reading.result.sections] == ["EUR", "USD"]
    assert (reading.figures("EUR")["single"], reading.figures("USD")["single"]) == (20, 100)
    assert [section.currency for section in audit(currency="EUR").result.sections] == ["EUR"]


def test_the_rows_of_a_term(account: StripeServer) -> None:
    orders = [sell(account), sell(account)]
    fetch_reports(now=LATER)
    rows = read_payments(rows=RowChoice(term="single")).rows
    assert {(row.key, row.shop) for row in rows} == {(order.number, Decimal(100)) for order in orders}
    assert {row.gateway for row in read_payments(rows=RowChoice(term="payment")).rows} == {Decimal(100)}
    assert PaymentAttempt.objects.filter(state=AttemptState.PAID).count() == 2
