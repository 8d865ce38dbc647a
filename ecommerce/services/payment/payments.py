"""Check payments with their gateway and update attempts and orders.

The buyer's return, a notice and the sweep all call ``confirm_attempt``, which asks the gateway and acts on the answer.
Calls that come twice, late or in another order do no harm, because the answer is always the payment's present state.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from ecommerce.enums import PAYING_STATES, UNSETTLED_STATES, AttemptState, OrderState, ReviewCause
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.events import PaymentDeclined
from ecommerce.gateways.base import (
    NOT_YET,
    BillingAddress,
    PaymentFailed,
    PaymentGateway,
    PaymentNotice,
    PaymentOutcome,
)
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, PaymentAttempt
from ecommerce.selectors.business import business_details
from ecommerce.services.orders.attempts import give_up_attempts, is_being_paid
from ecommerce.services.orders.fulfillment import close_order, fulfill_or_review, send_to_review
from ecommerce.services.payment.sessions import make_session, refuse_in_transaction
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.ledger import mark_for_refund
from ecommerce.services.refunds.refunds import follow_refund, record_gap
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import without_queueing

logger = logging.getLogger(__name__)

# The worker's task for payments that are due. Where the broker is down, the beat starts it a minute later.
ASK_ABOUT_PAYMENTS = "ecommerce.tasks.ask_about_payments"

# How long the process that recorded a payment may take to fulfill its order, before the sweep does.
FULFILLMENT_TIME = timedelta(minutes=2)

MAX_PAUSE = timedelta(hours=1)

# The gateway has been told to take the money, and its answer isn't recorded yet.
BEING_CAPTURED = Q(state=AttemptState.PROCESSING, capture_until__isnull=False)

# How long to keep asking about an expired payment page that the gateway doesn't know.
MISSING_AFTER = timedelta(days=1)


def confirm_attempt(*, attempt_id: int, now: datetime, may_take: bool = True) -> Order:
    """Ask the gateway about a payment attempt and act on the answer; safe to call at any time and any number of times.

    Without ``may_take``, money that the buyer approved isn't taken. An attempt that never reached its gateway stays as
    it is. Raises PaymentFailed where the gateway doesn't answer.
    """
    refuse_in_transaction()
    attempt = PaymentAttempt.objects.select_related("order").get(pk=attempt_id)
    if not attempt.session_id:
        if attempt.is_surplus and attempt.payment_id:  # a second payment of another attempt's page
            sync_refunds_and_disputes(attempt.payment_id, find_gateway(attempt), account=attempt.account, now=now)
        return attempt.order
    gateway = find_gateway(attempt)
    notice = gateway.look_up(make_session(attempt))
    if notice.outcome is PaymentOutcome.APPROVED and may_take:
        notice = _take_approved(attempt, notice, gateway, now=now)
    return _act_on_answer(notice, attempt, gateway, now=now)


def confirm_return(*, attempt_id: int, now: datetime, may_take: bool = True) -> Order:
    """Confirm the attempt of a buyer who came back from its payment page; without ``may_take``, to leave it.

    Where the gateway doesn't answer, record that the buyer came back, so that the page doesn't claim that nothing was
    paid, and let the worker ask at once. The page doesn't queue behind other calls to a slow gateway.
    """
    try:
        with without_queueing():
            return confirm_attempt(attempt_id=attempt_id, now=now, may_take=may_take)
    except PaymentFailed as failure:
        logger.warning("gateway check failed", extra={"attempt": attempt_id, "retriable": failure.retriable})
        waiting = PaymentAttempt.objects.filter(pk=attempt_id)
        waiting = waiting.filter(Q(state=AttemptState.STARTED) | BEING_CAPTURED)
        if waiting.update(came_back_at=now, ask_at=now):
            send_tasks(ASK_ABOUT_PAYMENTS, [()])
        return Order.objects.get(attempts=attempt_id)


def end_session(*, attempt_id: int, now: datetime) -> Order:
    """End the payment page of an attempt that was given up. Where the buyer paid first, the payment counts.

    Raises PaymentFailed where the gateway doesn't answer, or not whether the page was paid.
    """
    refuse_in_transaction()
    attempt = PaymentAttempt.objects.select_related("order").get(pk=attempt_id)
    if not attempt.session_id:
        return attempt.order
    gateway = find_gateway(attempt)
    notice = gateway.expire(make_session(attempt))
    if notice.outcome is PaymentOutcome.UNKNOWN:
        raise PaymentFailed("the gateway doesn't say how the page ended", retriable=True, code=NOT_YET)
    if notice.outcome is PaymentOutcome.PAID and notice.paid is None:
        # The answer to ending a page may leave the amount out.
        notice = gateway.look_up(make_session(attempt))
    return _act_on_answer(notice, attempt, gateway, now=now)


def check_order(*, order_id: int, now: datetime) -> Order:
    """Ask the gateways about every payment attempt of an order, settled or not.

    Raises PaymentFailed where one of them didn't answer, after all were asked.
    """
    failures = []
    for attempt_id in PaymentAttempt.objects.filter(order_id=order_id).order_by("pk").values_list("pk", flat=True):
        try:
            confirm_attempt(attempt_id=attempt_id, now=now)
        except PaymentFailed as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return Order.objects.get(pk=order_id)


def settle_notice(*, notice: PaymentNotice, gateway_name: str, now: datetime) -> Order:
    """Act on a notice without asking the gateway. Raises OrderUnknown where it is about no attempt of ours."""
    attempt = find_attempt(notice, gateway_name)
    if attempt is None:
        raise OrderUnknown
    return _settle_attempt(attempt.pk, notice, now=now)


def find_attempt(notice: PaymentNotice, gateway_name: str) -> PaymentAttempt | None:
    """Find the attempt a notice is about, by our reference or else by the gateway's session."""
    known = PaymentAttempt.objects.filter(gateway=gateway_name)
    found = known.filter(reference=notice.reference).first() if notice.reference else None
    if found is None and notice.session_id:
        found = known.filter(session_id=notice.session_id).first()
    return found


