"""What a buyer sees of their orders, and the same as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Prefetch, Q

from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    FAILED_REFUND_STATES,
    RESERVED_REFUND_STATES,
    AttemptState,
    OrderState,
    RefundOrigin,
    RefundState,
)
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.models import Order, OrderLine, OrderQuerySet, PaymentAttempt, Refund, RefundRequest, ShopSettings
from ecommerce.selectors.refund_window import RefundWindow, refund_window
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """An order as its buyer reads it, from the snapshots alone. Lists leave ``refunds`` out."""

    order: Order
    lines: tuple[OrderLine, ...]
    paid_by: PaymentAttempt | None
    refunds: tuple[Refund, ...] = ()
    failed_refunds: tuple[Refund, ...] = ()

    @property
    def surplus(self) -> tuple[PaymentAttempt, ...]:
        """Payments of an order that had been paid before."""
        return tuple(each for each in self.order.attempts.all() if each.state == AttemptState.PAID and each.is_surplus)

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
    def tax_total(self) -> Money | None:
        """The tax contained in the total, where the gateway named it."""
        return None if self.order.tax_total is None else Money(self.order.tax_total, self.order.currency)

    @property
    def returned(self) -> tuple[Money, ...]:
        """What went back, or is on its way: one sum for each currency, second payments left out."""
        sums: dict[str, Money] = {}
        for refund in self.refunds:
            if not refund.attempt.is_surplus:
                sums[refund.currency] = sums.get(refund.currency, refund.money.zero) + refund.money
        return tuple(sums.values())

    @property
    def returned_text(self) -> str:
        """The same as a person reads it."""
        return " + ".join(money.formatted() for money in self.returned) or self.order.money.zero.formatted()

    @property
    def refunded_total(self) -> Money:
        """What went back, or is on its way; second payments left out."""
        own = (each.money for each in self.refunds if not each.attempt.is_surplus)
        return Money.sum((money for money in own if money.currency == self.order.currency), self.order.currency)

    @property
    def kept_total(self) -> Money:
        """What the buyer has paid in the end."""
        return self.total - self.refunded_total

    @property
    def is_final(self) -> bool:
        """Whether the buyer has what was bought, or had it."""
        return self.order.state in {OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED}


@dataclass(frozen=True, slots=True)
class LineData:
    """One line of a receipt as plain data."""

    id: int
    title: str
    item_id: str
    mode: str
    list_price: Money
    discount: Money
    due: Money
    refunded: Money
    discount_label: str


@dataclass(frozen=True, slots=True)
class RefundData:
    """One refund as its buyer may know it."""

    amount: Money
    state: str
    recorded_at: datetime
    settled_at: datetime | None
    line_ids: tuple[int, ...]
    is_by_bank: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Whom the order was billed to."""

    name: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str
    tax_id: str

    @property
    def text(self) -> str:
        """The address in one line, without the name."""
        city = " ".join(part for part in (self.postal_code, self.city) if part)
        return ", ".join(part for part in (*self.street.split("\n"), city, self.region, self.country) if part)


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sold it, as the shop's settings say; what is empty there the site's brand fills in."""

    name: str
    address: str
    tax_id: str
    support_email: str


@dataclass(frozen=True, slots=True)
class ReceiptData:
    """An order with all its receipt says, as plain data: for PDF, API and exports."""

    number: str
    state: str
    currency: str
    placed_at: datetime
    fulfilled_at: datetime | None
    buyer_name: str
    buyer_email: str
    billed_to: Address
    paid_with: str
    gateway: str
    lines: tuple[LineData, ...]
    refunds: tuple[RefundData, ...]
    list_total: Money
    discount_total: Money
    tax_total: Money | None
    total: Money
    refunded_total: Money
    seller: Seller
    refund_until: date | None
    may_ask_for_refund: bool
    refund_request_state: str


def receipt_for(*, user_id: int, number: str) -> Receipt:
    """One order of this buyer, its number in any case; OrderUnknown for anyone else's and for none (X1)."""
    shown = Refund.objects.filter(
        Q(state__in=(*COUNTED_REFUND_STATES, *RESERVED_REFUND_STATES))
        | Q(state__in=FAILED_REFUND_STATES, took_effect_at__isnull=False) & ~Q(gateway_refund_id="")
    )
    orders = _orders_with_lines().prefetch_related(
        Prefetch("refunds", queryset=shown.select_related("attempt").order_by("recorded_at", "pk")),
        "refund_requests",
        "disputes",
    )
    order = orders.of(user_id).filter(number__iexact=number).first()
    if order is None:
        raise OrderUnknown
    refunds = [refund for refund in order.refunds.all() if refund.origin != RefundOrigin.BANK or refund.is_alive]
    alive = tuple(refund for refund in refunds if refund.is_alive)
    failed = (refund for refund in refunds if not refund.is_alive)
    return _receipt(order, refunds=alive, failed_refunds=tuple(each for each in failed if not _sent_again(each, alive)))


