"""Orders and refunds as finance sees them at the desk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Sum, TextChoices, Value, When
from django.utils.translation import gettext_lazy as _
from wagtail.models import ModelLogEntry

from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    OPEN_DISPUTE_STATES,
    AttemptState,
    DisputeState,
    OrderState,
    RefundRequestState,
    RefundState,
    RefundWhy,
)
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.gateways.registry import gateways
from ecommerce.models import (
    CodeUse,
    Dispute,
    Invoice,
    Order,
    OrderLine,
    OrderNote,
    PaymentAttempt,
    Refund,
    RefundLine,
    RefundRequest,
)
from ecommerce.roles import ShopScope
from ecommerce.selectors.payments import UNDOABLE_STATES, lines_taken_back, next_to_refund
from ecommerce.selectors.receipts import BilledTo, billed_to, describe_courses, prefetch_program_courses, seats_text
from ecommerce.selectors.seat_sales import (
    OrderedSeats,
    RegistrationCodeRow,
    codes_of_sales,
    count_seats,
    describe_codes,
    sales_of_order,
)
from ecommerce.selectors.seats import count_redeemed_seats, price_of_seats, seats_left
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money

# A buyer with more has a list of them.
OTHERS_SHOWN = 10
# Longer numbers are no amounts.
MAX_DIGITS = 12


class Attention(TextChoices):
    """Why staff have to look at an order, the most urgent reason first."""

    REVIEW = "review", _("In review")
    DISPUTE = "dispute", _("Disputed")
    REQUEST = "request", _("Refund requested")
    TWICE = "twice", _("Paid twice")
    DIFFERS = "differs", _("Refund differs")
    SEATS = "seats", _("Refund without its seats")
    FAILED = "failed", _("Refund failed")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the order's log, in words."""

    at: datetime
    actor: str
    action: str
    reason: str
    details: str


# So many registration codes of an order its page lists; the page of a code finds any other.
CODES_AT_DESK = 100


@dataclass(frozen=True, slots=True)
class LineAtDesk:
    """One line with what is left of its price. ``counts`` says what became of a group's codes."""

    line: OrderLine
    code: str
    listed: Money
    refunded: Money
    left: Money
    courses: tuple[str, ...]
    seats_text: str = ""
    counts: OrderedSeats | None = None
    codes: tuple[RegistrationCodeRow, ...] = ()
    redeemed: int = 0

    @property
    def seats_left(self) -> int:
        """How many seats of a group weren't refunded."""
        return seats_left(self.line)

    @property
    def seats_free(self) -> int:
        """How many of these no one has redeemed."""
        return max(self.seats_left - self.redeemed, 0)

    @property
    def seat_price(self) -> Money:
        """What refunding the next seat costs."""
        return price_of_seats(self.line, 1)


@dataclass(frozen=True, slots=True)
class PaymentAtDesk:
    """One try to pay, with the address of its page at the gateway."""

    attempt: PaymentAttempt
    gateway_url: str


