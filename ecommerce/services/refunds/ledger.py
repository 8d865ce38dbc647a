"""The refund ledger: what is reserved, what was refunded, and what follows from it. No gateway is called here.

The caller has locked the order. Further locks are taken in the order payment, refund, contract terms, code, membership
(ADR 0003).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Case, DecimalField, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from courses.services.enrollments import downgrade, revoke
from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    FAILED_REFUND_STATES,
    RESERVED_REFUND_STATES,
    AfterFailedRefund,
    AlertKind,
    AttemptState,
    CodeChangeKind,
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RefundOrigin,
    RefundRequestState,
    RefundState,
    ReviewCause,
    UseState,
)
from ecommerce.errors.refunds import RefundTooMuch
from ecommerce.events import FreeLinesUndone, LinesRefunded, LinesRestored, MoneyReturned, PaidTwice, RefundFailed
from ecommerce.models import (
    CodeUse,
    Dispute,
    Order,
    OrderLine,
    PaymentAttempt,
    Refund,
    RefundLine,
    RefundRequest,
    RegistrationCodeChange,
)
from ecommerce.rules import lock_for
from ecommerce.selectors.refund_plan import (
    REASON_LENGTH,
    RefundChoice,
    RefundPlan,
    Share,
    divide_amount,
    find_excess,
    remaining_price,
    with_all_seats,
    with_last_seats,
)
from ecommerce.selectors.seats import price_of_seats, seats_left
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.discounts.codes import free_uses
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.orders.enrollment import find_revoked_rights, find_rights, restore_right
from ecommerce.services.orders.fulfillment import claim_codes_again
from ecommerce.services.registration.taking_back import (
    end_seats,
    find_taken_uses,
    give_back_seats,
    switch_on_after_failure,
    take_back_seats,
)
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money

logger = logging.getLogger(__name__)

# The states that may follow each other. "Failed" and "canceled" are final. One exception: a refund that we recorded as
# failed without ever getting the gateway's id may turn out to exist (`_overrules_failure`).
NEXT_STATES: dict[str, frozenset[str]] = {
    RefundState.MARKED: frozenset(
        {RefundState.RECORDED, *COUNTED_REFUND_STATES, RefundState.FAILED, RefundState.CANCELED}
    ),
    RefundState.RECORDED: frozenset(
        {RefundState.SENT, RefundState.DIFFERS, *COUNTED_REFUND_STATES, RefundState.FAILED}
    ),
    RefundState.SENT: frozenset(
        {RefundState.DIFFERS, *COUNTED_REFUND_STATES, RefundState.FAILED, RefundState.CANCELED}
    ),
    RefundState.PENDING: frozenset(
        {RefundState.DIFFERS, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED}
    ),
    # Staff settle it, unless the gateway reports that nothing was refunded after all.
    RefundState.DIFFERS: frozenset({RefundState.FAILED, RefundState.CANCELED}),
    RefundState.SUCCEEDED: frozenset({RefundState.FAILED, RefundState.CANCELED}),
    RefundState.FAILED: frozenset(),
    RefundState.CANCELED: frozenset(),
}
# Orders that need their codes. A later order of the same buyer with the same code relies on the first one's use. An
# order in review holds no codes: fulfilling it claims them again.
RELYING_STATES = (OrderState.PENDING, OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED)


def record_refund(
    plan: RefundPlan,
    *,
    now: datetime,
    by_id: int | None,
    reference: uuid.UUID | None = None,
    request: RefundRequest | None = None,
) -> Refund:
    """Record a planned refund with its idempotency key, and reserve its money.

    Raises RefundTooMuch where another refund took the money since it was planned.
    """
    attempt, choice = plan.attempt, plan.choice
    if not reserve_money(attempt.pk, plan.amount):
        attempt.refresh_from_db()
        raise RefundTooMuch(wanted=plan.amount.formatted(), left=attempt.refundable.formatted())
    reference = reference or uuid.uuid4()
    refund = Refund.objects.create(
        order=plan.order,
        attempt=attempt,
        request=request,
        reference=reference,
        idempotency_key=f"refund:{reference}",
        gateway=attempt.gateway,
        amount=plan.amount.amount,
        currency=plan.amount.currency,
        reason=choice.reason.strip()[:REASON_LENGTH],
        state=RefundState.RECORDED,
        enrollment_after=EnrollmentAfter.KEEP if attempt.is_surplus else choice.enrollment_after,
        frees_codes=choice.frees_codes and not attempt.is_surplus,
        begun_by_id=by_id,
        recorded_at=now,
    )
    write_refund_lines(refund, plan.shares, takes_redeemed=choice.takes_redeemed, now=now)
    log_refund(refund, "ecommerce.refund.record", by_id=by_id)
    return refund


def reserve_money(attempt_id: int, amount: Money) -> bool:
    """Reserve money of a payment; return False where not enough is left.

    One conditional write, so two refunds can't reserve the same money.
    """
    left = Coalesce("paid_amount", "amount") - F("refunded") - F("refund_reserved")
    enough = PaymentAttempt.objects.alias(left=left).filter(
        pk=attempt_id, state=AttemptState.PAID, left__gte=amount.amount
    )
    return enough.update(refund_reserved=F("refund_reserved") + amount.amount) == 1


def write_refund_lines(refund: Refund, shares: Iterable[Share], *, takes_redeemed: bool, now: datetime) -> None:
    """Record each line's share of a refund, and switch off the codes of its seats.

    A share is zero where the line no longer has that much.
    """
    rows = []
    for share in shares:
        fits = _add_to_line(share.line.pk, share.amount, share.seats)
        rows.append(
            RefundLine(
                refund=refund,
                line=share.line,
                amount=share.amount.amount if fits else 0,
                seats=share.seats if fits else 0,
            )
        )
        if fits and share.seats:
            _take_back_seats(refund, share.line, share.seats, takes_redeemed=takes_redeemed, now=now)
    RefundLine.objects.bulk_create(rows)


def move_refund(
    refund: Refund,
    to: RefundState,
    *,
    order: Order,
    now: datetime,
    gateway_refund_id: str = "",
    failure: str = "",
    reported: Money | None = None,
) -> None:
    """Move a locked refund of a locked order to the state the gateway reports; an outdated report changes nothing.

    ``reported`` is the amount it reports. If it differs from the requested amount, the refund waits for staff.
    """
    if gateway_refund_id and refund.gateway_refund_id != gateway_refund_id:
        _absorb_twin(refund, gateway_refund_id, order=order, now=now)
        refund.gateway_refund_id = gateway_refund_id
    is_revived = refund.state == RefundState.FAILED and _overrules_failure(refund, to)
    if reported is not None and reported != refund.money and to in COUNTED_REFUND_STATES:
        to = _note_difference(refund, reported)
    if to == refund.state or not (to in NEXT_STATES[refund.state] or is_revived):
        refund.save(update_fields=["gateway_refund_id"])
        return
    before, refund.state = RefundState(refund.state), to
    if to in COUNTED_REFUND_STATES and before not in COUNTED_REFUND_STATES:
        make_room(refund, order=order, now=now)
    _move_counters(refund, before, to, now=now)
    refund.failure = failure[:255]
    if to in {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED}:
        refund.settled_at = now
    refund.save()
    if not refund.is_alive and before != RefundState.MARKED:
        book_lost_disputes(refund.attempt, order=order, now=now)
    if to == RefundState.SUCCEEDED:
        _apply_refund(refund, order=order, now=now)
    elif to == RefundState.DIFFERS:
        log_refund(refund, "ecommerce.refund.differ", by_id=None)
        raise_alert(order.pk, AlertKind.REFUND_DIFFERS, about=f"refund {refund.pk}", now=now)
        logger.error("refund differs from what was asked for", extra={"refund": refund.pk, "order": refund.order_id})
    elif to in {RefundState.FAILED, RefundState.CANCELED} and before != RefundState.MARKED:
        _handle_failure(refund, before, order=order, now=now)


def book_actual_amount(refund: Refund, *, order: Order, now: datetime, by_id: int | None, reason: str) -> None:
    """Replace a locked refund's amount by what the gateway reports, and let everything follow from it.

    Money in a currency other than the payment's isn't counted; the order then stays as it is.
    """
    money = refund.reported_money or refund.money
    # Release what is reserved for the requested amount before counting the actual one.
    _release_lines(refund)
    payment = PaymentAttempt.objects.filter(pk=refund.attempt_id)
    payment.update(refund_reserved=F("refund_reserved") - refund.amount)
    lines = list(OrderLine.objects.filter(refund_lines__refund=refund).order_by("pk"))
    seats = dict(refund.lines.values_list("line", "seats"))
    refund.lines.all().delete()
    refund.amount, refund.currency = money.amount, money.currency
    excess = find_excess(order) if len(lines) == order.lines.count() else order.money.zero
    _rewrite_refund_lines(
        refund, divide_amount(money, {line: remaining_price(line) for line in lines}, excess=excess), seats, now=now
    )
    if refund.is_counted:
        make_room(refund, order=order, now=now)
        _count_refunded(refund)
    refund.state, refund.settled_at, refund.failure = RefundState.SUCCEEDED, now, reason[:255]
    refund.save()
    if refund.is_counted:  # our sum now agrees with the gateway's
        payment.update(refund_gap=0)
    _apply_refund(refund, order=order, now=now)


def divide_by_seats(refund: Refund, chosen: Mapping[int, int], *, takes_redeemed: bool, now: datetime) -> None:
    """Divide a refund made elsewhere again: these seats first, at their price, then what is left among all lines.

    Raises SeatsRedeemed.
    """
    parts = list(refund.lines.all())
    seats = {part.line_id: part.seats for part in parts}
    divided = Money.sum((Money(part.amount, refund.currency) for part in parts), refund.currency)
    _release_lines(refund)
    refund.lines.all().delete()
    wanted = {line_id: more + seats.get(line_id, 0) for line_id, more in chosen.items()}
    shares = _divide_seats_first(divided, refund.order, wanted, excess=divided.zero)
    shares = [each for each in shares if not each.amount.is_zero or each.line.pk in {*chosen, *seats}]
    _rewrite_refund_lines(refund, shares, seats, more=chosen, takes_redeemed=takes_redeemed, now=now)


def _divide_seats_first(amount: Money, order: Order, seats: Mapping[int, int], *, excess: Money) -> list[Share]:
    """Divide an amount: first for these seats of lines, at their price, then what is left among all lines."""
    lines = list(order.lines.order_by("pk"))
    wanted = {line: price_of_seats(line, seats[line.pk]) for line in lines if seats.get(line.pk)}
    of_seats = {share.line: share.amount for share in divide_amount(amount, wanted, excess=amount.zero)}
    rest = amount - Money.sum(of_seats.values(), amount.currency)
    left = {line: remaining_price(line) - of_seats.get(line, amount.zero) for line in lines}
    return [
        Share(share.line, share.amount + of_seats.get(share.line, amount.zero))
        for share in divide_amount(rest, left, excess=excess)
    ]


def _rewrite_refund_lines(
    refund: Refund,
    shares: Iterable[Share],
    seats: Mapping[int, int],
    *,
    more: Mapping[int, int] | None = None,
    takes_redeemed: bool = True,
    now: datetime,
) -> None:
    """Record the shares of another amount. Its seats, whose codes are off already, stay what they were, and get more.

    All seats go where the amount takes the last money of a line.
    """
    more = more or {}
    rows = []
    for share in shares:
        had = seats.get(share.line.pk, 0)
        all_seats = max(with_last_seats(share).seats, had + more.get(share.line.pk, 0))
        fits = _add_to_line(share.line.pk, share.amount, all_seats)
        amount, kept = (share.amount.amount, all_seats) if fits else (0, 0)
        rows.append(RefundLine(refund=refund, line=share.line, amount=amount, seats=kept))
        if kept > had:
            _take_back_seats(refund, share.line, kept - had, takes_redeemed=takes_redeemed, now=now)
    RefundLine.objects.bulk_create(rows)


def log_refund(refund: Refund, action: str, *, by_id: int | None, reason: str = "") -> None:
    """Record an action on a refund in its order's history."""
    data: dict[str, audit.Detail] = {
        "refund_id": refund.pk,
        "amount": str(refund.money),
        "state": str(refund.state),
        "reason": reason or refund.reason,
        "courses": str(refund.enrollment_after),
        "frees_codes": refund.frees_codes,
        "line_ids": list(refund.lines.values_list("line_id", flat=True)),
    }
    if refund.failure:
        data["failure"] = refund.failure
    audit.record(refund.order, action, by_id=by_id, data=data)