def mismatch_reason(notice: PaymentNotice, attempt: PaymentAttempt) -> str:
    """Say why a notice that names this attempt can't be about it; empty where it can."""
    if notice.doubt:
        return notice.doubt
    if notice.reference is not None and notice.reference != attempt.reference:
        return _("The gateway session has another attempt’s reference.")
    if attempt.session_id and notice.session_id and notice.session_id != attempt.session_id:
        return _("The notice is for a different gateway session.")
    return ""


def find_gateway(attempt: PaymentAttempt) -> PaymentGateway:
    """Return the gateway of an attempt. Raises PaymentFailed where this installation no longer has it."""
    gateway = gateways().get(attempt.gateway)
    if gateway is None:
        raise PaymentFailed(f"no gateway {attempt.gateway} here", retriable=True, code="no_gateway")
    return gateway


def record_missing(*, attempt_id: int, now: datetime) -> None:
    """End an attempt that its gateway doesn't know, a day after its page expired; before that, our keys may be wrong.

    Where a bank was still to send the money, the order goes to review. A later notice still updates the attempt.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(attempts=attempt_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
        is_over = attempt.expires_at is not None and attempt.expires_at + MISSING_AFTER < now
        if attempt.state not in UNSETTLED_STATES or not is_over:
            return
        reason = _("The gateway has no record of this payment.")
        if attempt.state == AttemptState.PROCESSING:
            _mark_doubtful(attempt, order, reason, cause=ReviewCause.PAYMENT_MISSING, now=now)
            return
        attempt.state, attempt.note, attempt.settled_at, attempt.ask_at = AttemptState.FAILED, reason, now, None
        attempt.save(update_fields=["state", "note", "settled_at", "ask_at"])


def finish_interrupted(*, now: datetime) -> int:
    """Fulfill orders whose payment was recorded just before a crash; return how many were tried."""
    waiting = Q(state=OrderState.PENDING) | Q(review_cause=ReviewCause.PAID_AFTER_HOLD)
    paid = Order.objects.filter(
        waiting, attempts__state=AttemptState.PAID, attempts__settled_at__lt=now - FULFILLMENT_TIME
    )
    orders = list(paid.order_by("pk").values_list("pk", flat=True).distinct())
    for order_id in orders:
        try:
            fulfill_or_review(order_id=order_id, now=now)
        except (DatabaseError, DomainError):  # one faulty order must not hold up the others
            logger.exception("paid order not finished", extra={"order": order_id})
    return len(orders)


def find_buyers_attempt(*, reference: UUID, user_id: int, gateway: str | None = None) -> PaymentAttempt:
    """Find a buyer's own attempt. Raises OrderUnknown for someone else's and for none."""
    mine = PaymentAttempt.objects.filter(reference=reference, order__purchaser_id=user_id).select_related("order")
    if gateway is not None:
        mine = mine.filter(gateway=gateway)
    attempt = mine.first()
    if attempt is None:
        raise OrderUnknown
    return attempt


def next_ask_time(attempt: PaymentAttempt, *, now: datetime) -> datetime:
    """Return when to ask again: after ten minutes, then less and less often, and once when the page has expired."""
    if attempt.capture_until is not None:
        return now + timedelta(seconds=settings.PAYMENT_START_SECONDS)
    if attempt.state == AttemptState.PROCESSING:
        return now + timedelta(seconds=settings.PAYMENT_PROCESSING_ASK_SECONDS)
    pause = timedelta(seconds=settings.PAYMENT_ASK_AGAIN_SECONDS) * 2 ** min(attempt.asked, 8)
    later: datetime = now + min(pause, MAX_PAUSE)
    if attempt.expires_at is None:
        return later
    expired = attempt.expires_at + timedelta(minutes=4)  # a gateway may end its page a little later
    return expired if now < expired < later else later


def sync_refunds_and_disputes(payment_id: str, gateway: PaymentGateway, *, account: str, now: datetime) -> int:
    """Ask for a payment's refunds and disputes and act on them; return how many belong to payments of ours."""
    refunds, disputes = gateway.refunds_of(payment_id, account), gateway.disputes_of(payment_id, account)
    followed: list[object | None] = [follow_refund(each, gateway_name=gateway.name, now=now) for each in refunds]
    if refunds:
        record_gap(payment_id, refunds, gateway_name=gateway.name)
    followed += [follow_dispute(each, gateway_name=gateway.name, now=now) for each in disputes]
    return sum(each is not None for each in followed)