@dataclass(frozen=True, slots=True)
class OrderAtDesk:
    order: Order
    billed_to: BilledTo
    lines: tuple[LineAtDesk, ...]
    attempts: tuple[PaymentAttempt, ...]
    uses: tuple[CodeUse, ...]
    refunds: tuple[Refund, ...]
    requests: tuple[RefundRequest, ...]
    disputes: tuple[Dispute, ...]
    log: tuple[LogEntry, ...]
    notes: tuple[OrderNote, ...]
    others: tuple[Order, ...]
    hidden_lines: int = 0

    @property
    def is_part(self) -> bool:
        """Whether the reader sees some of the lines only, and so nothing about the order as a whole."""
        return bool(self.hidden_lines)

    def limit_to(self, scope: ShopScope) -> OrderAtDesk:
        """Return what someone may see with a role for some courses. Raises OrderUnknown if no line is of these."""
        if scope.is_whole:
            return self
        lines = tuple(each for each in self.lines if scope.has(course_of_line(each.line)))
        if not lines:
            raise OrderUnknown
        if len(lines) == len(self.lines):
            return replace(self, others=())
        line_ids, code_ids = {each.line.pk for each in lines}, {each.line.code_id for each in lines}
        return replace(
            self,
            lines=lines,
            hidden_lines=len(self.lines) - len(lines),
            uses=tuple(each for each in self.uses if each.code_id in code_ids),
            refunds=tuple(each for each in self.refunds if _is_of({p.line_id for p in each.lines.all()}, line_ids)),
            requests=tuple(each for each in self.requests if _is_of({p.pk for p in each.lines.all()}, line_ids)),
            disputes=(),
            log=(),
            notes=(),
            others=(),
        )

    @property
    def total(self) -> Money:
        if not self.is_part:
            return self.order.money
        return sum((each.line.money for each in self.lines), start=self.order.money.zero)

    @property
    def payments(self) -> list[PaymentAtDesk]:
        return [PaymentAtDesk(attempt, _find_gateway_url(attempt)) for attempt in self.attempts]

    @property
    def paid(self) -> tuple[Money, ...]:
        """What arrived, in each currency; nothing of the order's where no payment did."""
        totals: dict[str, Money] = {}
        for attempt in self.attempts:
            if attempt.state == AttemptState.PAID:
                money = attempt.paid_money
                totals[money.currency] = totals.get(money.currency, money.zero) + money
        return tuple(totals.values()) or (self.order.money.zero,)

    @property
    def open_request(self) -> RefundRequest | None:
        return next((each for each in self.requests if each.is_open), None)

    @property
    def marked(self) -> tuple[Refund, ...]:
        """The refunds of second payments, which wait for a decision."""
        return tuple(refund for refund in self.refunds if refund.state == RefundState.MARKED)

    @property
    def differing(self) -> tuple[Refund, ...]:
        """The refunds for which the gateway reported another amount."""
        return tuple(refund for refund in self.refunds if refund.state == RefundState.DIFFERS)

    @property
    def without_seats(self) -> tuple[Refund, ...]:
        """The refunds made elsewhere of which staff have to say which seats they were for."""
        if not any(each.seats_left for each in self.lines):
            return ()
        waiting = set(self.order.refunds.without_seats().values_list("pk", flat=True))
        return tuple(refund for refund in self.refunds if refund.pk in waiting)

    @property
    def refundable(self) -> Money:
        """What is left of the payment that is refunded next, in the currency paid."""
        payment = next_to_refund(self.attempts)
        if payment is None:
            return self.order.money.zero
        if not self.is_part:
            return payment.refundable
        left = sum((each.left for each in self.lines), start=self.order.money.zero)
        is_same = payment.refundable.currency == left.currency
        return min(left, payment.refundable) if is_same else self.order.money.zero

    @property
    def has_lines_to_choose(self) -> bool:
        """Whether staff can choose courses to refund. Their prices must be in the currency paid."""
        return (self.is_part or len(self.lines) > 1) and self.refundable.currency == self.order.currency

    @property
    def group_lines(self) -> tuple[LineAtDesk, ...]:
        """The lines for a group with seats that can be refunded one by one."""
        if self.order.state == OrderState.REVIEW or self.refundable.currency != self.order.currency:
            return ()
        return tuple(each for each in self.lines if each.seats_left and each.line.due)

    @property
    def is_free(self) -> bool:
        """Whether the order is undone instead of refunded, because it cost nothing."""
        return self.order.money.is_zero

    @property
    def free_lines(self) -> tuple[LineAtDesk, ...]:
        """The lines that cost nothing and can still be undone."""
        if self.order.state not in UNDOABLE_STATES:
            return ()
        free = [each for each in self.lines if not each.line.due and each.line.undone_at is None]
        refunded_ids = lines_taken_back(self.refunds) if free else set()
        return tuple(each for each in free if each.line.pk not in refunded_ids)

    @property
    def can_refund(self) -> bool:
        states = {OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REVIEW, OrderState.REFUNDED}
        return self.order.state in states and not self.refundable.is_zero

    @property
    def is_in_review(self) -> bool:
        return self.order.state == OrderState.REVIEW

    @property
    def has_receipt(self) -> bool:
        return self.order.fulfilled_at is not None

    @property
    def has_money_to_refund(self) -> bool:
        """Whether we hold money that must be refunded before the order can be canceled."""
        return any(
            attempt.state == AttemptState.PAID and attempt.refunded < attempt.paid_money.amount
            for attempt in self.attempts
        )


def orders_at_desk() -> QuerySet[Order]:
    """Return every order with its buyer, annotated with `attention`: an Attention, or empty."""
    requests = RefundRequest.objects.filter(order=OuterRef("pk"), state=RefundRequestState.ASKED)
    disputes = Dispute.objects.filter(order=OuterRef("pk"), state__in=OPEN_DISPUTE_STATES)
    marked = Refund.objects.filter(order=OuterRef("pk"), state=RefundState.MARKED)
    # A refund that failed needs no attention once a later one of the order has gone through.
    later = Refund.objects.filter(
        order=OuterRef("order"), recorded_at__gte=OuterRef("recorded_at"), pk__gt=OuterRef("pk")
    ).exclude(state__in=[RefundState.FAILED, RefundState.CANCELED])
    refunds = Refund.objects.filter(order=OuterRef("pk"))
    differs = refunds.filter(Q(state=RefundState.DIFFERS) | Q(is_counted=False, state__in=COUNTED_REFUND_STATES))
    gaps = PaymentAttempt.objects.filter(order=OuterRef("pk")).exclude(refund_gap=0)
    failed = refunds.filter(state=RefundState.FAILED).exclude(Exists(later))
    return Order.objects.select_related("purchaser", "site").annotate(
        attention=Case(
            When(state=OrderState.REVIEW, then=Value(Attention.REVIEW)),
            When(Exists(disputes), then=Value(Attention.DISPUTE)),
            When(Exists(requests), then=Value(Attention.REQUEST)),
            When(Exists(marked), then=Value(Attention.TWICE)),
            When(Exists(differs) | Exists(gaps), then=Value(Attention.DIFFERS)),
            When(Exists(refunds.without_seats()), then=Value(Attention.SEATS)),
            When(Exists(failed), then=Value(Attention.FAILED)),
            default=Value(""),
            output_field=CharField(),
        )
    )