def is_fully_refunded(order: Order) -> bool:
    """Whether every payment of the order was refunded in full, and successfully; second payments don't count."""
    arrived = Q(refunds__state=RefundState.SUCCEEDED, refunds__is_counted=True)
    returned = Coalesce(Sum("refunds__amount", filter=arrived), Value(0, output_field=DecimalField()))
    attempts = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).annotate(returned=returned)
    return all(attempt.returned >= attempt.paid_money.amount for attempt in attempts)


def is_partly_refunded(order: Order) -> bool:
    """Whether a refund of the order has succeeded; second payments don't count."""
    return order.refunds.filter(state=RefundState.SUCCEEDED, is_counted=True, attempt__is_surplus=False).exists()


def mark_for_refund(*, attempt_id: int, reason: str, now: datetime) -> Refund:
    """Mark a second payment for finance's decision; does nothing if already marked. The caller has locked the order.

    No money moves until staff refund it here or at the gateway.
    """
    attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
    marked = attempt.refunds.exclude(state__in=[RefundState.FAILED, RefundState.CANCELED]).first()
    if attempt.is_surplus and marked is not None:
        return marked
    is_first_time = not attempt.is_surplus
    attempt.is_surplus = True
    attempt.save(update_fields=["is_surplus"])
    refund = Refund(
        order_id=attempt.order_id,
        attempt=attempt,
        gateway=attempt.gateway,
        amount=attempt.refundable.amount or attempt.paid_money.amount,
        currency=attempt.paid_money.currency,
        reason=reason[:REASON_LENGTH],
        state=RefundState.MARKED,
        enrollment_after=EnrollmentAfter.KEEP,
        recorded_at=now,
    )
    refund.idempotency_key = f"refund:{refund.reference}"
    refund.save()
    log_refund(refund, "ecommerce.refund.mark", by_id=None)
    raise_alert(attempt.order_id, AlertKind.SECOND_PAYMENT, about=f"refund {refund.pk}", now=now)
    logger.error("an order was paid twice", extra={"order": attempt.order_id, "attempt": attempt.pk})
    if is_first_time:  # after a failed refund it is marked again, and the buyer knows already
        publish(PaidTwice(refund_id=refund.pk, order_id=attempt.order_id))
    return refund