def _take_approved(
    attempt: PaymentAttempt, notice: PaymentNotice, gateway: PaymentGateway, *, now: datetime
) -> PaymentNotice:
    """Take the money that the buyer approved, if the order wants it.

    A page that was given up, or whose order is held no longer, can't be paid any more, because no one takes its money.
    """
    if _begin_capture(attempt, notice, now=now):
        return _capture(attempt, gateway, now=now)
    is_over = Q(state=AttemptState.CLOSING) | Q(state=AttemptState.STARTED, order__hold_until__lte=now)
    has_ended = PaymentAttempt.objects.filter(is_over, pk=attempt.pk).exists()
    return replace(notice, outcome=PaymentOutcome.EXPIRED) if has_ended else notice


def _begin_capture(attempt: PaymentAttempt, notice: PaymentNotice, *, now: datetime) -> bool:
    """Claim the attempt for taking its money, and return whether to do so: the order has to want this payment.

    From here on the order counts as being paid, so that no one cancels it and no other payment page is opened until
    the gateway has answered. Of two processes one gets the claim, until the call must have ended.
    """
    if mismatch_reason(notice, attempt):
        return False
    with transaction.atomic():
        order = Order.objects.locked().get(attempts=attempt.pk)
        current = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        is_over = current.capture_until is not None and current.capture_until <= now
        is_held = order.hold_until is None or order.hold_until > now  # else codes and seats may be someone else's
        is_open = (current.state == AttemptState.STARTED and is_held) or (
            current.state == AttemptState.PROCESSING and is_over
        )
        is_paid = order.attempts.filter(state__in=PAYING_STATES).exclude(pk=attempt.pk).exists()
        if order.state != OrderState.PENDING or not is_open or is_paid:
            return False
        current.state = AttemptState.PROCESSING
        current.capture_until = current.ask_at = now + timedelta(seconds=settings.PAYMENT_START_SECONDS)
        current.save(update_fields=["state", "capture_until", "ask_at"])
    return True