def course_of_line(line: OrderLine) -> int | None:
    """Return the course that a line sells; None for a program, which has several."""
    run = line.product.course_run
    return run.course_id if run is not None else None


def of_scope(scope: ShopScope) -> Q:
    """Match the order lines that someone with a role for some courses may see."""
    return Q() if scope.is_whole else Q(product__course_run__course_id__in=scope.courses)


def orders_in_scope(orders: QuerySet[Order], scope: ShopScope) -> QuerySet[Order]:
    """Keep the orders with at least one such line."""
    if scope.is_whole:
        return orders
    return orders.filter(Exists(OrderLine.objects.filter(of_scope(scope), order=OuterRef("pk"))))


def refunds_in_scope(refunds: QuerySet[Refund], scope: ShopScope) -> QuerySet[Refund]:
    """Keep the refunds that are for such lines and no others."""
    if scope.is_whole:
        return refunds
    parts = RefundLine.objects.filter(refund=OuterRef("pk"))
    mine = parts.filter(line__product__course_run__course_id__in=scope.courses)
    others = parts.exclude(line__product__course_run__course_id__in=scope.courses)
    return refunds.filter(Exists(mine), ~Exists(others))


def orders_needing(attention: str) -> QuerySet[Order]:
    """Return the orders whose most urgent reason for a look is this one."""
    orders: QuerySet[Any] = orders_at_desk()
    return orders.filter(attention=attention)


@dataclass(frozen=True, slots=True)
class Sales:
    """The orders fulfilled on one day, and their totals by currency."""

    orders: int
    amounts: tuple[Money, ...]


def sold_between(first: date | None, last: date | None) -> QuerySet[Order]:
    """Return the orders that were fulfilled on these days, both included; None is no limit."""
    orders = Order.objects.filter(fulfilled_at__isnull=False)
    if first is not None:
        orders = orders.filter(fulfilled_at__gte=clock.start_of_day(first))
    return orders if last is None else orders.filter(fulfilled_at__lte=clock.end_of_day(last))


def sales_of_day(day: date) -> Sales:
    rows = sold_between(day, day).order_by("currency").values_list("currency").annotate(Count("pk"), Sum("total"))
    found = list(rows)
    return Sales(
        orders=sum(count for _currency, count, _total in found),
        amounts=tuple(Money(total, currency) for currency, _count, total in found if total),
    )


def refunds_at_desk() -> QuerySet[Refund]:
    """Return every refund that was started, with its order and who started it."""
    started = Refund.objects.exclude(state=RefundState.MARKED)
    return started.select_related("order", "begun_by").annotate(number=F("order__number"))


def order_at_desk(order_id: int) -> OrderAtDesk:
    """Return one order with everything about it, in a fixed number of queries. Raises OrderUnknown."""
    order = Order.objects.select_related("purchaser").filter(pk=order_id).first()
    if order is None:
        raise OrderUnknown
    return OrderAtDesk(
        order=order,
        billed_to=billed_to(order),
        lines=tuple(_describe_lines(order)),
        attempts=tuple(order.attempts.order_by("started_at", "pk")),
        uses=tuple(order.code_uses.select_related("code").order_by("pk")),
        refunds=tuple(
            order.refunds.select_related("begun_by", "attempt")
            .prefetch_related("lines__line")
            .order_by("recorded_at", "pk")
        ),
        requests=tuple(order.refund_requests.select_related("decided_by").prefetch_related("lines")),
        disputes=tuple(order.disputes.all()),
        log=tuple(read_log(order)),
        notes=tuple(order.notes.select_related("written_by")),
        others=tuple(
            Order.objects.filter(purchaser=order.purchaser_id)
            .exclude(pk=order.pk)
            .order_by("-placed_at")[:OTHERS_SHOWN]
        ),
    )


def _is_of(parts: set[int], lines: set[int]) -> bool:
    return bool(parts) and parts <= lines