def record_foreign_refund(
    *,
    attempt: PaymentAttempt,
    order: Order,
    amount: Money,
    refund_id: str,
    origin: RefundOrigin,
    reason: str,
    now: datetime,
) -> Refund:
    """Record a refund made at the gateway, or money taken by a bank. It isn't counted yet."""
    refund = Refund(
        order=order,
        attempt=attempt,
        gateway=attempt.gateway,
        gateway_refund_id=refund_id,
        amount=amount.amount,
        currency=amount.currency,
        reason=reason,
        state=RefundState.MARKED,
        origin=origin,
        enrollment_after=EnrollmentAfter.KEEP,
        recorded_at=now,
    )
    refund.idempotency_key = f"refund:{refund.reference}"
    refund.save()
    return refund


def book_lost_disputes(attempt: PaymentAttempt, *, order: Order, now: datetime, room: Money | None = None) -> None:
    """Book of each lost dispute of a payment what its refunds leave of it, and cancel what is booked of others.

    A gateway can take the same money twice, by a refund on its way and for the bank. So the bank's booking gives way
    to refunds, whichever comes first, and grows again where one fails: the books hold all that the gateway moved, but
    never more than was paid. ``room`` is what has to stay free, for a refund that isn't counted yet.
    """
    attempt.refresh_from_db(fields=["refunded"])
    zero = attempt.paid_money.zero
    bookings = Refund.objects.locked().filter(attempt=attempt, origin=RefundOrigin.BANK)
    booked = Money.sum((each.money for each in bookings.alive() if each.is_counted), zero.currency)
    left = attempt.paid_money - (attempt.refunded_money - booked) - (room or zero)
    for dispute in attempt.disputes.order_by("pk"):
        share = dispute.money if dispute.state == DisputeState.LOST else dispute.money.zero
        if dispute.currency == left.currency:
            share = max(min(share, left), zero)
            left -= share
        booking = bookings.filter(gateway_refund_id=dispute.dispute_id).first()
        _book_dispute(dispute, booking, share, order=order, now=now)
    _divide_again(order, now=now)


