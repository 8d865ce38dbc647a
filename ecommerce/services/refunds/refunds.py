"""Refunding payments.

A refund is recorded before the gateway is called. The call is made outside any transaction, with an idempotency key
that is stored. The refund is settled by the gateway's answer, by a notice, or by asking again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    AlertKind,
    RefundOrigin,
    RefundRequestState,
    RefundState,
)
from ecommerce.errors.refunds import NothingToRefund, RefundDecided, RefundUnknown
from ecommerce.gateways.base import PaymentFailed, RefundInstruction, RefundNotice, RefundResult
from ecommerce.gateways.outages import UnresponsiveAccounts
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, PaymentAttempt, Refund
from ecommerce.selectors.refund_plan import RefundChoice, find_free_lines, plan_order_refund
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.refunds.ledger import (
    book_actual_amount,
    divide_among_lines,
    log_refund,
    make_room,
    move_refund,
    record_foreign_refund,
    record_refund,
    reserve_money,
    undo_free,
)
from ecommerce.services.refunds.requests import lock_open_request
from mitxonline.kernel import audit
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import refuse_unless_seen
from mitxonline.kernel.money import Money
from mitxonline.kernel.remote import patience
from mitxonline.kernel.text import require_text

logger = logging.getLogger(__name__)

# How long the process that recorded a refund may take to send it and get the answer, before the sweep does.
ANSWER_TIME = timedelta(minutes=2)
# How often the gateway is asked about a refund that is on its way: banks take days.
ASK_PENDING_EVERY = timedelta(hours=1)


def refund_order(
    *,
    order_id: int,
    choice: RefundChoice,
    now: datetime,
    by_id: int | None,
    reference: UUID | None = None,
    seen: str | None = None,
) -> Refund:
    """Refund an order as chosen, and return the refund as the gateway left it.

    A second call with the same ``reference`` (a form posted twice) refunds nothing more. ``seen`` is the fingerprint of
    the plan that was confirmed. Raises RefundRefused, and PlanChanged if the plan is another one by now, with
    nothing recorded. A refusal by the gateway is not raised: it is the refund's state and ``failure``.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        known = order.refunds.filter(reference=reference).first() if reference else None
        refund = known
        if refund is None:
            plan = plan_order_refund(order, choice)
            if seen is not None:
                refuse_unless_seen(seen, plan.fingerprint(request_id=None))
            refund = record_refund(plan, now=now, by_id=by_id, reference=reference)
    return send_refund(refund_id=refund.pk, now=now)


