"""The books of refunds: what is set aside, what went back, and what follows. Always under the order's lock.

Locks are taken order → payment → refund → contract terms → code → membership (ADR 0003). No network call happens here.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Case, DecimalField, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from courses.services.enrollments import downgrade, revoke
from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    RESERVED_REFUND_STATES,
    AfterFailedRefund,
    AlertKind,
    AttemptState,
    EnrollmentAfter,
    OrderState,
    RefundOrigin,
    RefundRequestState,
    RefundState,
    ReviewCause,
)
from ecommerce.errors.refunds import RefundTooMuch
from ecommerce.events import FreeLinesUndone, LinesRefunded, LinesRestored, MoneyReturned, PaidTwice, RefundFailed
from ecommerce.models import CodeUse, Order, OrderLine, PaymentAttempt, Refund, RefundLine, RefundRequest
from ecommerce.rules import lock_for
from ecommerce.selectors.refund_plan import (
    REASON_LENGTH,
    RefundChoice,
    RefundPlan,
    Share,
    divide_amount,
    find_excess,
    remaining_price,
)
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.discounts.codes import free_uses
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.orders.enrollment import find_revoked_rights, find_rights, restore_right
from ecommerce.services.orders.fulfillment import claim_codes_again
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money

logger = logging.getLogger(__name__)

# What a later word of the gateway may change. "Failed" and "canceled" are its last words; but where we ourselves gave
# up without ever having had its id, it knows better.
NEXT: dict[str, frozenset[str]] = {
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
    # Only staff bring it to its end, unless the gateway says that nothing went back after all.
    RefundState.DIFFERS: frozenset({RefundState.FAILED, RefundState.CANCELED}),
    RefundState.SUCCEEDED: frozenset({RefundState.FAILED, RefundState.CANCELED}),
    RefundState.FAILED: frozenset(),
    RefundState.CANCELED: frozenset(),
}
# Orders that need their codes: whoever bought with the same code later relies on the use of the first. One in review
# holds nothing; whoever fulfills it claims again.
RELYING_STATES = (OrderState.PENDING, OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED)


def record_refund(
    plan: RefundPlan,
    *,
    now: datetime,
    by_id: int | None,
    reference: uuid.UUID | None = None,
    request: RefundRequest | None = None,
) -> Refund:
    """Write a refund down and set its money aside, with the key the gateway will be called with.

    Raises RefundTooMuch where someone else was faster, whatever the plan saw.
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
    write_refund_lines(refund, plan.shares)
    log_refund(refund, "ecommerce.refund.record", by_id=by_id)
    return refund


def reserve_money(attempt_id: int, amount: Money) -> bool:
    """Set money of a payment aside with one conditional write; False where not so much is left."""
    left = Coalesce("paid_amount", "amount") - F("refunded") - F("refund_reserved")
    enough = PaymentAttempt.objects.alias(left=left).filter(
        pk=attempt_id, state=AttemptState.PAID, left__gte=amount.amount
    )
    return enough.update(refund_reserved=F("refund_reserved") + amount.amount) == 1


def write_refund_lines(refund: Refund, shares: Iterable[Share]) -> None:
    """Note what the refund takes of each line, where the line has it still."""
    rows = []
    for share in shares:
        moved = _add_to_line(share.line.pk, share.amount)
        rows.append(RefundLine(refund=refund, line=share.line, amount=share.amount.amount if moved else 0))
    RefundLine.objects.bulk_create(rows)


