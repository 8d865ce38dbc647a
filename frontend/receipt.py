"""A receipt as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Order, PaymentAttempt
from ecommerce.selectors.receipts import Receipt, receipt_for


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """One order of the buyer's, and whether a payment for it is still on its way."""

    receipt: Receipt
    is_processing: bool
    now: datetime

    @property
    def order(self) -> Order:
        """The order it is the receipt of."""
        return self.receipt.order


def receipt_page(*, user_id: int, number: str, now: datetime) -> ReceiptPage:
    """The receipt of this number; OrderUnknown for somebody else's and for none."""
    receipt = receipt_for(user_id=user_id, number=number)
    order = receipt.order
    processing = order.state == OrderState.PENDING and _is_processing(order)
    return ReceiptPage(receipt=receipt, is_processing=processing, now=now)


def _is_processing(order: Order) -> bool:
    return PaymentAttempt.objects.filter(order=order, state=AttemptState.PROCESSING).exists()


def order_from_basket(*, user_id: int, basket_id: int | None) -> Order | None:
    """The latest order somebody had fulfilled from this basket, if they did: a second press finds the first one's."""
    if basket_id is None:
        return None
    bought = Order.objects.of(user_id).filter(basket_id=basket_id, state=OrderState.FULFILLED)
    return bought.order_by("-placed_at", "-pk").first()