def orders_of(user_id: int) -> OrderHistory:
    """All the buyer's orders that came to something or still may, newest first; read page by page."""
    return OrderHistory(_orders_with_lines().of(user_id).exclude(state=OrderState.CANCELED))


class OrderHistory:
    """Someone's orders, as a paginator takes them. A page costs the same few queries however many there are in all."""

    def __init__(self, orders: OrderQuerySet) -> None:
        self._orders = orders

    def count(self) -> int:
        """How many there are."""
        return self._orders.count()

    def __getitem__(self, wanted: slice) -> list[Receipt]:
        return [_receipt(order) for order in self._orders[wanted]]

    def __iter__(self) -> Iterator[Receipt]:
        return iter(self[:])


def receipt_data(receipt: Receipt, *, now: datetime, shop: ShopSettings | None = None) -> ReceiptData:
    """A receipt as plain data; one query more for the shop's settings unless they are given."""
    shop = shop or shop_settings()
    order, window = receipt.order, refund_window(receipt.order, now=now, shop=shop)
    return ReceiptData(
        number=order.number,
        state=str(order.state),
        currency=order.currency,
        placed_at=order.placed_at,
        fulfilled_at=order.fulfilled_at,
        buyer_name=order.purchaser.display_name,
        buyer_email=order.purchaser.email,
        billed_to=billed_to(order),
        paid_with=receipt.paid_by.paid_with if receipt.paid_by else "",
        gateway=receipt.paid_by.gateway if receipt.paid_by else "",
        lines=tuple(_line_data(line) for line in receipt.lines),
        refunds=tuple(_refund_data(refund) for refund in receipt.refunds if not refund.attempt.is_surplus),
        list_total=receipt.list_total,
        discount_total=receipt.discount_total,
        tax_total=receipt.tax_total,
        total=receipt.total,
        refunded_total=receipt.refunded_total,
        seller=Seller(shop.seller_name, shop.seller_address, shop.seller_tax_id, shop.support_email),
        refund_until=_until(window),
        may_ask_for_refund=window.refusal is None,
        refund_request_state=_request_state(order),
    )


def billed_to(order: Order) -> Address:
    """Whom the gateway billed; without a word of it the buyer's name alone."""
    return Address(
        name=order.billing_name or order.purchaser.display_name,
        street=order.billing_street,
        city=order.billing_city,
        region=order.billing_region,
        postal_code=order.billing_postal_code,
        country=order.billing_country,
        tax_id=order.billing_tax_id,
    )


def _until(window: RefundWindow) -> date | None:
    return window.until if window.refusal is None else None


def _request_state(order: Order) -> str:
    latest: RefundRequest | None = next(iter(order.refund_requests.all()), None)
    return str(latest.state) if latest else ""


def _line_data(line: OrderLine) -> LineData:
    return LineData(
        id=line.pk,
        title=line.title,
        item_id=line.item_id,
        mode=str(line.mode),
        list_price=Money(line.list_price, line.currency),
        discount=Money(line.discount_amount, line.currency),
        due=line.money,
        refunded=Money(line.refunded, line.currency),
        discount_label="" if line.requires_code else line.discount_label,
    )


def _refund_data(refund: Refund) -> RefundData:
    return RefundData(
        amount=refund.money,
        # A buyer is not told how far it got here: it is on its way, or it went back.
        state=str(RefundState.SUCCEEDED if refund.state == RefundState.SUCCEEDED else RefundState.PENDING),
        recorded_at=refund.recorded_at,
        settled_at=refund.settled_at if refund.state == RefundState.SUCCEEDED else None,
        line_ids=tuple(part.line_id for part in refund.lines.all()),
        is_by_bank=refund.origin == RefundOrigin.BANK,
    )


def _sent_again(failed: Refund, alive: Iterable[Refund]) -> bool:
    """Whether a later refund of the same payment takes the place of one that didn't arrive."""
    return any(later.attempt_id == failed.attempt_id and later.pk > failed.pk for later in alive)


def _orders_with_lines() -> OrderQuerySet:
    return Order.objects.select_related("purchaser").prefetch_related(
        Prefetch(
            "lines",
            queryset=OrderLine.objects.select_related(
                "product__course_run__course__department", "product__program__department"
            ),
        ),
        "attempts",
    )


def _receipt(order: Order, *, refunds: tuple[Refund, ...] = (), failed_refunds: tuple[Refund, ...] = ()) -> Receipt:
    return Receipt(
        order=order,
        lines=tuple(order.lines.all()),
        paid_by=next((each for each in order.attempts.all() if _has_paid(each)), None),
        refunds=refunds,
        failed_refunds=failed_refunds,
    )


def _has_paid(attempt: PaymentAttempt) -> bool:
    return attempt.state == AttemptState.PAID and not attempt.is_surplus