def make_room(refund: Refund, *, order: Order, now: datetime) -> None:
    """Make room for a refund that is about to be counted, where the bank has taken its money as well."""
    if refund.origin != RefundOrigin.BANK and refund.attempt.disputes.filter(state=DisputeState.LOST).exists():
        is_same_money = refund.currency == refund.attempt.paid_money.currency
        book_lost_disputes(refund.attempt, order=order, now=now, room=refund.money if is_same_money else None)


def _book_dispute(dispute: Dispute, booked: Refund | None, share: Money, *, order: Order, now: datetime) -> None:
    if booked is not None and booked.is_alive:
        if share.is_zero and dispute.state == DisputeState.LOST:
            _give_up_booking(booked, now=now)
        elif share.is_zero:
            move_refund(booked, RefundState.CANCELED, order=order, now=now)
        elif share != booked.money:
            _change_booking(booked, share, order=order, now=now)
        return
    if share.is_zero:
        return
    closed_at = None
    if booked is None:
        booked = record_foreign_refund(
            attempt=dispute.attempt,
            order=order,
            amount=share,
            refund_id=dispute.dispute_id,
            origin=RefundOrigin.BANK,
            reason=_("taken by the bank after a dispute"),
            now=now,
        )
    else:
        # Either the bank had returned it, and its courses are open again; or refunds had taken all, for a time.
        closed_at = booked.took_effect_at if booked.failure else None
        booked.lines.all().delete()
        booked.amount, booked.state, booked.failure = share.amount, RefundState.MARKED, ""
        booked.enrollment_after, booked.took_effect_at, booked.settled_at = EnrollmentAfter.KEEP, None, None
        booked.seats_decided_at = None  # its seats went back to the buyer
        booked.save()
    if not booked.attempt.is_surplus:
        divide_among_lines(booked, order, now=now)
    move_refund(booked, RefundState.SUCCEEDED, order=order, now=now)
    if closed_at is not None:  # so that a won dispute opens what it had closed then
        booked.took_effect_at = closed_at
        booked.save(update_fields=["took_effect_at"])


def _give_up_booking(booked: Refund, *, now: datetime) -> None:
    """Cancel the booking of a lost dispute whose money refunds have taken. What it closed stays closed."""
    _move_counters(booked, RefundState.SUCCEEDED, RefundState.CANCELED, now=now)
    booked.state, booked.settled_at = RefundState.CANCELED, now
    booked.failure = _("refunded as well")
    booked.save()
    log_refund(booked, "ecommerce.refund.settle", by_id=None)


def _change_booking(refund: Refund, amount: Money, *, order: Order, now: datetime) -> None:
    """Give a counted refund made elsewhere another amount, and divide it among the lines again.

    The seats that staff said it was for come first.
    """
    if refund.is_counted:
        PaymentAttempt.objects.filter(pk=refund.attempt_id).update(refunded=F("refunded") - refund.amount)
    seats = dict(refund.lines.values_list("line", "seats"))
    _release_lines(refund)
    refund.lines.all().delete()
    refund.amount = amount.amount
    if not refund.attempt.is_surplus:
        decided = seats if refund.seats_decided_at is not None else {}
        shares = _divide_seats_first(amount, order, decided, excess=find_excess(order))
        shares = [each for each in shares if not each.amount.is_zero or seats.get(each.line.pk)]
        _rewrite_refund_lines(refund, shares, seats, now=now)
    if refund.is_counted:
        _count_refunded(refund)
    refund.save()
    log_refund(refund, "ecommerce.refund.settle", by_id=None)
    _follow_whole_refund(order, now=now)


def _divide_again(order: Order, *, now: datetime) -> None:
    """Divide refunds made elsewhere again among the lines, where a failed refund has left something of their prices."""
    alive = order.refunds.alive().filter(is_counted=True, attempt__is_surplus=False, currency=order.currency)
    for refund in alive.exclude(origin=RefundOrigin.OURS).select_related("attempt").order_by("pk"):
        divided = Money.sum((Money(part.amount, refund.currency) for part in refund.lines.all()), refund.currency)
        rest = Money.sum(map(remaining_price, order.lines.all()), order.currency)
        if divided < refund.money and find_excess(order).is_zero and not rest.is_zero:
            _change_booking(refund, refund.money, order=order, now=now)


def divide_among_lines(refund: Refund, order: Order, *, now: datetime) -> None:
    """Divide a refund made elsewhere among the lines that aren't refunded yet.

    Seats of a group go back once all money of their line is back: until then staff decide which (`assign_seats`).
    """
    remaining: dict[OrderLine, Money] = {line: remaining_price(line) for line in order.lines.order_by("pk")}
    shares = divide_amount(refund.money, remaining, excess=find_excess(order))
    shares = tuple(with_last_seats(share) for share in shares if not share.amount.is_zero)
    write_refund_lines(refund, shares, takes_redeemed=True, now=now)


def _note_difference(refund: Refund, reported: Money) -> RefundState:
    """Store the amount that the gateway reports instead of the one it was asked for; return the state that follows."""
    if refund.state in {RefundState.SUCCEEDED, RefundState.DIFFERS}:
        return RefundState(refund.state)
    refund.told_amount, refund.told_currency = reported.amount, reported.currency
    return RefundState.DIFFERS


