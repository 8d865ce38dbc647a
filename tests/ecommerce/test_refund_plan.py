"""What a refund plan says before any money moves: the amount, its division and what is left."""

from __future__ import annotations

from typing import Any

import pytest

from ecommerce.enums import EnrollmentAfter, OrderState
from ecommerce.errors.refunds import NothingToRefund, RefundAmountNeeded, RefundNotWhole, RefundTooMuch
from ecommerce.models import Order, OrderLine
from ecommerce.selectors.refund_plan import (
    RefundChoice,
    RefundPlan,
    divide_amount,
    find_excess,
    find_free_lines,
    plan_refund,
    remaining_price,
)
from ecommerce.services.refunds.refunds import refund_order, undo_free_order
from mitxonline.kernel.money import Money
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order, make_payment
from tests.support.paypal import PayPalServer

pytestmark = pytest.mark.django_db


def usd(amount: str) -> Money:
    return Money(amount, "USD")


def choose(**options: Any) -> RefundChoice:
    return RefundChoice(reason="asked by phone", **options)


def plan(order: Order, **options: Any) -> RefundPlan:
    return plan_refund(order_id=order.pk, choice=choose(**options))


def refund(order: Order, **options: Any) -> None:
    refund_order(order_id=order.pk, choice=choose(**options), now=NOON, by_id=None)


def make_order(*prices: str, **options: Any) -> tuple[Order, list[OrderLine]]:
    order = make_paid_order(*(make_product(price=price) for price in prices), **options)
    return order, list(order.lines.order_by("pk"))


def make_free(order: Order, line: OrderLine) -> None:
    """Take the price off a line, as a code does that covers all of it."""
    order.discount_total += line.due
    order.total -= line.due
    order.save()
    line.discount_amount, line.due = line.list_price, 0
    line.save()
    if order.total:
        order.attempts.update(amount=order.total)
    else:
        order.attempts.all().delete()


def test_the_plan_of_one_line_says_what_is_left_of_the_payment() -> None:
    order, [first, second] = make_order("100.00", "60.00")
    found = plan(order, line_ids=(second.pk,))
    assert (found.amount, found.left_after, found.is_in_prices) == (usd("60.00"), usd("100.00"), True)
    assert [(share.line, share.amount) for share in found.shares] == [(second, usd("60.00"))]
    assert plan(order, line_ids=(first.pk,), amount=usd("25.00")).left_after == usd("135.00")


def test_a_part_that_the_gateway_cannot_refund_is_refused_before_it_is_sent(paypal_api: PayPalServer) -> None:
    order = make_paid_order(make_product(price="1000", currency="HUF"), currency="HUF", gateway="paypal")
    with pytest.raises(RefundNotWhole, match="PayPal can’t refund HUF"):
        plan(order, amount=Money("333.33", "HUF"))
    assert plan(order, amount=Money("333", "HUF")).left_after == Money("667", "HUF")
    assert plan(order).amount == Money("1000", "HUF")


def test_the_plan_after_a_partial_refund_counts_what_is_left() -> None:
    order, [first, second] = make_order("100.00", "60.00")
    refund(order, line_ids=(first.pk,), amount=usd("30.00"), enrollment_after=EnrollmentAfter.KEEP)
    found = plan(order)
    assert (found.amount, found.left_after) == (usd("130.00"), usd("0.00"))
    assert [(share.line, share.amount) for share in found.shares] == [(first, usd("70.00")), (second, usd("60.00"))]
    with pytest.raises(RefundTooMuch, match=r"\$70\.00"):
        plan(order, line_ids=(first.pk,), amount=usd("70.01"))
    assert plan(order, line_ids=(first.pk,), amount=usd("70.00")).amount == usd("70.00")


def test_money_in_another_currency_has_no_shares_of_prices() -> None:
    order, lines = make_order("100.00", "60.00", state=OrderState.REVIEW, paid="20000", paid_currency="JPY")
    found = plan(order, amount=Money(5000, "JPY"))
    assert (found.amount, found.left_after, found.is_in_prices) == (Money(5000, "JPY"), Money(15000, "JPY"), False)
    assert [(share.line, share.amount) for share in found.shares] == [(line, usd("0.00")) for line in lines]
    chosen = plan(order, amount=Money(5000, "JPY"), line_ids=(lines[0].pk,))
    assert [share.line for share in chosen.shares] == lines[:1]


def test_nothing_is_left_of_a_line_that_was_refunded() -> None:
    order, [first, _second] = make_order("100.00", "60.00")
    refund(order, line_ids=(first.pk,))
    with pytest.raises(NothingToRefund):
        plan(order, line_ids=(first.pk,))
    with pytest.raises(RefundTooMuch):
        plan(order, line_ids=(first.pk,), amount=usd("0.01"))


