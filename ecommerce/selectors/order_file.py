"""Orders as a file: one row for each line, with what accounting asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Order, OrderLine, PaymentAttempt
from ecommerce.roles import WHOLE_SHOP, ShopScope
from ecommerce.selectors.order_desk import course_of_line
from mitxonline.kernel.money import Money, spread

ORDERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class OrderFileRow:
    """One line of an order. Amounts are in the order's currency and have its decimals.

    `paid` is the line's part of what arrived, and None if that was in another currency.
    """

    number: str
    state: str
    placed_at: datetime
    fulfilled_at: datetime | None
    buyer: str
    email: str
    course: str
    key: str
    sku: str
    mode: str
    seats: int | None
    company: str
    po_number: str
    code: str
    discount_name: str
    list_price: Decimal
    discount: Decimal
    price: Decimal
    tax: Decimal | None
    paid: Decimal | None
    refunded: Decimal
    currency: str
    gateway: str
    payment_id: str
    paid_with: str
    reason: str


def order_file_rows(orders: QuerySet[Order], scope: ShopScope = WHOLE_SHOP) -> Iterator[OrderFileRow]:
    """Yield the rows of these orders, for the lines that the scope covers; orders are read in portions."""
    lines_with = ("lines__code", *(() if scope.is_whole else ("lines__product__course_run",)))
    found = orders.select_related("purchaser").prefetch_related(*lines_with, "attempts")
    for order in found.iterator(chunk_size=ORDERS_AT_ONCE):
        lines = sorted(order.lines.all(), key=lambda line: line.pk)
        payment = _payment_of(order)
        paid = _divide_payment(lines, payment)
        for line, tax in zip(lines, _divide_tax(order, lines), strict=True):
            if scope.is_whole or scope.has(course_of_line(line)):
                yield _row(order, line, payment, tax=tax, paid=paid[line.pk])


def _payment_of(order: Order) -> PaymentAttempt | None:
    """The payment that counts for the order, or else the last try."""
    attempts = sorted(order.attempts.all(), key=lambda attempt: (attempt.started_at, attempt.pk))
    paid = [attempt for attempt in attempts if attempt.state == AttemptState.PAID and not attempt.is_surplus]
    return next(iter(paid), attempts[-1] if attempts else None)


def _divide_tax(order: Order, lines: list[OrderLine]) -> list[Decimal | None]:
    """The tax of each line: the order's, which the parts add up to."""
    if order.tax_total is None or not lines:
        return [None] * len(lines)
    parts = _divide(Money(order.tax_total, order.currency), lines)
    return [parts[line.pk] for line in lines]


def _divide_payment(lines: list[OrderLine], payment: PaymentAttempt | None) -> Mapping[int, Decimal | None]:
    """What arrived for each line."""
    if payment is None or payment.state != AttemptState.PAID or not lines:
        return {line.pk: line.money.zero.amount for line in lines}
    arrived = payment.paid_money
    if arrived.currency != lines[0].currency:
        return dict.fromkeys((line.pk for line in lines), None)
    return _divide(arrived, lines)


def _divide(amount: Money, lines: list[OrderLine]) -> dict[int, Decimal]:
    """Divide an amount in proportion to the prices; what is more than the prices is with the first line."""
    parts = spread(amount, {line.pk: line.money for line in lines})
    parts[lines[0].pk] += amount - sum(parts.values(), amount.zero)
    return {key: part.amount for key, part in parts.items()}


def _row(
    order: Order, line: OrderLine, payment: PaymentAttempt | None, *, tax: Decimal | None, paid: Decimal | None
) -> OrderFileRow:
    def amount(value: Decimal) -> Decimal:
        return Money(value, line.currency).amount

    return OrderFileRow(
        number=order.number,
        state=str(OrderState(order.state).label),
        placed_at=order.placed_at,
        fulfilled_at=order.fulfilled_at,
        buyer=order.purchaser.name,
        email=order.purchaser.email,
        course=line.title,
        key=line.item_id,
        sku=line.sku,
        mode=line.get_mode_display(),
        seats=line.seats,
        company=order.company,
        po_number=order.po_number,
        code=str(line.code) if line.code is not None else "",
        discount_name=line.discount_label,
        list_price=amount(line.list_price),
        discount=amount(line.discount_amount),
        price=amount(line.due),
        tax=tax,
        paid=paid,
        refunded=amount(line.refunded),
        currency=line.currency,
        gateway=payment.gateway_name if payment is not None else "",
        payment_id=payment.payment_id if payment is not None else "",
        paid_with=payment.paid_with if payment is not None else "",
        reason=order.explanation,
    )