def _overrules_failure(refund: Refund, to: RefundState) -> bool:
    """Whether a refund recorded as failed exists after all: we had no id of the gateway, and now it names one."""
    had_id = Refund.objects.filter(pk=refund.pk).exclude(gateway_refund_id="").exists()
    return not had_id and to in COUNTED_REFUND_STATES and refund.gateway_refund_id != ""


def _absorb_twin(refund: Refund, gateway_refund_id: str, *, order: Order, now: datetime) -> None:
    """Cancel the duplicate row a notice created for this refund before we knew the gateway's id.

    The notice lacked our reference, so it couldn't be matched to this row.
    """
    twin = (
        Refund.objects.locked()
        .filter(gateway=refund.gateway, gateway_refund_id=gateway_refund_id)
        .exclude(pk=refund.pk)
        .first()
    )
    if twin is None:
        return
    before = RefundState(twin.state)
    twin.state, twin.gateway_refund_id, twin.settled_at = RefundState.CANCELED, "", now
    twin.failure = _("the same as refund %(id)d") % {"id": refund.pk}
    _move_counters(twin, before, RefundState.CANCELED, now=now)
    twin.save()
    log_refund(twin, "ecommerce.refund.merge", by_id=None)


def _move_counters(refund: Refund, before: RefundState, after: RefundState, *, now: datetime) -> None:
    """Update what the payment and the lines have reserved and refunded, as a refund changes its state."""
    if _holds_lines(before) and not _holds_lines(after):
        _release_lines(refund)
        switch_on_after_failure(refund, now=now)
    elif before == RefundState.FAILED and _holds_lines(after):
        _reserve_lines(refund, now=now)
    source, target = _counter_column(before, refund), _counter_column(after, refund)
    attempt = PaymentAttempt.objects.filter(pk=refund.attempt_id)
    if source == target:
        return
    if source is not None:
        attempt.update(**{source: F(source) - refund.amount})
    if target == "refund_reserved":
        attempt.update(refund_reserved=F("refund_reserved") + refund.amount)
    if target == "refunded":
        _count_refunded(refund)


def _count_refunded(refund: Refund) -> None:
    """Add a refund to its payment's refunded sum.

    A refund made at the gateway can exceed what was paid, or be in another currency. Then it isn't counted.
    """
    remaining = Coalesce("paid_amount", "amount") - Value(refund.amount)
    paid_in = Case(When(paid_currency="", then=F("currency")), default=F("paid_currency"))
    payment = PaymentAttempt.objects.alias(paid_in=paid_in)
    payment = payment.filter(pk=refund.attempt_id, paid_in=refund.currency, refunded__lte=remaining)
    refund.is_counted = payment.update(refunded=F("refunded") + refund.amount) == 1
    if not refund.is_counted:
        logger.error("more refunded than was paid", extra={"refund": refund.pk, "order": refund.order_id})


def _holds_lines(state: RefundState) -> bool:
    return state in RESERVED_REFUND_STATES or state in COUNTED_REFUND_STATES


def _counter_column(state: RefundState, refund: Refund) -> str | None:
    if state in RESERVED_REFUND_STATES:
        return "refund_reserved"
    if state in COUNTED_REFUND_STATES and refund.is_counted:
        return "refunded"
    return None


def _add_to_line(line_id: int, amount: Money, seats: int = 0) -> bool:
    fits = OrderLine.objects.filter(pk=line_id, refunded__lte=F("due") - Value(amount.amount))
    if seats:
        fits = fits.filter(seats_refunded__lte=F("seats") - seats)
    return fits.update(refunded=F("refunded") + amount.amount, seats_refunded=F("seats_refunded") + seats) == 1


def _release_lines(refund: Refund) -> None:
    for part in refund.lines.all():
        OrderLine.objects.filter(pk=part.line_id).update(
            refunded=F("refunded") - part.amount, seats_refunded=F("seats_refunded") - part.seats
        )


def _reserve_lines(refund: Refund, *, now: datetime) -> None:
    # Meanwhile another refund may have taken a line's price: then this one has no share of it.
    for part in refund.lines.select_related("line"):
        if not _add_to_line(part.line_id, Money(part.amount, refund.currency), part.seats):
            part.amount = part.seats = 0
            part.save(update_fields=["amount", "seats"])
        elif part.seats:
            # Its codes were on again, and may have been redeemed. The money is gone all the same.
            _take_back_seats(refund, part.line, part.seats, takes_redeemed=True, now=now)


def _take_back_seats(refund: Refund, line: OrderLine, seats: int, *, takes_redeemed: bool, now: datetime) -> None:
    take_back_seats(
        line,
        seats=seats,
        takes_redeemed=takes_redeemed,
        reason=refund.reason or _("Refund"),
        by_id=refund.begun_by_id,
        now=now,
        refund=refund,
    )


def _apply_refund(refund: Refund, *, order: Order, now: datetime) -> None:
    if refund.took_effect_at is None:  # once, however often the gateway reports it
        refund.took_effect_at, is_whole = now, False
        if refund.is_counted and not refund.attempt.is_surplus:
            is_whole = is_fully_refunded(order)
            if refund.origin != RefundOrigin.OURS:
                _apply_policy(refund, is_whole=is_whole, now=now)
            if is_whole:
                _take_last_seats(refund, order, now=now)
            _take_back_courses(refund, order, now=now)
            _update_order_state(order, is_whole=is_whole, by_id=refund.begun_by_id, now=now)
        refund.save(update_fields=["took_effect_at", "enrollment_after", "frees_codes"])
        if is_whole:
            _close_courses_late(order, now=now)
        publish(MoneyReturned(refund_id=refund.pk, order_id=order.pk))
    log_refund(refund, "ecommerce.refund.settle", by_id=refund.begun_by_id)


