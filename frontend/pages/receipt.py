"""A receipt as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ecommerce.enums import OPEN_DISPUTE_STATES, OrderState, PaymentStanding, ReviewCause
from ecommerce.models import Order, RefundRequest, ShopSettings
from ecommerce.selectors.payments import payment_standing
from ecommerce.selectors.receipts import BilledTo, Receipt, billed_to, receipt_for
from ecommerce.selectors.refund_window import RefundWindow, refund_window
from ecommerce.selectors.shop import shop_settings


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """One order of the buyer's, how its payment stands, and whether they may ask for their money."""

    receipt: Receipt
    standing: PaymentStanding
    shop: ShopSettings
    window: RefundWindow
    now: datetime

    @property
    def order(self) -> Order:
        """The order it is the receipt of."""
        return self.receipt.order

    @property
    def is_processing(self) -> bool:
        """Whether the bank takes its time with the payment."""
        return self.standing == PaymentStanding.PROCESSING

    @property
    def is_confirming(self) -> bool:
        """Whether the buyer came back from paying and the gateway hasn't said yet how it went."""
        return self.standing == PaymentStanding.CONFIRMING

    @property
    def is_received(self) -> bool:
        """Whether the money is here and the course is just being opened."""
        return self.standing == PaymentStanding.RECEIVED

    @property
    def billed_to(self) -> BilledTo:
        """Whom the order was billed to."""
        return billed_to(self.order)

    @property
    def is_in_doubt(self) -> bool:
        """Whether no one can say yet that the money is here."""
        return self.standing == PaymentStanding.IN_DOUBT

    @property
    def is_refund_lost(self) -> bool:
        """Whether the order waits because a refund didn't arrive."""
        return self.order.review_cause == ReviewCause.REFUND_FAILED

    @property
    def is_paid_twice(self) -> bool:
        """Whether a second payment is here that isn't on its way back yet."""
        return any(not attempt.refundable.is_zero for attempt in self.order.second_payments)

    @property
    def is_surplus_on_its_way(self) -> bool:
        """Whether a second payment of this order goes back."""
        return any(refund.attempt.is_surplus for refund in self.receipt.refunds)

    @property
    def is_disputed(self) -> bool:
        """Whether the buyer's bank asks for the money."""
        return any(dispute.state in OPEN_DISPUTE_STATES for dispute in self.order.disputes.all())

    @property
    def request(self) -> RefundRequest | None:
        """The latest request of the buyer's for their money."""
        return next(iter(self.order.refund_requests.all()), None)

    @property
    def ask_until(self) -> date | None:
        """The last day to ask for a refund, while one can be asked for."""
        return self.window.until if self.window.refusal is None else None


def receipt_page(*, user_id: int, number: str, now: datetime) -> ReceiptPage:
    """The receipt of this number; OrderUnknown for someone else's and for none."""
    receipt = receipt_for(user_id=user_id, number=number)
    shop = shop_settings()
    return ReceiptPage(
        receipt=receipt,
        standing=payment_standing(receipt.order),
        shop=shop,
        window=refund_window(receipt.order, now=now, shop=shop),
        now=now,
    )


def order_from_basket(*, user_id: int, basket_id: int | None) -> Order | None:
    """The latest order someone had fulfilled from this basket, if they did: a second press finds the first one's."""
    if basket_id is None:
        return None
    bought = Order.objects.of(user_id).filter(basket_id=basket_id, state=OrderState.FULFILLED)
    return bought.order_by("-placed_at", "-pk").first()