def undo_free_order(*, order_id: int, choice: RefundChoice, now: datetime, by_id: int | None) -> Order:
    """Take back lines of an order that cost nothing: all of them, or the chosen ones. Repeating it changes nothing.

    Raises RefundLinesUnknown, or NothingToRefund where the lines had a price or were taken back.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        lines = find_free_lines(order, choice.line_ids)
        if not lines:
            raise NothingToRefund(number=order.number)
        undo_free(order, lines, choice=choice, by_id=by_id, now=now)
    return order


def approve_request(
    *,
    request_id: int,
    choice: RefundChoice,
    now: datetime,
    by_id: int | None,
    reference: UUID | None = None,
    seen: str | None = None,
) -> Refund:
    """Approve a buyer's request and refund the order as chosen.

    ``seen`` is the fingerprint of the plan that was confirmed. Raises RefundUnknown, RefundDecided, RefundRefused, and
    PlanChanged if the plan is another one by now.
    """
    with transaction.atomic():
        order, request = lock_open_request(request_id)
        plan = plan_order_refund(order, choice)
        if seen is not None:
            refuse_unless_seen(seen, plan.fingerprint(request_id=request.pk))
        refund = record_refund(plan, now=now, by_id=by_id, reference=reference, request=request)
        request.state, request.decided_at, request.decided_by_id = RefundRequestState.APPROVED, now, by_id
        request.save(update_fields=["state", "decided_at", "decided_by"])
        audit.record(
            order,
            "ecommerce.refund.approve",
            by_id=by_id,
            data={"request_id": request.pk, "refund_id": refund.pk, "reason": choice.reason},
        )
    return send_refund(refund_id=refund.pk, now=now)


def send_refund(*, refund_id: int, now: datetime) -> Refund:
    """Send a recorded refund to its gateway; one that was sent before stays as it is."""
    try:
        return _send_recorded(refund_id, now=now)
    except PaymentFailed:  # it stays "sent", and the sweep looks it up
        return _load_refund(refund_id)


def look_up_refund(*, refund_id: int, now: datetime) -> Refund:
    """Ask the gateway about a refund that was sent. One that it never received is sent again, with the same key."""
    try:
        return _look_up(refund_id, now=now)
    except PaymentFailed:
        return _load_refund(refund_id)


def sweep_refunds(*, now: datetime, limit: int = 100) -> int:
    """Send or look up refunds that were interrupted or got no answer; return how many were tried.

    When a gateway's account stops answering, its other refunds wait for the next run. All wait when the time is over.
    """
    recorded = Q(state=RefundState.RECORDED, recorded_at__lt=now - ANSWER_TIME)
    unanswered = Q(state=RefundState.SENT, sent_at__lt=now - ANSWER_TIME) & _not_asked_since(now - ANSWER_TIME)
    sent_long_ago = Q(sent_at__lt=now - ASK_PENDING_EVERY) | Q(sent_at=None)  # without a time: made at the gateway
    pending = Q(state=RefundState.PENDING) & sent_long_ago & _not_asked_since(now - ASK_PENDING_EVERY)
    due = Refund.objects.filter(recorded | unanswered | pending)
    rows = due.order_by(F("looked_up_at").asc(nulls_first=True), "pk").select_related("attempt")[:limit]
    unresponsive, tried = UnresponsiveAccounts(), 0
    with patience(settings.REMOTE_SWEEP_SECONDS) as sweep:
        for refund in rows:
            if sweep.is_over:
                logger.warning("refunds left for the next run: gateways were slow")
                break
            account = (refund.gateway, refund.attempt.account)
            if account not in unresponsive:
                tried += 1
                unresponsive.record(account, _follow_up(refund, now=now))
    return tried


def _follow_up(refund: Refund, *, now: datetime) -> PaymentFailed | None:
    """Send or look up one refund of a sweep; return the failure where its gateway didn't answer."""
    try:
        if refund.state == RefundState.RECORDED:
            _send_recorded(refund.pk, now=now)
        else:
            _look_up(refund.pk, now=now)
    except PaymentFailed as failure:
        return failure
    except (DatabaseError, DomainError):  # one faulty refund must not hold up the others
        logger.exception("refund not settled", extra={"refund": refund.pk})
    return None