def _take_back_courses(refund: Refund, order: Order, *, now: datetime) -> None:
    lines = OrderLine.objects.filter(refund_lines__refund=refund).select_related("product").order_by("pk")
    revoke_lines(
        list(lines),
        order=order,
        enrollment_after=EnrollmentAfter(refund.enrollment_after),
        frees_codes=refund.frees_codes,
        reason=refund.reason,
        by_id=refund.begun_by_id,
        now=now,
    )
    end_seats(
        find_taken_uses(refund),
        to=EnrollmentAfter(refund.enrollment_after),
        reason=refund.reason,
        by_id=refund.begun_by_id,
        now=now,
    )


def _settled_refunds(order: Order) -> QuerySet[Refund]:
    """Return the order's refunds that arrived, the last one last; second payments don't count."""
    settled = order.refunds.filter(state=RefundState.SUCCEEDED, is_counted=True, attempt__is_surplus=False)
    return settled.select_related("attempt").order_by("settled_at", "pk")


def _follow_whole_refund(order: Order, *, now: datetime) -> bool:
    """Where other refunds have returned all money, let seats, courses and order follow; return whether they have."""
    last = _settled_refunds(order).last()
    if last is None or not is_fully_refunded(order):
        return False
    _take_last_seats(last, order, now=now)
    after = EnrollmentAfter(last.enrollment_after)
    end_seats(find_taken_uses(last), to=after, reason=last.reason, by_id=None, now=now)
    _close_courses_late(order, now=now)
    _update_order_state(order, is_whole=True, by_id=None, now=now)
    return True


def _close_courses_late(order: Order, *, now: datetime) -> None:
    """Apply the shop's settings to what refunds made elsewhere left open, because money was left when they came.

    So the courses end the same whatever came first.
    """
    elsewhere = list(_settled_refunds(order).exclude(origin=RefundOrigin.OURS))
    if not elsewhere:
        return
    last = elsewhere[-1]
    if last.enrollment_after == EnrollmentAfter.KEEP:
        _apply_policy(last, is_whole=True, now=now)
        if last.enrollment_after != EnrollmentAfter.KEEP:
            last.took_effect_at = now  # so that only what it takes now comes back where it fails
            _take_back_courses(last, order, now=now)
        last.save(update_fields=["took_effect_at", "enrollment_after", "frees_codes"])
    uses = [use_id for refund in elsewhere[:-1] for use_id in find_taken_uses(refund)]
    end_seats(uses, to=EnrollmentAfter(last.enrollment_after), reason=last.reason, by_id=None, now=now)


def _take_last_seats(refund: Refund, order: Order, *, now: datetime) -> None:
    """Take the seats that are left once all money of an order is back, also where it was less than the prices."""
    for line in order.lines.filter(due__gt=0, seats__gt=F("seats_refunded")).order_by("pk"):
        seats = seats_left(line)
        part, _is_new = RefundLine.objects.get_or_create(refund=refund, line=line, defaults={"amount": 0})
        if _add_to_line(line.pk, order.money.zero, seats):
            part.seats += seats
            part.save(update_fields=["seats"])
            _take_back_seats(refund, line, seats, takes_redeemed=True, now=now)


def _apply_policy(refund: Refund, *, is_whole: bool, now: datetime) -> None:
    """Decide about the courses by the shop's settings, because no one chose for a refund made elsewhere.

    Courses stay until all money is back. Codes are freed by a refund, not by a lost dispute.
    """
    shop, is_bank = shop_settings(refund.order.site_id), refund.origin == RefundOrigin.BANK
    policy = shop.after_lost_dispute if is_bank else shop.after_refund_elsewhere
    refund.enrollment_after = policy if is_whole else EnrollmentAfter.KEEP
    refund.frees_codes = refund.enrollment_after == EnrollmentAfter.REMOVE and not is_bank
    if is_whole:
        listed = set(refund.lines.values_list("line_id", flat=True))
        others = [Share(line, refund.order.money.zero) for line in refund.order.lines.exclude(pk__in=listed)]
        if refund.enrollment_after != EnrollmentAfter.KEEP:
            others = [with_all_seats(share) for share in others]
        write_refund_lines(refund, others, takes_redeemed=True, now=now)


def undo_free(order: Order, lines: list[OrderLine], *, choice: RefundChoice, by_id: int | None, now: datetime) -> None:
    """Take back free lines of a locked order: their courses, codes and seats, as chosen.

    No money moves, so no refund is recorded; the order's history says who did it and why.
    """
    OrderLine.objects.filter(pk__in=[line.pk for line in lines]).update(
        undone_at=now, seats_refunded=Coalesce("seats", 0)
    )
    reason = choice.reason.strip()[:REASON_LENGTH]
    for line in lines:
        if seats_left(line):
            taken = take_back_seats(
                line,
                seats=seats_left(line),
                takes_redeemed=choice.takes_redeemed,
                reason=reason,
                by_id=by_id,
                now=now,
            )
            use_ids = [seat.use_id for seat in taken.redeemed if seat.use_id is not None]
            end_seats(use_ids, to=choice.enrollment_after, reason=reason, by_id=by_id, now=now)
    revoke_lines(
        lines,
        order=order,
        enrollment_after=choice.enrollment_after,
        frees_codes=choice.frees_codes,
        reason=reason,
        by_id=by_id,
        now=now,
    )
    if order.money.is_zero and order.is_fulfilled:
        is_whole = not order.lines.standing().exists()
        _update_order_state(order, is_whole=is_whole, by_id=by_id, now=now)
    audit.record(
        order,
        "ecommerce.order.undo",
        by_id=by_id,
        data={
            "reason": reason,
            "courses": str(choice.enrollment_after),
            "frees_codes": choice.frees_codes,
            "line_ids": [line.pk for line in lines],
        },
    )
    publish(
        FreeLinesUndone(
            order_id=order.pk, line_ids=tuple(line.pk for line in lines), enrollment_after=str(choice.enrollment_after)
        )
    )


