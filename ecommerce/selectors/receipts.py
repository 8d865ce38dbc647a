"""The orders and receipts of a buyer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courses.selectors.run_dates import format_run_dates
from ecommerce.enums import (
    COMPLETED_STATES,
    COUNTED_REFUND_STATES,
    FAILED_REFUND_STATES,
    RESERVED_REFUND_STATES,
    AttemptState,
    OrderState,
    RefundOrigin,
    RefundState,
)
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.models import Order, OrderLine, OrderLineCourse, OrderQuerySet, PaymentAttempt, Refund, ShopSettings
from ecommerce.selectors.refund_window import RefundWindow, refund_window
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.addresses import format_address
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_site_id

# Fewer digits than this are an id that the database can hold.
ID_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a receipt, in the order's currency."""

    list_price: Money
    discount: Money
    tax: Money | None  # contained in `due`; None if the gateway didn't name it
    due: Money
    refunded: Money  # what went back or is on its way, second payments aside

    @property
    def kept(self) -> Money:
        return self.due - self.refunded


@dataclass(frozen=True, slots=True)
class Receipt:
    """An order as its buyer sees it, from the snapshots of its lines alone."""

    order: Order
    lines: tuple[OrderLine, ...]
    paid_by: PaymentAttempt | None
    refunds: tuple[Refund, ...]
    failed_refunds: tuple[Refund, ...]

    @property
    def course_count(self) -> int:
        """How many courses the lines give their buyer: of a program those that they didn't have."""
        return sum(_count_courses(line) for line in self.lines if not line.is_group)

    @property
    def returned(self) -> tuple[Money, ...]:
        """What went back or is on its way: a sum for each currency, second payments aside."""
        sums: dict[str, Money] = {}
        for refund in self.refunds:
            if not refund.attempt.is_surplus:
                sums[refund.currency] = sums.get(refund.currency, refund.money.zero) + refund.money
        return tuple(sums.values())

    @property
    def returned_text(self) -> str:
        return " + ".join(money.formatted() for money in self.returned) or self.order.money.zero.formatted()

    @property
    def totals(self) -> Totals:
        order = self.order
        refunded = (money for money in self.returned if money.currency == order.currency)
        return Totals(
            list_price=Money(order.list_total, order.currency),
            discount=Money(order.discount_total, order.currency),
            tax=Money(order.tax_total, order.currency) if order.tax_total is not None else None,
            due=order.money,
            refunded=next(refunded, order.money.zero),
        )


@dataclass(frozen=True, slots=True)
class GivenCourse:
    """A course of a program that was bought, with its start or that the buyer had it."""

    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.title}: {self.text}"


@dataclass(frozen=True, slots=True)
class LineData:
    """One line of a receipt."""

    id: int
    title: str
    item_id: str
    mode: str
    seats: int | None  # of a group; None if the course is the buyer's own
    unit_price: Money
    list_price: Money
    discount: Money
    due: Money
    refunded: Money
    discount_label: str
    dates: str
    courses: tuple[str, ...]  # of a program, each with its start
    refund_until: date | None
    provider: str

    @property
    def seats_text(self) -> str:
        return seats_text(self.seats, self.unit_price)


@dataclass(frozen=True, slots=True)
class RefundData:
    """One refund, as far as the buyer is told."""

    amount: Money
    state: str
    recorded_at: datetime
    settled_at: datetime | None
    line_ids: tuple[int, ...]
    is_by_bank: bool = False


@dataclass(frozen=True, slots=True)
class BilledTo:
    """The name and address an order was billed to, with a company's contact and purchase order number."""

    name: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str
    tax_id: str
    contact_name: str = ""
    contact_email: str = ""
    po_number: str = ""

    @property
    def contact(self) -> str:
        """Return name and address of the contact on one line."""
        return ", ".join(part for part in (self.contact_name, self.contact_email) if part)

    @property
    def text(self) -> str:
        """Return the address on one line, without the name."""
        return ", ".join(
            format_address(
                street=self.street,
                postal_code=self.postal_code,
                city=self.city,
                region=self.region,
                country=self.country,
            )
        )


