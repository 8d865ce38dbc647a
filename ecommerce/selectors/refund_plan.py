"""Planning a refund: what can be refunded of an order, and how it is divided among its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ecommerce.enums import (
    RESERVED_REFUND_STATES,
    WITH_BANK_STATES,
    AttemptState,
    EnrollmentAfter,
    OrderState,
    RefundState,
)
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.errors.refunds import (
    GatewayNotHere,
    NothingToRefund,
    RefundAmountNeeded,
    RefundDisputed,
    RefundLinesUnknown,
    RefundNotWhole,
    RefundTooMuch,
    SeatsNotDelivered,
    TooManySeats,
)
from ecommerce.gateways.labels import gateway_name
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, OrderLine, OrderLineCourse, PaymentAttempt, SeatSale
from ecommerce.ownership import find_deliverable_lines, find_line_runs
from ecommerce.selectors.payments import UNDOABLE_STATES, lines_taken_back, next_to_refund
from ecommerce.selectors.seats import SeatsToTakeBack, choose_seats, price_of_seats, seats_left
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money, spread
from mitxonline.kernel.text import require_text

# Orders of which money can be refunded. Of a refunded order, only what a failed refund left.
REFUNDABLE_STATES = frozenset(
    {OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REVIEW, OrderState.REFUNDED}
)
# Refunds that the gateway hasn't been asked for, or hasn't settled.
UNFINISHED = (*RESERVED_REFUND_STATES, RefundState.PENDING)
REASON_LENGTH = 255


@dataclass(frozen=True, slots=True)
class RefundChoice:
    """What finance chose to refund, and what follows.

    ``amount`` None means all that is left of the lines; ``line_ids`` None means the whole order. ``attempt_id`` names a
    payment other than the one that paid the order (a second payment). ``seats`` are line ids with a number of seats of
    theirs: then only these are refunded. Seats that were redeemed are refunded only with ``takes_redeemed``.
    """

    reason: str
    enrollment_after: EnrollmentAfter = EnrollmentAfter.REMOVE
    frees_codes: bool = False
    amount: Money | None = None
    line_ids: tuple[int, ...] | None = None
    attempt_id: int | None = None
    seats: tuple[tuple[int, int], ...] = ()
    takes_redeemed: bool = False

    def __post_init__(self) -> None:
        require_text(self.reason)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a refund that is for one line, and the seats of a group that go back with it."""

    line: OrderLine
    amount: Money
    seats: int = 0


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """A refund as it would be recorded now."""

    order: Order
    attempt: PaymentAttempt
    amount: Money
    shares: tuple[Share, ...]
    choice: RefundChoice
    seats: tuple[SeatsToTakeBack, ...] = ()

    @property
    def is_in_prices(self) -> bool:
        """Whether the money is in the currency of the prices, so that each line has a share of it."""
        return bool(self.amount.currency == self.order.currency)

    @property
    def left_after(self) -> Money:
        return self.attempt.refundable - self.amount

    def fingerprint(self, *, request_id: int | None) -> str:
        """Digest what the plan says, and whether it approves a buyer's request."""
        shares = tuple((share.line.pk, str(share.amount), share.seats) for share in self.shares)
        # Which free seats go back makes no difference; whose do.
        redeemed = tuple(seat.code_id for each in self.seats for seat in each.redeemed)
        return fingerprint(self.attempt.pk, str(self.amount), shares, redeemed, str(self.left_after), request_id)