def revoke_lines(
    lines: list[OrderLine],
    *,
    order: Order,
    enrollment_after: EnrollmentAfter,
    frees_codes: bool,
    reason: str,
    by_id: int | None,
    now: datetime,
) -> None:
    """Take back the lines' courses, codes and seats, as staff or the shop's settings chose."""
    if not lines:
        return
    freed: list[int] = []
    if frees_codes:
        lock_for([line.product_id for line in lines])
        freed = _free_codes(order, lines, now=now)
    if enrollment_after != EnrollmentAfter.KEEP:
        _change_enrollments(order, lines, to=enrollment_after, reason=reason, by_id=by_id, now=now)
    if frees_codes or enrollment_after != EnrollmentAfter.KEEP:
        publish(
            LinesRefunded(
                order_id=order.pk,
                purchaser_id=order.purchaser_id,
                line_ids=tuple(line.pk for line in lines),
                freed_code_ids=tuple(freed),
                at=now,
            )
        )


def _free_codes(order: Order, lines: list[OrderLine], *, now: datetime) -> list[int]:
    """Free the codes of these lines that no other line and no later order relies on; return their ids.

    One use covers all seats of a group, so as long as some are left its code isn't freed.
    """
    codes = {line.code_id for line in lines if line.code_id is not None}
    kept = _remaining_lines(order, lines) | order.lines.filter(seats__gt=F("seats_refunded"))
    free = codes - set(kept.filter(code_id__in=codes).values_list("code_id", flat=True))
    relying = OrderLine.objects.filter(
        code_id__in=free, order__purchaser_id=order.purchaser_id, order__state__in=RELYING_STATES
    ).exclude(order=order)
    for code_id, order_id in relying.order_by("-order_id").values_list("code_id", "order_id"):
        if code_id in free:
            free.discard(code_id)
            # The use passes to the later order, so that its own refund can free the code.
            CodeUse.objects.filter(order=order, code_id=code_id).update(order_id=order_id)
    return free_uses(order_id=order.pk, code_ids=free, now=now) if free else []


def _change_enrollments(
    order: Order, lines: list[OrderLine], *, to: EnrollmentAfter, reason: str, by_id: int | None, now: datetime
) -> None:
    """Revoke the rights that these lines gave, or turn them into auditing, unless another line gives them too."""
    remaining = list(_remaining_lines(order, lines).select_related("product"))
    rights = find_rights(order, [*lines, *remaining])
    given = set().union(*(rights[line.pk] for line in lines))
    needed = set().union(*(rights[line.pk] for line in remaining))
    for run_id, source in sorted(given - needed):
        if to == EnrollmentAfter.AUDIT:
            downgrade(
                user_id=order.purchaser_id,
                run_id=run_id,
                source=source,
                reference=order.number,
                now=now,
                changed_by_id=by_id,
                reason=reason,
            )
        else:
            revoke(
                user_id=order.purchaser_id,
                run_id=run_id,
                source=source,
                reference=order.number,
                now=now,
                revoked_by_id=by_id,
                reason=reason,
            )


def _remaining_lines(order: Order, lines: list[OrderLine]) -> QuerySet[OrderLine]:
    return order.lines.standing().exclude(pk__in=[line.pk for line in lines])


def restore_courses(refund: Refund, *, order: Order, now: datetime) -> bool:
    """Give back the courses that a failed refund had taken away, if the shop's settings say so, with codes and seats.

    Codes that were freed while the courses stayed are claimed again in any case. Return whether a course was given
    back: not where none was taken, where the settings say no, where someone else has the code or the seat now, or
    where the buyer deleted their account.
    """
    if order.purchaser.closed_at is not None:
        return False
    # Refunds made elsewhere closed courses because all money was back. Now some isn't.
    elsewhere = _settled_refunds(order).exclude(origin=RefundOrigin.OURS).exclude(enrollment_after=EnrollmentAfter.KEEP)
    undone = [refund, *_failed_refunds(order), *elsewhere]
    frees_codes = refund.frees_codes or any(each.frees_codes for each in elsewhere)
    taken = find_revoked_rights(order, at=[each.took_effect_at for each in undone])
    lines = list(OrderLine.objects.filter(refund_lines__refund=refund).select_related("product").order_by("pk"))
    if taken and shop_settings(order.site_id).after_failed_refund != AfterFailedRefund.RESTORE:
        return False
    if not taken and not (frees_codes and any(find_rights(order, lines).values())):
        return False
    try:
        with transaction.atomic():  # a refusal undoes all of it and is caught below
            if frees_codes:
                lock_for([line.product_id for line in lines])
                claim_codes_again(order, now=now)
            for right in taken:
                restore_right(order, right, reason=refund.reason, now=now)
            elsewhere.update(enrollment_after=EnrollmentAfter.KEEP, frees_codes=False)
            _close_again(order, now=now)
            if frees_codes:
                ids = tuple(line.pk for line in lines)
                publish(LinesRestored(order_id=order.pk, purchaser_id=order.purchaser_id, line_ids=ids, at=now))
    except DomainError as refusal:
        logger.warning("courses not restored", extra={"refund": refund.pk, "order": order.pk, "why": refusal.code})
        return False
    return bool(taken)