@dataclass(frozen=True, slots=True)
class Seller:
    """The seller according to the shop's settings. Where these are empty, the site's brand is named."""

    name: str
    address: str
    tax_id: str
    support_email: str
    support_url: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptData:
    """A receipt as plain data: for PDF, API and exports."""

    number: str
    state: str
    currency: str
    placed_at: datetime
    fulfilled_at: datetime | None
    buyer_name: str
    buyer_email: str
    billed_to: BilledTo
    paid_by: str
    paid_with: str
    gateway: str
    lines: tuple[LineData, ...]
    course_count: int
    refunds: tuple[RefundData, ...]
    totals: Totals
    seller: Seller
    refund_until: date | None
    refund_days_differ: bool
    may_ask_for_refund: bool
    refund_request_state: str


def receipt_for(*, user_id: int, number: str) -> Receipt:
    """Return one order of this buyer, by its number in any case. Raises OrderUnknown, also for orders of others."""
    return _find_receipt(orders_with_refunds().of(user_id).filter(number__iexact=number))


def receipt_by_id(*, user_id: int, order_id: int) -> Receipt:
    """Return one order of this buyer. Raises OrderUnknown, also for orders of others."""
    return _find_receipt(orders_with_refunds().of(user_id).filter(pk=order_id))


def orders_with_refunds() -> OrderQuerySet:
    """Return orders with what their receipts need; `make_receipts` makes these."""
    shown = Refund.objects.filter(
        Q(state__in=(*COUNTED_REFUND_STATES, *RESERVED_REFUND_STATES))
        | Q(state__in=FAILED_REFUND_STATES, took_effect_at__isnull=False) & ~Q(gateway_refund_id="")
    )
    return _with_lines_and_attempts().prefetch_related(
        Prefetch("refunds", queryset=shown.select_related("attempt").order_by("recorded_at", "pk")),
        "refund_requests",
        "disputes",
    )


def make_receipts(orders: Collection[Order]) -> list[Receipt]:
    """Make the receipts of `orders_with_refunds`; two queries where any line is a program, whatever the number."""
    prefetch_program_courses(line for order in orders for line in order.lines.all())
    return [_make_receipt(order) for order in orders]


def _find_receipt(orders: OrderQuerySet) -> Receipt:
    receipts = make_receipts(orders[:1])
    if not receipts:
        raise OrderUnknown
    return receipts[0]


def _make_receipt(order: Order) -> Receipt:
    refunds = [refund for refund in order.refunds.all() if refund.origin != RefundOrigin.BANK or refund.is_alive]
    alive = tuple(refund for refund in refunds if refund.is_alive)
    # A refund that failed is no news once a later refund of the same payment has taken its place.
    failed = tuple(
        refund
        for refund in refunds
        if not refund.is_alive
        and not any(later.attempt_id == refund.attempt_id and later.pk > refund.pk for later in alive)
    )
    paid = (each for each in order.attempts.all() if each.state == AttemptState.PAID and not each.is_surplus)
    return Receipt(
        order=order,
        lines=tuple(order.lines.all()),
        paid_by=next(paid, None),
        refunds=alive,
        failed_refunds=failed,
    )


def find_order(*, user_id: int, name: str) -> Order:
    """Return one order of this buyer by its id or its number. Raises OrderUnknown, also for orders of others."""
    is_id = name.isascii() and name.isdigit() and len(name) < ID_DIGITS
    wanted = Q(pk=int(name)) if is_id else Q(number__iexact=name)
    order = Order.objects.of(user_id).filter(wanted).first()
    if order is None:
        raise OrderUnknown
    return order


def orders_of(user_id: int) -> OrderQuerySet:
    """Return the buyer's orders on the current site with their lines and attempts, newest first.

    Those canceled aren't among them.

    A list shows orders, not receipts: their refunds aren't read, so a list can't say what was refunded.
    """
    return _with_lines_and_attempts().of(user_id).of_site(current_site_id()).exclude(state=OrderState.CANCELED)


def completed_orders_of(user_id: int) -> OrderQuerySet:
    """Return the orders whose buyer got what they bought, with what `refund_window` reads."""
    return (
        orders_of(user_id)
        .filter(state__in=COMPLETED_STATES)
        .prefetch_related("lines__courses__run", "refund_requests", "disputes")
    )