def _capture(attempt: PaymentAttempt, gateway: PaymentGateway, *, now: datetime) -> PaymentNotice:
    """Have the gateway take the money, and end the claim unless the money is coming or may be."""
    mine = PaymentAttempt.objects.filter(BEING_CAPTURED, pk=attempt.pk)
    try:
        notice = gateway.capture(make_session(attempt))
    except PaymentFailed as failure:
        if failure.retriable:  # what happened is unknown: another call may ask for the same again
            mine.update(capture_until=now)
        else:
            mine.update(capture_until=None, came_back_at=None, state=AttemptState.STARTED)
        raise
    if notice.outcome in (PaymentOutcome.PAID, PaymentOutcome.PROCESSING):
        mine.update(capture_until=None, ask_at=now + timedelta(seconds=settings.PAYMENT_PROCESSING_ASK_SECONDS))
    elif notice.outcome is PaymentOutcome.UNKNOWN:  # the money may have moved
        mine.update(capture_until=now)
    else:
        mine.update(capture_until=None, came_back_at=None, state=AttemptState.STARTED)
    return notice


def _act_on_answer(notice: PaymentNotice, attempt: PaymentAttempt, gateway: PaymentGateway, *, now: datetime) -> Order:
    order = _settle_attempt(attempt.pk, notice, now=now)
    if notice.has_refunds_or_disputes:
        sync_refunds_and_disputes(notice.payment_id, gateway, account=attempt.account, now=now)
    return order