def _failed_refunds(order: Order) -> QuerySet[Refund]:
    """Return the order's refunds that took effect and then failed, or gave way to others."""
    return order.refunds.filter(state__in=FAILED_REFUND_STATES, took_effect_at__isnull=False)


def _close_again(order: Order, *, now: datetime) -> None:
    """Close what other refunds of the order still take, of the courses that were just given back."""
    for refund in _settled_refunds(order).exclude(enrollment_after=EnrollmentAfter.KEEP):
        lines = list(OrderLine.objects.filter(refund_lines__refund=refund).select_related("product").order_by("pk"))
        after = EnrollmentAfter(refund.enrollment_after)
        _change_enrollments(order, lines, to=after, reason=refund.reason, by_id=refund.begun_by_id, now=now)


def _update_order_state(order: Order, *, is_whole: bool, by_id: int | None, now: datetime) -> None:
    if is_whole and order.state not in {OrderState.REFUNDED, OrderState.CANCELED}:
        order.move(OrderState.REFUNDED, at=now)
        open_request = RefundRequest.objects.filter(order=order, state=RefundRequestState.ASKED)
        open_request.update(state=RefundRequestState.APPROVED, decided_at=now, decided_by=by_id)
    elif not is_whole and order.state == OrderState.FULFILLED:
        order.move(OrderState.PARTIALLY_REFUNDED, at=now)


def _handle_failure(refund: Refund, before: RefundState, *, order: Order, now: datetime) -> None:
    """Alert finance to a refund that failed, and undo what followed from it: the buyer still waits for the money."""
    log_refund(refund, "ecommerce.refund.fail", by_id=None)
    if refund.origin != RefundOrigin.BANK:  # a dispute that was won after all is no failure
        extra = {"refund": refund.pk, "order": refund.order_id, "state": str(refund.state)}
        logger.error("refund failed", extra=extra)
        raise_alert(order.pk, AlertKind.REFUND_FAILED, about=f"refund {refund.pk}", now=now)
    if refund.attempt.is_surplus:
        mark_for_refund(attempt_id=refund.attempt_id, reason=refund.reason, now=now)
    had_effect = before == RefundState.SUCCEEDED and refund.took_effect_at is not None
    if had_effect or _failed_refunds(order).filter(origin=RefundOrigin.BANK).exists():
        is_restored = undo_effects(refund, order=order, now=now)
        if had_effect and refund.origin != RefundOrigin.BANK and not is_fully_refunded(order):
            publish(RefundFailed(refund_id=refund.pk, order_id=order.pk, is_restored=is_restored))
    else:
        _follow_whole_refund(order, now=now)


def undo_effects(refund: Refund, *, order: Order, now: datetime) -> bool:
    """Undo what followed from a refund that failed, unless other refunds have returned all money by now.

    Return whether someone got a course back.
    """
    if _follow_whole_refund(order, now=now) or not refund.is_counted or refund.attempt.is_surplus:
        return False
    is_restored = restore_courses(refund, order=order, now=now)
    is_restored = _give_back_seats(refund, order, now=now) or is_restored
    _restore_order_state(order, now=now)
    return is_restored


def _give_back_seats(refund: Refund, order: Order, *, now: datetime) -> bool:
    """Give learners back the courses of seats that a failed refund had taken; return whether someone got one."""
    gives_courses = shop_settings(order.site_id).after_failed_refund == AfterFailedRefund.RESTORE
    failed = _failed_refunds(order).exclude(pk=refund.pk)
    others = CodeUse.objects.filter(state=UseState.RETIRED, code__active=True)
    others = others.filter(pk__in=[use_id for each in failed for use_id in find_taken_uses(each)])
    # Not those that another refund has taken meanwhile.
    gone = RegistrationCodeChange.objects.filter(kind=CodeChangeKind.REFUNDED, code__active=False)
    gone = gone.filter(refund__in=order.refunds.alive().exclude(pk=refund.pk))
    own = CodeUse.objects.filter(pk__in=find_taken_uses(refund)).exclude(code__in=gone.values("code"))
    uses = {*own.values_list("pk", flat=True), *others.values_list("pk", flat=True)}
    return bool(give_back_seats(uses, gives_courses=gives_courses, reason=refund.reason, now=now))


def _restore_order_state(order: Order, *, now: datetime) -> None:
    """Set the order's state after refunded money came back to us.

    Where none of its courses is open it goes to review: the buyer has neither the money nor the course.
    """
    if order.state not in {OrderState.REFUNDED, OrderState.PARTIALLY_REFUNDED}:
        return
    has_courses = any(find_rights(order, order.lines.select_related("product")).values()) or _has_seats(order)
    if order.fulfilled_at is None or not has_courses:
        order.move(OrderState.REVIEW, at=now, cause=ReviewCause.REFUND_FAILED)
    elif is_partly_refunded(order):
        if order.state != OrderState.PARTIALLY_REFUNDED:
            order.move(OrderState.PARTIALLY_REFUNDED, at=now)
    else:
        order.move(OrderState.FULFILLED, at=now)


def _has_seats(order: Order) -> bool:
    """Whether seats of a group that the order bought are still good."""
    return order.lines.filter(seats__gt=F("seats_refunded")).exists()