def follow_refund(notice: RefundNotice, *, gateway_name: str, now: datetime) -> Refund | None:
    """Act on a notice about a refund, ours or one made at the gateway. Return None where the payment isn't ours.

    Notices may come twice, late or in another order.
    """
    attempt = _find_attempt(notice, gateway_name)
    if attempt is None:
        return None
    with transaction.atomic():
        order = Order.objects.locked().get(pk=attempt.order_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        refund, twin = _find_refund(notice, gateway_name)
        refund = refund or _record_foreign_refund(notice, attempt, order, twin=twin, now=now)
        move_refund(
            refund,
            RefundState(notice.state),
            order=order,
            now=now,
            gateway_refund_id=notice.refund_id,
            failure=notice.failure,
            reported=notice.amount,
        )
        if refund.origin == RefundOrigin.PROVIDER:
            _cancel_marks(attempt.pk, now=now)
    return refund


def record_gap(payment_id: str, refunds: Sequence[RefundNotice], *, gateway_name: str) -> None:
    """Compare the gateway's sum of refunds of a payment with ours, and store the difference for the desk."""
    with transaction.atomic():
        attempt = PaymentAttempt.objects.filter(gateway=gateway_name, payment_id=payment_id).first()
        if attempt is None:
            return
        attempt = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        currency = attempt.paid_money.currency
        counted = [each.amount for each in refunds if each.state in COUNTED_REFUND_STATES]
        at_gateway = Money.sum((money for money in counted if money.currency == currency), currency)
        # A lost dispute is a refund in our books, but none at the gateway.
        disputed = attempt.refunds.filter(origin=RefundOrigin.BANK, state__in=COUNTED_REFUND_STATES, is_counted=True)
        taken = Money.sum((refund.money for refund in disputed), currency)
        gap = at_gateway - (attempt.refunded_money - taken)
        if gap.amount != attempt.refund_gap:
            attempt.refund_gap = gap.amount
            attempt.save(update_fields=["refund_gap"])
            if not gap.is_zero:
                logger.error("refunds differ from the gateway's", extra={"attempt": attempt.pk})


def refund_second_payment(*, refund_id: int, now: datetime, by_id: int | None) -> Refund:
    """Refund a second payment that was marked. Raises RefundUnknown, RefundDecided, RefundRefused."""
    with transaction.atomic():
        refund = lock_refund(refund_id, RefundState.MARKED)
        plan = plan_order_refund(refund.order, RefundChoice(reason=refund.reason, attempt_id=refund.attempt_id))
        if not reserve_money(refund.attempt_id, plan.amount):
            raise RefundDecided
        refund.amount, refund.state = plan.amount.amount, RefundState.RECORDED
        refund.begun_by_id, refund.recorded_at = by_id, now
        refund.save(update_fields=["amount", "state", "begun_by", "recorded_at"])
        log_refund(refund, "ecommerce.refund.record", by_id=by_id)
    return send_refund(refund_id=refund.pk, now=now)


def keep_second_payment(*, refund_id: int, reason: str, now: datetime, by_id: int | None) -> Refund:
    """Keep a second payment that was marked. Raises RefundUnknown, RefundDecided."""
    reason = require_text(reason)
    with transaction.atomic():
        refund = lock_refund(refund_id, RefundState.MARKED)
        refund.state, refund.settled_at, refund.begun_by_id = RefundState.CANCELED, now, by_id
        refund.failure = reason[:255]
        refund.save(update_fields=["state", "settled_at", "begun_by", "failure"])
        log_refund(refund, "ecommerce.refund.dismiss", by_id=by_id)
    return refund


def accept_difference(*, refund_id: int, reason: str, now: datetime, by_id: int | None) -> Refund:
    """Accept the amount that the gateway refunded in place of the one it was asked for.

    Raises RefundUnknown, RefundDecided.
    """
    reason = require_text(reason)
    with transaction.atomic():
        refund = lock_refund(refund_id, RefundState.DIFFERS)
        log_refund(refund, "ecommerce.refund.accept", by_id=by_id)
        book_actual_amount(refund, order=refund.order, now=now, by_id=by_id, reason=reason)
    return refund


def _send_recorded(refund_id: int, *, now: datetime) -> Refund:
    """Send a refund unless it was sent before. Raises PaymentFailed where no answer came."""
    if in_transaction():
        raise RuntimeError("A gateway is called outside any transaction")
    recorded = Refund.objects.filter(pk=refund_id, state=RefundState.RECORDED)
    # One conditional write: of two workers one calls the gateway.
    if recorded.update(state=RefundState.SENT, sent_at=now):
        return _call_gateway(_load_refund(refund_id), now=now)
    return _load_refund(refund_id)


def _look_up(refund_id: int, *, now: datetime) -> Refund:
    """Ask about a refund that was sent. Raises PaymentFailed where no answer came."""
    refund = _load_refund(refund_id)
    gateway = gateways().get(refund.gateway)
    if gateway is None or refund.state not in {RefundState.SENT, RefundState.PENDING}:
        return refund
    Refund.objects.filter(pk=refund.pk).update(looked_up_at=now)
    try:
        result = gateway.look_up_refund(_make_instruction(refund), refund.gateway_refund_id)
    except PaymentFailed as failure:
        logger.warning("refund not looked up", extra={"refund": refund.pk, "retriable": failure.retriable})
        raise
    if result is None:
        return _call_gateway(refund, now=now) if refund.state == RefundState.SENT else refund
    return _follow_answer(refund.pk, result, now=now)


def _call_gateway(refund: Refund, *, now: datetime) -> Refund:
    """Call the gateway; a refund that it refuses has failed.

    Raises PaymentFailed where no answer came. The refund stays "sent": it may have arrived.
    """
    gateway = gateways().get(refund.gateway)
    if gateway is None:
        logger.error("no such gateway to refund through", extra={"refund": refund.pk, "gateway": refund.gateway})
        return refund
    try:
        result = gateway.refund(_make_instruction(refund))
    except PaymentFailed as failure:
        if failure.retriable:
            Refund.objects.filter(pk=refund.pk, state=RefundState.SENT).update(failure=str(failure)[:255])
            logger.warning("refund without an answer", extra={"refund": refund.pk, "order": refund.order_id})
            raise
        result = RefundResult(refund_id="", state=RefundState.FAILED, failure=str(failure))
    return _follow_answer(refund.pk, result, now=now)


def _follow_answer(refund_id: int, result: RefundResult, *, now: datetime) -> Refund:
    with transaction.atomic():
        order = Order.objects.locked().get(refunds=refund_id)
        PaymentAttempt.objects.locked().get(refunds=refund_id)
        refund = Refund.objects.locked().get(pk=refund_id)
        move_refund(
            refund,
            RefundState(result.state),
            order=order,
            now=now,
            gateway_refund_id=result.refund_id,
            failure=result.failure,
            reported=result.amount,
        )
    return refund


def _make_instruction(refund: Refund) -> RefundInstruction:
    # From the row alone: a repeated call with the same key has to ask for the same.
    return RefundInstruction(
        payment_id=refund.attempt.payment_id,
        amount=refund.money,
        idempotency_key=refund.idempotency_key,
        reason=refund.reason,
        reference=str(refund.reference),
        account=refund.attempt.account,
        sent_at=refund.sent_at,
    )


def _load_refund(refund_id: int) -> Refund:
    return Refund.objects.select_related("attempt", "order").get(pk=refund_id)


def _not_asked_since(moment: datetime) -> Q:
    return Q(looked_up_at=None) | Q(looked_up_at__lt=moment)


def _find_attempt(notice: RefundNotice, gateway_name: str) -> PaymentAttempt | None:
    known = PaymentAttempt.objects.filter(gateway=gateway_name)
    found = known.filter(payment_id=notice.payment_id).first() if notice.payment_id else None
    reference = _parse_uuid(notice.reference)
    if found is None and reference is not None:
        found = known.filter(refunds__reference=reference).first()
    return found


def _find_refund(notice: RefundNotice, gateway_name: str) -> tuple[Refund | None, Refund | None]:
    """Find our row of a refund, by the gateway's id or by the reference we sent; and the row that it is a twin of.

    Where the row with this reference already has another id of the gateway, the gateway refunded twice.
    """
    ours = Refund.objects.locked().filter(gateway=gateway_name)
    found = ours.filter(gateway_refund_id=notice.refund_id).first() if notice.refund_id else None
    reference = _parse_uuid(notice.reference)
    if found is not None or reference is None:
        return found, None
    named = ours.filter(reference=reference).first()
    if named is None or named.gateway_refund_id in {"", notice.refund_id}:
        return named, None
    return None, named


def _record_foreign_refund(
    notice: RefundNotice, attempt: PaymentAttempt, order: Order, *, twin: Refund | None, now: datetime
) -> Refund:
    """Record a refund that we didn't ask for: made on the gateway's pages, or a second one for the same request."""
    reason = _("made at the gateway")
    if twin is not None:
        reason = _("made twice at the gateway, for refund %(id)d") % {"id": twin.pk}
    refund = record_foreign_refund(
        attempt=attempt,
        order=order,
        amount=notice.amount,
        refund_id=notice.refund_id,
        origin=RefundOrigin.PROVIDER,
        reason=reason,
        now=now,
    )
    if notice.state in COUNTED_REFUND_STATES:
        make_room(refund, order=order, now=now)
        if not attempt.is_surplus:
            divide_among_lines(refund, order, now=now)
        if twin is not None:
            raise_alert(order.pk, AlertKind.REFUND_TWICE, about=f"refund {refund.pk}", now=now)
            logger.error("refunded twice", extra={"refund": twin.pk, "order": order.pk})
    log_refund(refund, "ecommerce.refund.follow", by_id=None)
    return refund


def _cancel_marks(attempt_id: int, *, now: datetime) -> None:
    """Cancel the mark of a second payment that was refunded at the gateway: nothing is left to decide."""
    attempt = PaymentAttempt.objects.get(pk=attempt_id)
    if attempt.refundable.is_zero:
        marked = attempt.refunds.filter(state=RefundState.MARKED, origin=RefundOrigin.OURS)
        marked.update(state=RefundState.CANCELED, settled_at=now, failure="refunded at the gateway")


def lock_refund(refund_id: int, state: RefundState) -> Refund:
    """Lock a refund that waits for a decision, after its order and payment. Raises RefundUnknown, RefundDecided."""
    order = Order.objects.locked().filter(refunds=refund_id).first()
    if order is None:
        raise RefundUnknown
    PaymentAttempt.objects.locked().get(refunds=refund_id)
    refund = Refund.objects.locked().get(pk=refund_id)
    if refund.state != state:
        raise RefundDecided
    refund.order = order
    return refund


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