def plan_refund(*, order_id: int, choice: RefundChoice) -> RefundPlan:
    """Plan a refund. Raises OrderUnknown, or the RefundRefused that says why it isn't possible."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        raise OrderUnknown
    return plan_order_refund(order, choice)


@dataclass(frozen=True, slots=True)
class LoweredProgram:
    """A program that its buyer got, or is paying for, at a lower price because they had a course.

    `line_ids` are the lines that gave them the course.
    """

    line_ids: frozenset[int]
    number: str
    title: str
    course: str
    amount: Money


def find_lowered_programs(order: Order) -> list[LoweredProgram]:
    """Return the programs that this order's buyer got for less because of courses that this order gives.

    Who gives such a course back has paid less for it all than the program costs.
    """
    runs = find_line_runs(find_deliverable_lines(order.pk))
    rows = OrderLineCourse.objects.filter(
        course__in={course_id for each in runs.values() for course_id in each},
        deducted__gt=0,
        line__in=OrderLine.objects.standing(),
        line__order__purchaser=order.purchaser_id,
        line__order__state__in=(OrderState.PENDING, *REFUNDABLE_STATES),
    )
    rows = rows.exclude(line__order=order).select_related("line__order").order_by("pk")
    return [
        LoweredProgram(
            line_ids=frozenset(line_id for line_id, courses in runs.items() if row.course_id in courses),
            number=row.line.order.number,
            title=row.line.title,
            course=row.title,
            amount=Money(row.deducted, row.line.currency),
        )
        for row in rows
    ]


def find_free_lines(order: Order, line_ids: tuple[int, ...] | None) -> list[OrderLine]:
    """Return the chosen lines that can be taken back without money: none unless all of them cost nothing.

    Free lines of a refunded order are among them: they stay when the paid lines are refunded one by one.
    """
    if order.state not in UNDOABLE_STATES:
        return []
    lines = _chosen_lines(order, line_ids)
    if any(line.due for line in lines):
        return []
    taken = lines_taken_back(order.refunds.prefetch_related("lines"))
    return [line for line in lines if line.undone_at is None and line.pk not in taken]


def plan_order_refund(order: Order, choice: RefundChoice) -> RefundPlan:
    """Plan a refund of an order in hand; under the order's lock the plan can't go stale. Raises RefundRefused."""
    attempt = _choose_attempt(order, choice.attempt_id)
    gateway = gateways().get(attempt.gateway)
    if gateway is None:
        raise GatewayNotHere(gateway=gateway_name(attempt.gateway))
    if attempt.disputes.filter(state__in=WITH_BANK_STATES).exists():
        raise RefundDisputed(number=order.number)
    chosen = dict(choice.seats)
    line_ids = tuple(chosen) if chosen else choice.line_ids
    lines = [] if attempt.is_surplus else _chosen_lines(order, line_ids)
    if chosen:
        refuse_impossible_seats(order, lines, chosen)
    remaining = {line: price_of_seats(line, chosen[line.pk]) if chosen else remaining_price(line) for line in lines}
    amount = _choose_amount(order, attempt, replace(choice, line_ids=line_ids), remaining)
    if not gateway.can_take(amount):
        raise RefundNotWhole(gateway=gateway_name(gateway.name), amount=amount.formatted())
    excess = find_excess(order) if line_ids is None else order.money.zero
    shares = divide_amount(amount, remaining, excess=excess)
    if chosen:
        shares = tuple(replace(share, seats=chosen[share.line.pk]) for share in shares)
    else:
        takes_all = choice.amount is None or takes_last_money(order, attempt, amount)
        shares = tuple(map(with_all_seats if takes_all else with_last_seats, shares))
    seats = choose_refunded_seats(shares, takes_redeemed=choice.takes_redeemed)
    return RefundPlan(order=order, attempt=attempt, amount=amount, shares=shares, choice=choice, seats=seats)


def refuse_impossible_seats(order: Order, lines: list[OrderLine], chosen: Mapping[int, int]) -> None:
    """Raise TooManySeats for a number of seats that a line doesn't have any more, or never had.

    Raises SeatsNotDelivered where the order waits for a review: fulfilling it would create the codes of all seats.
    """
    if order.state == OrderState.REVIEW:
        raise SeatsNotDelivered(number=order.number)
    for line in lines:
        if not 1 <= chosen[line.pk] <= seats_left(line):
            raise TooManySeats(title=line.title, left=seats_left(line))


def takes_last_money(order: Order, attempt: PaymentAttempt, amount: Money) -> bool:
    """Whether nothing is left of the order's payments after this: it may have cost more than was paid."""
    others = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).exclude(pk=attempt.pk)
    return amount == attempt.refundable and all(each.refundable.is_zero for each in others)