def move_refund(
    refund: Refund,
    to: RefundState,
    *,
    order: Order,
    now: datetime,
    gateway_refund_id: str = "",
    failure: str = "",
    told: Money | None = None,
) -> None:
    """Bring a locked refund of a locked order to what the gateway says; old news changes nothing.

    ``told`` is how much it says goes back. Where that isn't what was asked for, nothing follows until staff decide.
    """
    if gateway_refund_id and refund.gateway_refund_id != gateway_refund_id:
        _absorb_twin(refund, gateway_refund_id, order=order, now=now)
        refund.gateway_refund_id = gateway_refund_id
    resurrected = refund.state == RefundState.FAILED and _overrules_failure(refund, to)
    if told is not None and told != refund.money and to in COUNTED_REFUND_STATES:
        to = _note_difference(refund, told)
    if to == refund.state or not (to in NEXT[refund.state] or resurrected):
        refund.save(update_fields=["gateway_refund_id"])
        return
    before, refund.state = RefundState(refund.state), to
    _move_counters(refund, before, to)
    refund.failure = failure[:255]
    if to in {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED}:
        refund.settled_at = now
    refund.save()
    if to == RefundState.SUCCEEDED:
        _take_effect(refund, order=order, now=now)
    elif to == RefundState.DIFFERS:
        log_refund(refund, "ecommerce.refund.differ", by_id=None)
        raise_alert(order.pk, AlertKind.REFUND_DIFFERS, about=f"refund {refund.pk}", now=now)
        logger.error("another refund than was asked for", extra={"refund": refund.pk, "order": refund.order_id})
    elif to in {RefundState.FAILED, RefundState.CANCELED} and before != RefundState.MARKED:
        _handle_failure(refund, before, order=order, now=now)


def book_actual_amount(refund: Refund, *, order: Order, now: datetime, by_id: int | None, reason: str) -> None:
    """Let a locked refund be what the gateway says it was, and let everything follow from that.

    Money in another currency than the payment's can't be counted; the order stays as it is.
    """
    money = refund.told_money or refund.money
    _move_counters(refund, RefundState.DIFFERS, RefundState.CANCELED)
    lines = list(OrderLine.objects.filter(refund_lines__refund=refund).order_by("pk"))
    refund.lines.all().delete()
    refund.amount, refund.currency = money.amount, money.currency
    excess = find_excess(order) if len(lines) == order.lines.count() else order.money.zero
    write_refund_lines(refund, divide_amount(money, {line: remaining_price(line) for line in lines}, excess=excess))
    _move_counters(refund, RefundState.CANCELED, RefundState.SUCCEEDED)
    refund.state, refund.settled_at, refund.failure = RefundState.SUCCEEDED, now, reason[:255]
    refund.save()
    if refund.is_counted:  # the difference to the gateway's sum is booked now
        PaymentAttempt.objects.filter(pk=refund.attempt_id).update(refund_gap=0)
    _take_effect(refund, order=order, now=now)


def log_refund(refund: Refund, action: str, *, by_id: int | None) -> None:
    """Into the log of the order: who did what about which money, and why."""
    data: dict[str, audit.Detail] = {
        "refund_id": refund.pk,
        "amount": str(refund.money),
        "state": str(refund.state),
        "reason": refund.reason,
        "courses": str(refund.enrollment_after),
        "frees_codes": refund.frees_codes,
        "line_ids": list(refund.lines.values_list("line_id", flat=True)),
    }
    if refund.failure:
        data["failure"] = refund.failure
    audit.record(refund.order, action, by_id=by_id, data=data)


def is_fully_refunded(order: Order) -> bool:
    """Whether all money that came for the order went back for certain, payment by payment; second ones left out."""
    arrived = Q(refunds__state=RefundState.SUCCEEDED, refunds__is_counted=True)
    back = Coalesce(Sum("refunds__amount", filter=arrived), Value(0, output_field=DecimalField()))
    attempts = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).annotate(back=back)
    return all(attempt.back >= attempt.paid_money.amount for attempt in attempts)


def is_partly_refunded(order: Order) -> bool:
    """Whether some of the money that came for the order went back for certain."""
    return order.refunds.filter(state=RefundState.SUCCEEDED, is_counted=True, attempt__is_surplus=False).exists()


def mark_for_refund(*, attempt_id: int, reason: str, now: datetime) -> Refund:
    """Put a second payment of an order before finance, once; inside the transaction that has the order locked.

    No money moves until staff say so, or give it back at the gateway.
    """
    attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
    known = attempt.refunds.exclude(state__in=[RefundState.FAILED, RefundState.CANCELED]).first()
    if attempt.is_surplus and known is not None:
        return known
    is_news = not attempt.is_surplus
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
    if is_news:
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
    """A row for money that someone else gave back or took, its amount divided among the lines; not counted yet."""
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


def divide_among_lines(refund: Refund, order: Order) -> None:
    """Note what a refund made elsewhere takes of each line that has something left."""
    remaining: dict[OrderLine, Money] = {line: remaining_price(line) for line in order.lines.order_by("pk")}
    shares = divide_amount(refund.money, remaining, excess=find_excess(order))
    write_refund_lines(refund, [share for share in shares if not share.amount.is_zero])


