"""What a buyer sees of their orders."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch

from ecommerce.enums import AttemptState, OrderState
from ecommerce.errors import OrderUnknown
from ecommerce.models import Order, OrderLine, OrderQuerySet, PaymentAttempt
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """An order as its buyer reads it, from the snapshots alone."""

    order: Order
    lines: tuple[OrderLine, ...]
    paid_by: PaymentAttempt | None

    @property
    def list_total(self) -> Money:
        """The sum of the list prices."""
        return Money(self.order.list_total, self.order.currency)

    @property
    def discount_total(self) -> Money:
        """What was taken off."""
        return Money(self.order.discount_total, self.order.currency)

    @property
    def total(self) -> Money:
        """What was paid, or is to be."""
        return self.order.money

    @property
    def is_final(self) -> bool:
        """Whether the buyer has what was bought."""
        return self.order.state in {OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED}


def receipt_for(*, user_id: int, number: str) -> Receipt:
    """One order of this buyer; OrderUnknown for anybody else's and for none (X1)."""
    order = _orders_with_lines().of(user_id).filter(number=number).first()
    if order is None:
        raise OrderUnknown
    return _receipt(order)


def orders_of(user_id: int) -> list[Receipt]:
    """All the buyer's orders that came to something or still may, newest first; three queries for any number."""
    orders = _orders_with_lines().of(user_id).exclude(state=OrderState.CANCELED)
    return [_receipt(order) for order in orders]


def _orders_with_lines() -> OrderQuerySet:
    return Order.objects.select_related("purchaser").prefetch_related(
        Prefetch(
            "lines",
            queryset=OrderLine.objects.select_related(
                "product__course_run__course__department", "product__program__department"
            ),
        ),
        Prefetch("attempts", queryset=PaymentAttempt.objects.filter(state=AttemptState.PAID)),
    )


def _receipt(order: Order) -> Receipt:
    return Receipt(order=order, lines=tuple(order.lines.all()), paid_by=next(iter(order.attempts.all()), None))