def _find_gateway_url(attempt: PaymentAttempt) -> str:
    gateway = gateways().get(attempt.gateway)
    if gateway is None:
        return ""
    return gateway.dashboard_url(session_id=attempt.session_id, payment_id=attempt.payment_id)


def matching_orders(words: str) -> Q:
    """Match orders by number, buyer, course, payment or refund id, or amount, as people type or paste them."""
    words = words.strip()
    lines = Q(title__icontains=words) | Q(item_id__icontains=words) | Q(sku__iexact=words)
    payments = Q(payment_id=words) | Q(session_id=words)
    found = Q(number__icontains=words) | Q(purchaser__email__icontains=words) | Q(purchaser__name__icontains=words)
    if (amount := _read_amount(words)) is not None:
        found, lines, payments = found | Q(total=amount), lines | Q(due=amount), payments | Q(paid_amount=amount)
    return (
        found
        | Q(pk__in=OrderLine.objects.filter(lines).values("order"))
        | Q(pk__in=PaymentAttempt.objects.filter(payments).values("order"))
        | Q(pk__in=Refund.objects.filter(gateway_refund_id=words).values("order"))
    )


def _read_amount(words: str) -> Decimal | None:
    """Read “249”, “$1,249.00” or “249,00 €”; None for anything else."""
    digits = re.sub(r"\s|[A-Z]{3}|[^\w.,]", "", words.upper())
    # Thousands are grouped by three; one or two digits after the last mark are cents.
    found = re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})+|\d+)(?:[.,](\d{1,2}))?", digits)
    if found is None:
        return None
    whole, cents = re.sub(r"[.,]", "", found[1]), found[2] or "0"
    return Decimal(f"{whole}.{cents}") if len(whole) <= MAX_DIGITS else None


def _describe_lines(order: Order) -> Iterator[LineAtDesk]:
    lines = list(order.lines.select_related("code", "product__course_run", "seat_sale").order_by("pk"))
    prefetch_program_courses(lines)
    has_seats = any(line.is_group for line in lines)
    counts = {each.line_id: each for each in count_seats(sales_of_order(order))} if has_seats else {}
    codes = _list_codes(order) if has_seats else {}
    redeemed = count_redeemed_seats([line for line in lines if line.is_group]) if has_seats else {}
    for line in lines:
        yield LineAtDesk(
            line=line,
            code=str(line.code) if line.code is not None else "",
            listed=Money(line.list_price, line.currency),
            refunded=Money(line.refunded, line.currency),
            left=Money(line.due - line.refunded, line.currency),
            courses=tuple(map(str, describe_courses(line, now=order.fulfilled_at or order.placed_at))),
            seats_text=seats_text(line.seats, line.unit_price),
            counts=counts.get(line.pk),
            codes=tuple(codes.get(line.pk, ())),
            redeemed=redeemed.get(line.pk, 0),
        )


def _list_codes(order: Order) -> dict[int | None, list[RegistrationCodeRow]]:
    """Read the first registration codes of an order by line; three queries for any number of them."""
    rows: dict[int | None, list[RegistrationCodeRow]] = {}
    for row in describe_codes(codes_of_sales(sales_of_order(order))[:CODES_AT_DESK]):
        rows.setdefault(row.line_id, []).append(row)
    return rows


def read_log(row: Order | Invoice) -> Iterator[LogEntry]:
    """Yield what people did to an order or an invoice, and the e-mails about it, the newest first."""
    content_type = ContentType.objects.get_for_model(row)
    entries = ModelLogEntry.objects.filter(content_type=content_type, object_id=str(row.pk)).select_related("user")
    for entry in entries.order_by("-timestamp", "-pk"):
        data: Mapping[str, Any] = entry.data or {}
        yield LogEntry(
            at=entry.timestamp,
            actor=entry.user.display_name if entry.user is not None else "",
            action=str(entry.message),
            reason=_describe_reason(entry.action, str(data.get("reason", ""))),
            details=" · ".join(_describe_outcome(entry.action, data)),
        )


def _describe_reason(action: str, reason: str) -> str:
    """What a person wrote, or the words of what a buyer chose."""
    chosen = dict(RefundWhy.choices) if action == "ecommerce.refund.ask" else {}
    return str(chosen.get(reason, reason))


def _describe_outcome(action: str, data: Mapping[str, Any]) -> Iterator[str]:
    states = DisputeState if action == "ecommerce.dispute.follow" else RefundState
    amount, _space, currency = str(data.get("amount", "")).partition(" ")
    if currency:
        yield Money(amount, currency).formatted()
    elif amount:
        yield amount
    if state := data.get("state"):
        yield str(dict(states.choices).get(state, state))
    if failure := data.get("failure"):
        yield str(failure)