def _settle_attempt(attempt_id: int, notice: PaymentNotice, *, now: datetime) -> Order:
    with transaction.atomic():
        order = Order.objects.locked().get(attempts=attempt_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
        if not _apply_payment_notice(attempt, order, notice, now=now):
            return order
    return fulfill_or_review(order_id=order.pk, now=now)


def _apply_payment_notice(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> bool:
    """Record what the gateway says, and return whether to fulfill the order now."""
    if _is_from_unknown_session(notice, attempt) or _is_second_payment(notice, attempt):
        _record_unexpected_payment(attempt, order, notice, now=now)
        return False
    if wrong := mismatch_reason(notice, attempt):
        if notice.outcome is PaymentOutcome.PAID:
            _mark_doubtful(attempt, order, wrong, cause=ReviewCause.IN_DOUBT, now=now)
        return False
    if notice.outcome is not PaymentOutcome.PAID:
        _record_unpaid(attempt, order, notice, now=now)
        return False
    # A repeated notice changes nothing, unless the order is still pending: then we crashed between the two steps.
    if attempt.state == AttemptState.PAID and order.state != OrderState.PENDING:
        return False
    _record_payment(attempt, order, notice, now=now)
    return _accept_payment(attempt, order, notice, now=now)


def _accept_payment(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> bool:
    """Return True if this payment buys the order: its amount is right, and no other payment bought it before.

    Otherwise the payment is marked for a refund, or the order goes to review.
    """
    if _is_paid_by_another(order, attempt):
        mark_for_refund(attempt_id=attempt.pk, reason=_("the order had been paid before"), now=now)
        return False
    if order.state == OrderState.REFUNDED:
        mark_for_refund(attempt_id=attempt.pk, reason=_("the order had been refunded before"), now=now)
        return False
    others = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).exclude(pk=attempt.pk).order_by("pk")
    if order.is_fulfilled:  # staff fulfilled it without waiting for this payment
        if others.exists():
            mark_for_refund(
                attempt_id=attempt.pk, reason=_("the order had been fulfilled with another payment"), now=now
            )
        return False
    if notice.paid != attempt.money:
        is_same_money = notice.paid is not None and notice.paid.currency == attempt.currency
        cause = ReviewCause.AMOUNT_DIFFERS if is_same_money else ReviewCause.CURRENCY_DIFFERS
        send_to_review(
            order,
            cause=cause,
            detail=_("paid %(paid)s, asked %(asked)s") % {"paid": notice.paid, "asked": attempt.money},
            now=now,
        )
        return False
    for other in others:  # their amounts were wrong, or this payment wouldn't buy the order
        if not other.refundable.is_zero:
            mark_for_refund(attempt_id=other.pk, reason=_("the order was paid by another payment"), now=now)
    if order.state in {OrderState.CANCELED, OrderState.DECLINED, OrderState.ERRORED}:
        # An order that ended is fulfilled only by way of review. It stays there if its codes or seats are gone.
        order.move(OrderState.REVIEW, at=now, cause=ReviewCause.PAID_AFTER_HOLD)
    return True


def _is_from_unknown_session(notice: PaymentNotice, attempt: PaymentAttempt) -> bool:
    """Whether a payment has this attempt's reference but a different gateway session."""
    is_money = notice.outcome is PaymentOutcome.PAID and notice.paid is not None and notice.payment_id != ""
    is_ours = not notice.doubt and notice.reference == attempt.reference
    are_known = bool(attempt.session_id and notice.session_id)
    return is_money and is_ours and are_known and attempt.session_id != notice.session_id


def _is_second_payment(notice: PaymentNotice, attempt: PaymentAttempt) -> bool:
    """Whether a page that was paid was paid once more, by another payment: two tabs may show the same page."""
    is_money = notice.outcome is PaymentOutcome.PAID and notice.paid is not None and notice.payment_id != ""
    is_other = attempt.state == AttemptState.PAID and attempt.payment_id not in ("", notice.payment_id)
    return is_money and is_other and not mismatch_reason(notice, attempt)


def _record_unexpected_payment(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> None:
    """Record a payment that came with an attempt's reference and isn't the attempt's, as an attempt of its own.

    It is real money and has to be refundable. A second payment is marked for finance. A first one sends the order to
    review, because we didn't open that session or lost track of it.
    """
    is_same_page = notice.session_id in ("", attempt.session_id)
    same = Q(payment_id=notice.payment_id) if is_same_page else Q(session_id=notice.session_id)
    if notice.paid is None or PaymentAttempt.objects.filter(same, gateway=attempt.gateway).exists():
        return
    note = _("a second payment on the page of payment %(id)d")
    if not is_same_page:
        note = _("came with the reference of payment %(id)d, by another session")
    payment = PaymentAttempt(
        order=order,
        gateway=attempt.gateway,
        account=attempt.account,
        session_id="" if is_same_page else notice.session_id,
        amount=attempt.amount,
        currency=attempt.currency,
        started_at=now,
        state=AttemptState.PAID,
        settled_at=now,
        payment_id=notice.payment_id,
        paid_amount=notice.paid.amount,
        paid_currency=notice.paid.currency,
        paid_with=notice.paid_with[:100],
        note=note % {"id": attempt.pk},
    )
    payment.idempotency_key = f"found:{payment.reference}"
    payment.save()
    if not is_same_page:
        logger.error("payment by an unknown gateway session", extra={"attempt": payment.pk, "order": order.pk})
    if _is_paid_by_another(order, payment) or order.state == OrderState.REFUNDED:
        mark_for_refund(attempt_id=payment.pk, reason=_("the order had been paid before"), now=now)
    else:
        send_to_review(
            order, cause=ReviewCause.UNKNOWN_SESSION, detail=_("paid %(paid)s") % {"paid": notice.paid}, now=now
        )


def _is_paid_by_another(order: Order, attempt: PaymentAttempt) -> bool:
    others = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).exclude(pk=attempt.pk)
    return any(other.is_paid_exactly for other in others)


def _record_payment(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> None:
    attempt.state, attempt.settled_at, attempt.ask_at = AttemptState.PAID, now, None
    attempt.capture_until = None
    attempt.session_id = attempt.session_id or notice.session_id
    attempt.payment_id, attempt.paid_with = notice.payment_id, notice.paid_with[:100]
    if notice.paid is not None:
        attempt.paid_amount, attempt.paid_currency = notice.paid.amount, notice.paid.currency
    attempt.note = "" if notice.paid == attempt.money else _("paid %(paid)s") % {"paid": notice.paid}
    attempt.save()
    if not order.billing_name:
        _record_billing(order, notice)
    give_up_attempts(order.attempts.exclude(pk=attempt.pk), now=now, note=_("the order was paid by another attempt"))


def _record_billing(order: Order, notice: PaymentNotice) -> None:
    """Keep whom the gateway billed; where it names no one, the buyer as they are called now."""
    address = notice.billed_to or BillingAddress()
    order.billing_name = (address.name or order.purchaser.name)[:255]
    if not business_details(order).names_payer:
        order.billing_street = address.street[:255]
        order.billing_city, order.billing_region = address.city[:255], address.region[:255]
        order.billing_postal_code, order.billing_country = address.postal_code[:40], address.country[:2]
        order.billing_tax_id = address.tax_id[:60]
    if notice.tax is not None and notice.tax.currency == order.currency:
        order.tax_total = notice.tax.amount
    names = ("name", "street", "city", "region", "postal_code", "country", "tax_id")
    order.save(update_fields=[*(f"billing_{name}" for name in names), "tax_total", "updated_at"])


def _mark_doubtful(attempt: PaymentAttempt, order: Order, reason: str, *, cause: ReviewCause, now: datetime) -> None:
    """Send an order to review whose gateway reports a payment that contradicts what we know; enroll no one."""
    if attempt.state == AttemptState.PAID or (attempt.state == AttemptState.DOUBTFUL and attempt.note == reason[:255]):
        return
    logger.error("payment in doubt", extra={"attempt": attempt.pk, "order": order.pk})
    attempt.state, attempt.note, attempt.settled_at, attempt.ask_at = AttemptState.DOUBTFUL, reason[:255], now, None
    attempt.save(update_fields=["state", "note", "settled_at", "ask_at"])
    send_to_review(order, cause=cause, detail=reason, now=now)


def _record_unpaid(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> None:
    """Record an attempt that isn't paid. Until the hold ends its order stays pending: the buyer can try again."""
    states = {
        PaymentOutcome.DECLINED: AttemptState.DECLINED,
        PaymentOutcome.EXPIRED: AttemptState.EXPIRED,
        PaymentOutcome.PROCESSING: AttemptState.PROCESSING,
    }
    new_state, old_state = states.get(notice.outcome), attempt.state
    if notice.outcome is PaymentOutcome.OPEN:
        _open_again(attempt, now=now)
    if old_state not in UNSETTLED_STATES or new_state in (None, old_state):
        return
    if new_state == AttemptState.PROCESSING:
        if order.attempts.filter(state=AttemptState.PROCESSING).exclude(pk=attempt.pk).exists():
            return  # the order waits for another bank already; if this payment comes too, it is refunded
        give_up_attempts(order.attempts.exclude(pk=attempt.pk), now=now, note=_("another attempt is being paid"))
    attempt.state, attempt.capture_until = new_state, None
    attempt.decline = notice.decline or ""
    attempt.settled_at = None if new_state == AttemptState.PROCESSING else now
    attempt.ask_at = next_ask_time(attempt, now=now) if new_state == AttemptState.PROCESSING else None
    attempt.save(update_fields=["state", "settled_at", "ask_at", "capture_until", "decline"])
    if new_state == AttemptState.DECLINED and _ends_order(attempt, order, old_state, now):
        close_order(order=order, to=OrderState.DECLINED, now=now, reason=_("the bank declined the payment"))
        publish(PaymentDeclined(order_id=order.pk, purchaser_id=order.purchaser_id))


def _open_again(attempt: PaymentAttempt, *, now: datetime) -> None:
    """Record that the buyer can still pay. Whoever was to take the money took none, if their time is over."""
    is_claim_over = attempt.capture_until is not None and attempt.capture_until <= now
    if attempt.state == AttemptState.PROCESSING and is_claim_over:
        attempt.state, attempt.capture_until = AttemptState.STARTED, None
    elif attempt.came_back_at is None:
        return
    attempt.came_back_at = None
    attempt.save(update_fields=["state", "capture_until", "came_back_at"])


def _ends_order(attempt: PaymentAttempt, order: Order, old_state: str, now: datetime) -> bool:
    """Whether a declined payment ends its order: the buyer has left the page, and no other payment is on its way."""
    was_awaited = old_state == AttemptState.PROCESSING or (attempt.expires_at is not None and attempt.expires_at < now)
    return was_awaited and order.state == OrderState.PENDING and not is_being_paid(order)