def receipt_data(receipt: Receipt, *, now: datetime, shop: ShopSettings | None = None) -> ReceiptData:
    """Return a receipt as plain data. Without `shop` the settings of the order's site are one more query."""
    shop = shop or shop_settings(receipt.order.site_id)
    refunds = [refund for refund in receipt.refunds if not refund.attempt.is_surplus]
    prefetch_related_objects(refunds, "lines")
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
        paid_by=find_payer(receipt.lines),
        paid_with=receipt.paid_by.paid_with if receipt.paid_by else "",
        gateway=receipt.paid_by.gateway if receipt.paid_by else "",
        lines=tuple(_line_data(line, window, now=now) for line in receipt.lines),
        course_count=receipt.course_count,
        refunds=tuple(_refund_data(refund) for refund in refunds),
        totals=receipt.totals,
        seller=Seller(
            shop.seller,
            shop.seller_address,
            shop.seller_tax_id,
            shop.support_email,
            shop.support_url,
            shop.receipt_text,
        ),
        refund_until=window.until if window.refusal is None else None,
        refund_days_differ=window.days_differ,
        may_ask_for_refund=window.refusal is None,
        refund_request_state=next((str(request.state) for request in order.refund_requests.all()), ""),
    )


def billed_to(order: Order) -> BilledTo:
    """Return the company that the buyer named, else what the gateway billed to, else the buyer's name alone."""
    return BilledTo(
        name=order.company or order.billing_name or order.purchaser.display_name,
        street=order.billing_street,
        city=order.billing_city,
        region=order.billing_region,
        postal_code=order.billing_postal_code,
        country=order.billing_country,
        tax_id=order.billing_tax_id,
        contact_name=order.contact_name,
        contact_email=order.contact_email,
        po_number=order.po_number,
    )


def seats_text(seats: int | None, unit_price: Money) -> str:
    """Return “40 seats × $249.00”; empty for a course that isn't for a group."""
    if seats is None:
        return ""
    counted = ngettext("%(count)d seat", "%(count)d seats", seats) % {"count": seats}
    return f"{counted} × {unit_price.formatted()}"


def find_payer(lines: Sequence[OrderLine]) -> str:
    """Return the organization that paid for all of these lines; empty where the buyer paid something."""
    providers = {line.provider for line in lines}
    return providers.pop() if len(providers) == 1 and all(line.due == 0 for line in lines) else ""


def prefetch_program_courses(lines: Iterable[OrderLine]) -> None:
    """Load the courses of programs with their runs; two queries, none where no line is a program."""
    prefetch_related_objects([line for line in lines if line.product.program_id is not None], "courses__run")


def describe_courses(line: OrderLine, *, now: datetime) -> tuple[GivenCourse, ...]:
    """Return the courses of a program that was bought."""
    if line.product.program_id is None:
        return ()
    return tuple(GivenCourse(row.title, _describe_start(row, line.currency, now)) for row in line.courses.all())


def _count_courses(line: OrderLine) -> int:
    given = [row for row in line.courses.all() if not row.is_owned] if line.product.program_id is not None else []
    return len(given) or 1


def _describe_start(row: OrderLineCourse, currency: str, now: datetime) -> str:
    if row.run is not None:
        return format_run_dates(row.run, now) or _("open now")
    if not row.deducted:
        return _("you already had it")
    return _("you already had it, −%(amount)s") % {"amount": Money(row.deducted, currency).formatted()}


def _line_data(line: OrderLine, window: RefundWindow, *, now: datetime) -> LineData:
    run = line.product.course_run
    return LineData(
        id=line.pk,
        title=line.title,
        item_id=line.item_id,
        mode=str(line.mode),
        seats=line.seats,
        unit_price=line.unit_price,
        list_price=Money(line.list_price, line.currency),
        discount=Money(line.discount_amount, line.currency),
        due=line.money,
        refunded=Money(line.refunded, line.currency),
        discount_label=line.discount_note,
        dates=format_run_dates(run, now) if run is not None else "",
        courses=tuple(map(str, describe_courses(line, now=now))),
        refund_until=window.last_days.get(line.pk) if window.refusal is None else None,
        provider=line.provider,
    )


def _refund_data(refund: Refund) -> RefundData:
    return RefundData(
        amount=refund.money,
        # Buyers only learn whether a refund is on its way or has arrived, not how far it got here.
        state=str(RefundState.SUCCEEDED if refund.state == RefundState.SUCCEEDED else RefundState.PENDING),
        recorded_at=refund.recorded_at,
        settled_at=refund.settled_at if refund.state == RefundState.SUCCEEDED else None,
        line_ids=tuple(part.line_id for part in refund.lines.all()),
        is_by_bank=refund.origin == RefundOrigin.BANK,
    )


def _with_lines_and_attempts() -> OrderQuerySet:
    return Order.objects.select_related("purchaser").prefetch_related(
        Prefetch(
            "lines",
            queryset=OrderLine.objects.select_related(
                "product__course_run__course__department", "product__program__department"
            ),
        ),
        "attempts",
    )
