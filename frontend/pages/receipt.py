"""A receipt as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.core.paginator import Page, Paginator

from ecommerce.enums import OPEN_DISPUTE_STATES, OrderState, PaymentStanding, ReviewCause
from ecommerce.models import DiscountCode, Order, OrderLine, RefundRequest, ShopSettings
from ecommerce.selectors.payments import payment_standing
from ecommerce.selectors.receipts import BilledTo, Receipt, billed_to, find_payer, receipt_for
from ecommerce.selectors.refund_window import RefundWindow, refund_window
from ecommerce.selectors.seat_sales import RegistrationCodeRow, codes_of_sales, describe_codes, sales_of_order
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.paging import find_page

CODES_ON_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """An order of the buyer, the standing of its payment, and whether they can request a refund.

    ``codes`` is a page of its registration codes; None where nothing was bought for a group.
    """

    receipt: Receipt
    standing: PaymentStanding
    shop: ShopSettings
    window: RefundWindow
    now: datetime
    codes: Page[DiscountCode] | None = None

    @property
    def order(self) -> Order:
        return self.receipt.order

    @property
    def code_rows(self) -> list[RegistrationCodeRow]:
        return describe_codes(self.codes) if self.codes is not None else []

    @property
    def gives_codes_only(self) -> bool:
        """Whether everything was bought for groups, so that its buyer has no course of their own."""
        return all(line.is_group for line in self.receipt.lines)

    @property
    def seat_count(self) -> int:
        return sum(line.seats or 0 for line in self.receipt.lines)

    @property
    def is_processing(self) -> bool:
        return self.standing == PaymentStanding.PROCESSING

    @property
    def is_confirming(self) -> bool:
        return self.standing == PaymentStanding.CONFIRMING

    @property
    def is_received(self) -> bool:
        return self.standing == PaymentStanding.RECEIVED

    @property
    def billed_to(self) -> BilledTo:
        return billed_to(self.order)

    @property
    def paid_by(self) -> str:
        """The organization that paid for the whole order."""
        return find_payer(self.receipt.lines)

    @property
    def is_in_doubt(self) -> bool:
        return self.standing == PaymentStanding.IN_DOUBT

    @property
    def is_refund_lost(self) -> bool:
        return self.order.review_cause == ReviewCause.REFUND_FAILED

    @property
    def is_paid_twice(self) -> bool:
        """Whether we have a second payment that isn’t being refunded yet."""
        return any(not attempt.refundable.is_zero for attempt in self.order.second_payments)

    @property
    def is_surplus_on_its_way(self) -> bool:
        """Whether a second payment is being refunded."""
        return any(refund.attempt.is_surplus for refund in self.receipt.refunds)

    @property
    def is_disputed(self) -> bool:
        return any(dispute.state in OPEN_DISPUTE_STATES for dispute in self.order.disputes.all())

    @property
    def request(self) -> RefundRequest | None:
        return next(iter(self.order.refund_requests.all()), None)

    @property
    def days_differ(self) -> bool:
        """Whether the lines of the order can be refunded until different days."""
        return self.window.days_differ

    def line_refund_day(self, line: OrderLine) -> date | None:
        """The last day to request a refund of this line, while that is possible."""
        return self.window.last_days.get(line.pk) if self.window.refusal is None else None

    @property
    def ask_until(self) -> date | None:
        """The last day to request a refund, while that is possible."""
        return self.window.until if self.window.refusal is None else None


def receipt_page(*, user_id: int, number: str, now: datetime, codes_page: str | None = None) -> ReceiptPage:
    """The receipt with this number. Raises OrderUnknown, also for someone else’s.

    ``codes_page`` is the page of its codes that is asked for.
    """
    receipt = receipt_for(user_id=user_id, number=number)
    shop = shop_settings(receipt.order.site_id)
    has_codes = receipt.order.is_completed and any(line.is_group for line in receipt.lines)
    codes = codes_of_sales(sales_of_order(receipt.order)) if has_codes else None
    return ReceiptPage(
        receipt=receipt,
        standing=payment_standing(receipt.order),
        shop=shop,
        window=refund_window(receipt.order, now=now, shop=shop),
        now=now,
        codes=find_page(Paginator(codes, CODES_ON_A_PAGE), codes_page) if codes is not None else None,
    )


def order_from_basket(*, user_id: int, basket_id: int | None) -> Order | None:
    """The latest order fulfilled from this basket: what the second request of a double click finds."""
    if basket_id is None:
        return None
    fulfilled = Order.objects.of(user_id).filter(basket_id=basket_id, state=OrderState.FULFILLED)
    return fulfilled.order_by("-placed_at", "-pk").first()