def _note_difference(refund: Refund, told: Money) -> RefundState:
    """Keep what the gateway says went back instead of what was asked for; the state that follows from it."""
    if refund.state in {RefundState.SUCCEEDED, RefundState.DIFFERS}:
        return RefundState(refund.state)
    refund.told_amount, refund.told_currency = told.amount, told.currency
    return RefundState.DIFFERS


def _overrules_failure(refund: Refund, to: RefundState) -> bool:
    """Whether our own "failed" is overruled: we never had the gateway's id, and now it names one."""
    known_before = Refund.objects.filter(pk=refund.pk).exclude(gateway_refund_id="").exists()
    return not known_before and to in COUNTED_REFUND_STATES and refund.gateway_refund_id != ""


def _absorb_twin(refund: Refund, gateway_refund_id: str, *, order: Order, now: datetime) -> None:
    """Undo the row a notice without our reference made of this very refund before we had its id."""
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
    twin.failure = f"the same as refund {refund.pk}"
    _move_counters(twin, before, RefundState.CANCELED)
    twin.save()
    log_refund(twin, "ecommerce.refund.fail", by_id=None)


def _move_counters(refund: Refund, before: RefundState, after: RefundState) -> None:
    """Let the payment's and the lines' counters follow a refund from one state to another."""
    if _holds_lines(before) and not _holds_lines(after):
        _release_lines(refund)
    elif before == RefundState.FAILED and _holds_lines(after):
        _reserve_lines(refund)
    held, holds = _counter(before, refund), _counter(after, refund)
    attempt = PaymentAttempt.objects.filter(pk=refund.attempt_id)
    if held == holds:
        return
    if held is not None:
        attempt.update(**{held: F(held) - refund.amount})
    if holds == "refund_reserved":
        attempt.update(refund_reserved=F("refund_reserved") + refund.amount)
    if holds == "refunded":
        room = Coalesce("paid_amount", "amount") - Value(refund.amount)
        paid_in = Case(When(paid_currency="", then=F("currency")), default=F("paid_currency"))
        fits = attempt.alias(paid_in=paid_in).filter(paid_in=refund.currency, refunded__lte=room)
        refund.is_counted = fits.update(refunded=F("refunded") + refund.amount) == 1
        if not refund.is_counted:
            logger.error("more refunded than was paid", extra={"refund": refund.pk, "order": refund.order_id})


def _holds_lines(state: RefundState) -> bool:
    return state in RESERVED_REFUND_STATES or state in COUNTED_REFUND_STATES


def _counter(state: RefundState, refund: Refund) -> str | None:
    if state in RESERVED_REFUND_STATES:
        return "refund_reserved"
    if state in COUNTED_REFUND_STATES and refund.is_counted:
        return "refunded"
    return None


def _add_to_line(line_id: int, amount: Money) -> bool:
    fits = OrderLine.objects.filter(pk=line_id, refunded__lte=F("due") - Value(amount.amount))
    return fits.update(refunded=F("refunded") + amount.amount) == 1


def _release_lines(refund: Refund) -> None:
    for part in refund.lines.all():
        OrderLine.objects.filter(pk=part.line_id).update(refunded=F("refunded") - part.amount)


def _reserve_lines(refund: Refund) -> None:
    for part in refund.lines.all():
        if not _add_to_line(part.line_id, Money(part.amount, refund.currency)):
            part.amount = 0
            part.save(update_fields=["amount"])


def _take_effect(refund: Refund, *, order: Order, now: datetime) -> None:
    """Let courses, codes and the order follow money that went back; once, however often we hear of it."""
    if refund.took_effect_at is None:
        refund.took_effect_at = now
        if refund.is_counted and not refund.attempt.is_surplus:
            is_whole = is_fully_refunded(order)
            if refund.origin != RefundOrigin.OURS:
                _apply_policy(refund, is_whole=is_whole)
            lines = OrderLine.objects.filter(refund_lines__refund=refund).select_related("product").order_by("pk")
            take_lines_back(refund, list(lines), order=order, now=now)
            _update_order_state(order, is_whole=is_whole, by_id=refund.begun_by_id, now=now)
        refund.save(update_fields=["took_effect_at", "enrollment_after", "frees_codes"])
        publish(MoneyReturned(refund_id=refund.pk, order_id=order.pk))
    log_refund(refund, "ecommerce.refund.settle", by_id=refund.begun_by_id)