def with_all_seats(share: Share) -> Share:
    """Add all seats that are left to a share of all that is left of its line."""
    return replace(share, seats=seats_left(share.line))


def with_last_seats(share: Share) -> Share:
    """Add all seats that are left to a share that takes the last money of its line: without money there is no seat."""
    is_last = not share.amount.is_zero and share.amount == remaining_price(share.line)
    return replace(share, seats=seats_left(share.line)) if is_last else share


def choose_refunded_seats(shares: Iterable[Share], *, takes_redeemed: bool) -> tuple[SeatsToTakeBack, ...]:
    """Choose the seats that go back with these shares. Raises SeatsRedeemed."""
    chosen = []
    for share in shares:
        sale = SeatSale.objects.filter(order_line=share.line).first() if share.seats else None
        if sale is not None:
            chosen.append(choose_seats(share.line, sale, seats=share.seats, takes_redeemed=takes_redeemed))
    return tuple(chosen)


def divide_amount(amount: Money, remaining: dict[OrderLine, Money], *, excess: Money) -> tuple[Share, ...]:
    """Divide an amount among lines. What was paid in excess of the prices is refunded first and belongs to no line.

    Neither does money in a currency other than the prices'.
    """
    if all(each.currency == amount.currency for each in remaining.values()):
        of_prices = amount - min(excess, amount) if excess.currency == amount.currency else amount
        return tuple(Share(line, share) for line, share in spread(of_prices, remaining).items())
    return tuple(Share(line, each.zero) for line, each in remaining.items())


def find_excess(order: Order) -> Money:
    """Return how much more is left of an order's payments than of its prices."""
    paid = order.attempts.filter(state=AttemptState.PAID, is_surplus=False)
    lefts = [each.refundable for each in paid if each.paid_money.currency == order.currency]
    left = Money.sum(lefts, order.currency) - Money.sum(map(remaining_price, order.lines.all()), order.currency)
    return max(left, left.zero)


def remaining_price(line: OrderLine) -> Money:
    return Money(line.due - line.refunded, line.currency)


def _choose_attempt(order: Order, attempt_id: int | None) -> PaymentAttempt:
    """Return the payment to refund: the one chosen, or the one that paid the order."""
    paid = order.attempts.filter(state=AttemptState.PAID)
    attempt = paid.filter(pk=attempt_id).first() if attempt_id is not None else next_to_refund(paid)
    if attempt is None or (not attempt.is_surplus and order.state not in REFUNDABLE_STATES):
        raise NothingToRefund(number=order.number)
    return attempt


def _chosen_lines(order: Order, line_ids: tuple[int, ...] | None) -> list[OrderLine]:
    lines = list(order.lines.select_related("product").order_by("pk"))
    if line_ids is None:
        return lines
    chosen = [line for line in lines if line.pk in line_ids]
    if not chosen or len(chosen) != len(set(line_ids)):
        raise RefundLinesUnknown(number=order.number)
    return chosen


def _choose_amount(
    order: Order, attempt: PaymentAttempt, choice: RefundChoice, remaining: dict[OrderLine, Money]
) -> Money:
    left = attempt.refundable
    if left.is_zero:
        raise NothingToRefund(number=order.number)
    if choice.line_ids is None:
        of_lines = left
    elif left.currency == order.currency:
        of_lines = Money.sum(remaining.values(), order.currency)
    elif choice.amount is None:
        raise RefundAmountNeeded(currency=left.currency)  # prices can't be compared with another currency
    else:
        of_lines = left
    if choice.amount is None:
        if of_lines.is_zero:
            raise NothingToRefund(number=order.number)
        wanted = of_lines
    else:
        wanted = choice.amount
        if wanted.currency != left.currency or wanted.is_zero or wanted.is_negative:
            raise RefundAmountNeeded(currency=left.currency)
    most = min(left, of_lines)
    if wanted > most:
        raise RefundTooMuch(wanted=wanted.formatted(), left=most.formatted())
    return wanted