def test_nothing_is_left_of_a_payment_that_was_refunded() -> None:
    order, _lines = make_order("100.00")
    refund(order)
    with pytest.raises(NothingToRefund):
        plan(order)
    with pytest.raises(NothingToRefund):
        plan(order, amount=usd("1.00"))
    surplus = make_payment(order)
    surplus.is_surplus = True
    surplus.save()
    assert plan(order, attempt_id=surplus.pk).amount == usd("100.00")
    assert plan(order, attempt_id=surplus.pk).shares == ()


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
def test_an_amount_is_more_than_nothing(amount: str) -> None:
    order, _lines = make_order("100.00", "60.00")
    with pytest.raises(RefundAmountNeeded, match="USD"):
        plan(order, amount=usd(amount))


def test_the_excess_goes_back_before_any_share_of_a_line() -> None:
    _order, [first, second] = make_order("100.00", "60.00")
    remaining = {first: usd("100.00"), second: usd("60.00")}
    shares = divide_amount(usd("50.00"), remaining, excess=usd("50.00"))
    assert [share.amount for share in shares] == [usd("0.00"), usd("0.00")]
    shares = divide_amount(usd("58.00"), remaining, excess=usd("50.00"))
    assert [share.amount for share in shares] == [usd("5.00"), usd("3.00")]
    shares = divide_amount(usd("16.00"), remaining, excess=usd("50.00"))
    assert [share.amount for share in shares] == [usd("0.00"), usd("0.00")]


def test_an_excess_in_another_currency_is_not_subtracted() -> None:
    _order, [line] = make_order("100.00")
    [share] = divide_amount(usd("40.00"), {line: usd("100.00")}, excess=Money(5, "EUR"))
    assert share.amount == usd("40.00")


def test_lines_in_two_currencies_get_no_shares() -> None:
    _order, [first, second] = make_order("100.00", "60.00")
    shares = divide_amount(usd("40.00"), {first: usd("100.00"), second: Money(60, "EUR")}, excess=usd("0.00"))
    assert [share.amount for share in shares] == [usd("0.00"), Money(0, "EUR")]


def test_the_excess_counts_the_payments_of_this_order_in_its_currency() -> None:
    order, [first, _second] = make_order("100.00", "60.00", paid="200.00")
    assert find_excess(order) == usd("40.00")
    make_payment(order, paid="5000", paid_currency="JPY")
    assert find_excess(order) == usd("40.00")
    second_payment = make_payment(order)
    second_payment.is_surplus = True
    second_payment.save()
    assert find_excess(order) == usd("40.00"), "a second payment is refunded separately"
    refund(order, line_ids=(first.pk,))
    assert find_excess(order) == usd("40.00")
    assert remaining_price(OrderLine.objects.get(pk=first.pk)) == usd("0.00")


def test_less_money_than_the_prices_is_no_excess() -> None:
    order, _lines = make_order("100.00", "60.00", paid="150.00")
    assert find_excess(order) == usd("0.00")


def test_only_free_lines_are_taken_back_without_money() -> None:
    order, [paid, free] = make_order("100.00", "60.00")
    make_free(order, free)
    assert find_free_lines(order, (free.pk,)) == [free]
    assert find_free_lines(order, (paid.pk, free.pk)) == []
    assert find_free_lines(order, None) == []
    undo_free_order(order_id=order.pk, choice=choose(line_ids=(free.pk,)), now=NOON, by_id=None)
    assert find_free_lines(order, (free.pk,)) == []


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.CANCELED, OrderState.REVIEW])
def test_no_line_is_taken_back_of_an_order_that_gave_nothing(state: OrderState) -> None:
    order, [line] = make_order("100.00")
    make_free(order, line)
    assert find_free_lines(order, None) == [line]
    order.state = state
    assert find_free_lines(order, None) == []


@pytest.mark.parametrize(
    ("after", "is_left"),
    [(EnrollmentAfter.KEEP, True), (EnrollmentAfter.AUDIT, False), (EnrollmentAfter.REMOVE, False)],
)
def test_a_free_line_that_a_refund_took_is_not_taken_twice(after: EnrollmentAfter, is_left: bool) -> None:
    order, [_paid, free] = make_order("100.00", "60.00")
    make_free(order, free)
    refund(order, enrollment_after=after)
    assert find_free_lines(Order.objects.get(pk=order.pk), (free.pk,)) == ([free] if is_left else [])