def _apply_policy(refund: Refund, *, is_whole: bool) -> None:
    """At the gateway and the bank no one says what becomes of the courses; once all money is back, the shop does.

    Codes come back with money that the shop gave back, not with money that was taken from it.
    """
    shop, is_bank = shop_settings(), refund.origin == RefundOrigin.BANK
    policy = shop.after_lost_dispute if is_bank else shop.after_refund_elsewhere
    refund.enrollment_after = policy if is_whole else EnrollmentAfter.KEEP
    refund.frees_codes = refund.enrollment_after == EnrollmentAfter.REMOVE and not is_bank
    if is_whole:
        known = set(refund.lines.values_list("line_id", flat=True))
        others = refund.order.lines.exclude(pk__in=known)
        RefundLine.objects.bulk_create(RefundLine(refund=refund, line=line, amount=0) for line in others)


def undo_free(order: Order, lines: list[OrderLine], *, choice: RefundChoice, by_id: int | None, now: datetime) -> None:
    """Take back what cost nothing, under the order's lock: courses, codes and seats, as the choice says.

    No money moves, so no refund is written; the order's log has who did it and why.
    """
    OrderLine.objects.filter(pk__in=[line.pk for line in lines]).update(undone_at=now)
    act = Refund(
        order=order,
        reason=choice.reason.strip()[:REASON_LENGTH],
        enrollment_after=choice.enrollment_after,
        frees_codes=choice.frees_codes,
        begun_by_id=by_id,
    )
    take_lines_back(act, lines, order=order, now=now)
    if order.money.is_zero and order.is_fulfilled:
        is_whole = not order.lines.standing().exists()
        _update_order_state(order, is_whole=is_whole, by_id=by_id, now=now)
    audit.record(
        order,
        "ecommerce.order.undo",
        by_id=by_id,
        data={
            "reason": act.reason,
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


def take_lines_back(refund: Refund, lines: list[OrderLine], *, order: Order, now: datetime) -> None:
    """Take courses, codes and seats of these lines back, as the refund says."""
    if not lines:
        return
    freed: list[int] = []
    if refund.frees_codes:
        lock_for([line.product_id for line in lines])
        freed = _free_codes(order, lines, now=now)
    if refund.enrollment_after != EnrollmentAfter.KEEP:
        _change_enrollments(refund, order, lines, now=now)
    if refund.frees_codes or refund.enrollment_after != EnrollmentAfter.KEEP:
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
    """Give back the codes of these lines that no other line and no later order relies on."""
    codes = {line.code_id for line in lines if line.code_id is not None}
    kept = _remaining_lines(order, lines).filter(code_id__in=codes)
    free = codes - set(kept.values_list("code_id", flat=True))
    relying = OrderLine.objects.filter(
        code_id__in=free, order__purchaser_id=order.purchaser_id, order__state__in=RELYING_STATES
    ).exclude(order=order)
    for code_id, order_id in relying.order_by("-order_id").values_list("code_id", "order_id"):
        if code_id in free:
            free.discard(code_id)
            # The use is the later order's from now on, so that its own refund can free it.
            CodeUse.objects.filter(order=order, code_id=code_id).update(order_id=order_id)
    return free_uses(order_id=order.pk, code_ids=free, now=now) if free else []


def _change_enrollments(refund: Refund, order: Order, lines: list[OrderLine], *, now: datetime) -> None:
    """Take away, or turn into auditing, the rights these lines gave and no line that stays gives too."""
    staying = list(_remaining_lines(order, lines).select_related("product"))
    rights = find_rights(order, [*lines, *staying])
    wanted = set().union(*(rights[line.pk] for line in lines))
    needed = set().union(*(rights[line.pk] for line in staying))
    for run_id, source in sorted(wanted - needed):
        if refund.enrollment_after == EnrollmentAfter.AUDIT:
            downgrade(
                user_id=order.purchaser_id,
                run_id=run_id,
                source=source,
                reference=order.number,
                now=now,
                changed_by_id=refund.begun_by_id,
                reason=refund.reason,
            )
        else:
            revoke(
                user_id=order.purchaser_id,
                run_id=run_id,
                source=source,
                reference=order.number,
                now=now,
                revoked_by_id=refund.begun_by_id,
                reason=refund.reason,
            )


def _remaining_lines(order: Order, lines: list[OrderLine]) -> QuerySet[OrderLine]:
    """The order's other lines, but for those whose whole price went back before."""
    return order.lines.standing().exclude(pk__in=[line.pk for line in lines])


def restore_courses(refund: Refund, *, order: Order, now: datetime) -> bool:
    """Open the courses again that a refund took away, with their codes and seats, if the shop wants it so.

    Codes that were freed while the courses stayed are the order's again, whatever the shop wants. False where no
    course was opened: there were none, the shop doesn't want it, or a code or a seat is another's by now.
    """
    taken = find_revoked_rights(order, at=refund.took_effect_at)
    lines = list(OrderLine.objects.filter(refund_lines__refund=refund).select_related("product").order_by("pk"))
    if taken and shop_settings().after_failed_refund != AfterFailedRefund.RESTORE:
        return False
    if not taken and not (refund.frees_codes and any(find_rights(order, lines).values())):
        return False
    try:
        with transaction.atomic():  # a refusal is caught here, and undoes all of it
            if refund.frees_codes:
                lock_for([line.product_id for line in lines])
                claim_codes_again(order, now=now)
            for right in taken:
                restore_right(order, right, reason=refund.reason, now=now)
            if refund.frees_codes:
                ids = tuple(line.pk for line in lines)
                publish(LinesRestored(order_id=order.pk, purchaser_id=order.purchaser_id, line_ids=ids, at=now))
    except DomainError as refusal:
        logger.warning("courses not restored", extra={"refund": refund.pk, "order": order.pk, "why": refusal.code})
        return False
    return bool(taken)


def _update_order_state(order: Order, *, is_whole: bool, by_id: int | None, now: datetime) -> None:
    if is_whole and order.state not in {OrderState.REFUNDED, OrderState.CANCELED}:
        order.move(OrderState.REFUNDED, at=now)
        open_request = RefundRequest.objects.filter(order=order, state=RefundRequestState.ASKED)
        open_request.update(state=RefundRequestState.APPROVED, decided_at=now, decided_by=by_id)
    elif not is_whole and order.state == OrderState.FULFILLED:
        order.move(OrderState.PARTIALLY_REFUNDED, at=now)


def _handle_failure(refund: Refund, before: RefundState, *, order: Order, now: datetime) -> None:
    """The buyer waits for this money: finance is told, and what followed from the refund is undone."""
    logger.error("refund failed", extra={"refund": refund.pk, "order": refund.order_id, "state": str(refund.state)})
    log_refund(refund, "ecommerce.refund.fail", by_id=None)
    raise_alert(order.pk, AlertKind.REFUND_FAILED, about=f"refund {refund.pk}", now=now)
    if refund.attempt.is_surplus:
        mark_for_refund(attempt_id=refund.attempt_id, reason=refund.reason, now=now)
    if before != RefundState.SUCCEEDED or refund.took_effect_at is None:
        return
    is_restored = False
    if refund.is_counted and not refund.attempt.is_surplus:
        is_restored = restore_courses(refund, order=order, now=now)
        _restore_order_state(order, now=now)
    if refund.origin != RefundOrigin.BANK:
        publish(RefundFailed(refund_id=refund.pk, order_id=order.pk, is_restored=is_restored))


def _restore_order_state(order: Order, *, now: datetime) -> None:
    """Let the order say what the books say, now that money which had gone back is here again.

    Where none of its courses is open it goes before staff: the buyer has neither the money nor the course.
    """
    if order.state not in {OrderState.REFUNDED, OrderState.PARTIALLY_REFUNDED}:
        return
    has_courses = any(find_rights(order, order.lines.select_related("product")).values())
    if order.fulfilled_at is None or not has_courses:
        order.move(OrderState.REVIEW, at=now, cause=ReviewCause.REFUND_FAILED)
    elif is_partly_refunded(order):
        if order.state != OrderState.PARTIALLY_REFUNDED:
            order.move(OrderState.PARTIALLY_REFUNDED, at=now)
    else:
        order.move(OrderState.FULFILLED, at=now)
