"""Believing what a gateway says of a payment.

The buyer's return, a notice and the sweep all run ``confirm``: it asks the gateway and acts on the answer. Saying it
twice, late or in another order is harmless, because the gateway says what is true now.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q

from ecommerce.enums import UNSETTLED_STATES, AttemptState, OrderState, ReviewCause
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.events import PaymentDeclined
from ecommerce.gateways.base import PaymentFailed, PaymentGateway, PaymentNotice, PaymentOutcome
from ecommerce.gateways.registry import gateways
from ecommerce.gateways.sandbox import ANSWERS, SandboxGateway
from ecommerce.models import Order, PaymentAttempt
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

# The task that asks about what is due; the worker has it, and a broker that is away costs a minute.
ASK_ABOUT_PAYMENTS = "ecommerce.tasks.ask_about_payments"

# How long whoever noted a payment may take to fulfill its order, before someone else does.
PATIENCE = timedelta(minutes=2)

HOUR = timedelta(hours=1)
# How long after its end a session that the gateway doesn't know is asked about again.
MISSING_PATIENCE = timedelta(days=1)
MISSING = "the gateway does not know this payment"


def confirm_attempt(*, attempt_id: int, now: datetime) -> Order:
    """Ask the gateway about a try and act on the answer; safe at any time, any number of times, from anywhere.

    A try that never reached its gateway has nothing to be asked about. Raises PaymentFailed where the gateway gives
    no answer.
    """
    refuse_in_transaction()
    attempt = PaymentAttempt.objects.select_related("order").get(pk=attempt_id)
    if not attempt.session_id:
        return attempt.order
    gateway = find_gateway(attempt)
    notice = gateway.look_up(make_session(attempt))
    return _act_on_answer(notice, attempt, gateway, now=now)


def confirm_return(*, attempt_id: int, now: datetime) -> Order:
    """What the return from a payment page does: ask, and where no one answers, note that the buyer was there.

    So that no one reads that nothing was paid while no one knows. Where others wait for the gateway already, this page
    doesn't: the worker asks at once.
    """
    try:
        with without_queueing():
            return confirm_attempt(attempt_id=attempt_id, now=now)
    except PaymentFailed as failure:
        logger.warning("gateway not asked", extra={"attempt": attempt_id, "retriable": failure.retriable})
        open_ones = PaymentAttempt.objects.filter(pk=attempt_id, state=AttemptState.STARTED)
        if open_ones.update(came_back_at=now, ask_at=now):
            send_tasks(ASK_ABOUT_PAYMENTS, [()])
        return Order.objects.get(attempts=attempt_id)


def end_session(*, attempt_id: int, now: datetime) -> Order:
    """End a try that was given up at its gateway as well. Where the buyer was faster the money counts."""
    refuse_in_transaction()
    attempt = PaymentAttempt.objects.select_related("order").get(pk=attempt_id)
    if not attempt.session_id:
        return attempt.order
    gateway = find_gateway(attempt)
    notice = gateway.expire(make_session(attempt))
    if notice.outcome is PaymentOutcome.PAID and notice.paid is None:  # ending it need not tell how much came
        notice = gateway.look_up(make_session(attempt))
    return _act_on_answer(notice, attempt, gateway, now=now)


def check_order(*, order_id: int, now: datetime) -> Order:
    """Ask the gateways about every try at paying an order, whatever is known of it.

    Raises PaymentFailed where one of them gave no answer, after the others were asked.
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
    """Act on what a gateway says of a payment. Raises OrderUnknown for one we never asked for."""
    attempt = find_attempt(notice, gateway_name)
    if attempt is None:
        raise OrderUnknown
    return _settle_attempt(attempt.pk, notice, now=now)


def find_attempt(notice: PaymentNotice, gateway_name: str) -> PaymentAttempt | None:
    """The try a notice is about, by our reference or else by the gateway's session."""
    known = PaymentAttempt.objects.filter(gateway=gateway_name)
    found = known.filter(reference=notice.reference).first() if notice.reference else None
    if found is None and notice.session_id:
        found = known.filter(session_id=notice.session_id).first()
    return found


def mismatch_reason(notice: PaymentNotice, attempt: PaymentAttempt) -> str:
    """Why a notice can't be about this try, though it says so; empty where nothing speaks against it."""
    if notice.doubt:
        return notice.doubt
    if notice.reference is not None and notice.reference != attempt.reference:
        return "reference: the session carries another try's"
    if attempt.session_id and notice.session_id and notice.session_id != attempt.session_id:
        return "reference: another session than the one we began"
    return ""


def find_gateway(attempt: PaymentAttempt) -> PaymentGateway:
    """The gateway a try was begun with; PaymentFailed where this installation has it no more."""
    gateway = gateways().get(attempt.gateway)
    if gateway is None:
        raise PaymentFailed(f"no gateway {attempt.gateway} here", retriable=True, code="no_gateway")
    return gateway


def record_missing(*, attempt_id: int, now: datetime) -> None:
    """End a try whose gateway doesn't know it any more, a day after no one could pay it; before, keys may be wrong.

    Money that a bank was to send goes before staff. Whatever a notice tells later of either counts all the same.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(attempts=attempt_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
        is_over = attempt.expires_at is not None and attempt.expires_at + MISSING_PATIENCE < now
        if attempt.state not in UNSETTLED_STATES or not is_over:
            return
        if attempt.state == AttemptState.PROCESSING:
            _mark_doubtful(attempt, order, MISSING, cause=ReviewCause.PAYMENT_MISSING, now=now)
            return
        attempt.state, attempt.note, attempt.settled_at, attempt.ask_at = AttemptState.FAILED, MISSING, now, None
        attempt.save(update_fields=["state", "note", "settled_at", "ask_at"])


def finish_interrupted(*, now: datetime) -> int:
    """Fulfill orders whose money was noted and nothing else, because we were interrupted there; how many were tried."""
    waiting = Q(state=OrderState.PENDING) | Q(review_cause=ReviewCause.PAID_AFTER_HOLD)
    paid = Order.objects.filter(waiting, attempts__state=AttemptState.PAID, attempts__settled_at__lt=now - PATIENCE)
    orders = list(paid.order_by("pk").values_list("pk", flat=True).distinct())
    for order_id in orders:
        try:
            fulfill_or_review(order_id=order_id, now=now)
        except (DatabaseError, DomainError):  # one that can't be finished keeps no one else waiting
            logger.exception("paid order not finished", extra={"order": order_id})
    return len(orders)


def answer_sandbox(*, reference: UUID, user_id: int, answer: str, now: datetime) -> Order:
    """End a sandbox payment as its buyer says. Raises OrderUnknown for anyone else's, or another answer."""
    attempt = find_sandbox_attempt(reference=reference, user_id=user_id)
    gateway = gateways().get(SandboxGateway.name)
    if answer not in ANSWERS or not isinstance(gateway, SandboxGateway):
        raise OrderUnknown
    gateway.answer(session=make_session(attempt), answer=answer)
    return confirm_attempt(attempt_id=attempt.pk, now=now)


def find_sandbox_attempt(*, reference: UUID, user_id: int) -> PaymentAttempt:
    """The try the sandbox page shows; OrderUnknown for anyone else's."""
    return find_buyers_attempt(reference=reference, user_id=user_id, gateway=SandboxGateway.name)


def find_buyers_attempt(*, reference: UUID, user_id: int, gateway: str | None = None) -> PaymentAttempt:
    """The try someone comes back from; OrderUnknown for anyone else's and for none."""
    mine = PaymentAttempt.objects.filter(reference=reference, order__purchaser_id=user_id).select_related("order")
    if gateway is not None:
        mine = mine.filter(gateway=gateway)
    attempt = mine.first()
    if attempt is None:
        raise OrderUnknown
    return attempt


def next_ask_time(attempt: PaymentAttempt, *, now: datetime) -> datetime:
    """When to ask again: after ten minutes, then less and less often, and once when the session must be over."""
    if attempt.state == AttemptState.PROCESSING:
        return now + timedelta(seconds=settings.PAYMENT_PROCESSING_ASK_SECONDS)
    pause = timedelta(seconds=settings.PAYMENT_ASK_AGAIN_SECONDS) * 2 ** min(attempt.asked, 8)
    later = now + min(pause, HOUR)
    over = attempt.expires_at + timedelta(minutes=4) if attempt.expires_at else later
    return over if now < over < later else later


def _act_on_answer(notice: PaymentNotice, attempt: PaymentAttempt, gateway: PaymentGateway, *, now: datetime) -> Order:
    order = _settle_attempt(attempt.pk, notice, now=now)
    if notice.has_aftermath:
        follow_aftermath(notice.payment_id, gateway, account=attempt.account, now=now)
    return order


def follow_aftermath(payment_id: str, gateway: PaymentGateway, *, account: str, now: datetime) -> int:
    """Bring what is known of a payment's refunds and disputes up to what the gateway says; how many are ours."""
    refunds, disputes = gateway.refunds_of(payment_id, account), gateway.disputes_of(payment_id, account)
    followed: list[object | None] = [follow_refund(each, gateway_name=gateway.name, now=now) for each in refunds]
    if refunds:
        record_gap(payment_id, refunds, gateway_name=gateway.name)
    followed += [follow_dispute(each, gateway_name=gateway.name, now=now) for each in disputes]
    return sum(each is not None for each in followed)


def _settle_attempt(attempt_id: int, notice: PaymentNotice, *, now: datetime) -> Order:
    with transaction.atomic():
        order = Order.objects.locked().get(attempts=attempt_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt_id)
        if not _apply_payment_notice(attempt, order, notice, now=now):
            return order
    return fulfill_or_review(order_id=order.pk, now=now)


def _apply_payment_notice(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> bool:
    """Write down what the gateway says; whether the order is to be fulfilled now."""
    if _came_by_unknown_session(notice, attempt):
        _record_found_payment(attempt, order, notice, now=now)
        return False
    if wrong := mismatch_reason(notice, attempt):
        if notice.outcome is PaymentOutcome.PAID:
            _mark_doubtful(attempt, order, wrong, cause=ReviewCause.IN_DOUBT, now=now)
        return False
    if notice.outcome is not PaymentOutcome.PAID:
        _record_unpaid(attempt, order, notice.outcome, now=now)
        return False
    # Paid and still pending: we were interrupted between the two, and the gateway says it again.
    if attempt.state == AttemptState.PAID and order.state != OrderState.PENDING:
        return False
    _record_payment(attempt, order, notice, now=now)
    return _should_fulfill(attempt, order, notice, now=now)


def _should_fulfill(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> bool:
    """Whether this money buys the order: it is what was asked for, and no other payment did before."""
    if _is_paid_by_another(order, attempt):
        mark_for_refund(attempt_id=attempt.pk, reason="the order had been paid before", now=now)
        return False
    if order.state == OrderState.REFUNDED:
        mark_for_refund(attempt_id=attempt.pk, reason="the order had been refunded before", now=now)
        return False
    others = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).exclude(pk=attempt.pk).order_by("pk")
    if order.is_fulfilled:  # staff gave it without waiting for this money
        if others.exists():
            mark_for_refund(attempt_id=attempt.pk, reason="the order had been fulfilled with another payment", now=now)
        return False
    if notice.paid != attempt.money:
        is_same_money = notice.paid is not None and notice.paid.currency == attempt.currency
        cause = ReviewCause.AMOUNT_DIFFERS if is_same_money else ReviewCause.CURRENCY_DIFFERS
        send_to_review(order, cause=cause, detail=f"paid {notice.paid}, asked {attempt.money}", now=now)
        return False
    for other in others:  # of another amount than was asked for, or this one wouldn't buy the order
        if not other.refundable.is_zero:
            mark_for_refund(attempt_id=other.pk, reason="the order was paid by another payment", now=now)
    if order.state in {OrderState.CANCELED, OrderState.DECLINED, OrderState.ERRORED}:
        # Nothing leads from there to fulfillment but through review; it stays there only if claiming again fails.
        order.move(OrderState.REVIEW, at=now, cause=ReviewCause.PAID_AFTER_HOLD)
    return True


def _came_by_unknown_session(notice: PaymentNotice, attempt: PaymentAttempt) -> bool:
    """Whether real money carries this try's reference, with nothing against it but that we know another session."""
    is_money = notice.outcome is PaymentOutcome.PAID and notice.paid is not None and notice.payment_id != ""
    is_ours = not notice.doubt and notice.reference == attempt.reference
    are_known = bool(attempt.session_id and notice.session_id)
    return is_money and is_ours and are_known and attempt.session_id != notice.session_id


def _record_found_payment(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> None:
    """Keep a payment that came under a try's reference by another session, with a row of its own.

    It is real money, so it can be given back. A second payment goes before finance, and so does an order it would be
    the first one of: we didn't begin that session, or don't know any more that we did.
    """
    known = PaymentAttempt.objects.filter(gateway=attempt.gateway, session_id=notice.session_id)
    if notice.paid is None or known.exists():
        return
    found = PaymentAttempt(
        order=order,
        gateway=attempt.gateway,
        account=attempt.account,
        session_id=notice.session_id,
        amount=attempt.amount,
        currency=attempt.currency,
        started_at=now,
        state=AttemptState.PAID,
        settled_at=now,
        payment_id=notice.payment_id,
        paid_amount=notice.paid.amount,
        paid_currency=notice.paid.currency,
        paid_with=notice.paid_with[:100],
        note=f"came under the reference of payment {attempt.pk}, by another session",
    )
    found.idempotency_key = f"found:{found.reference}"
    found.save()
    logger.error("payment by a session we don't know", extra={"attempt": found.pk, "order": order.pk})
    if _is_paid_by_another(order, found) or order.state == OrderState.REFUNDED:
        mark_for_refund(attempt_id=found.pk, reason="the order had been paid before", now=now)
    else:
        send_to_review(order, cause=ReviewCause.UNKNOWN_SESSION, detail=f"paid {notice.paid}", now=now)


def _is_paid_by_another(order: Order, attempt: PaymentAttempt) -> bool:
    """Whether another try has paid the whole order; one that brought the wrong amount hasn't."""
    others = order.attempts.filter(state=AttemptState.PAID, is_surplus=False).exclude(pk=attempt.pk)
    return any(other.brought_the_price for other in others)


def _record_payment(attempt: PaymentAttempt, order: Order, notice: PaymentNotice, *, now: datetime) -> None:
    attempt.state, attempt.settled_at, attempt.ask_at = AttemptState.PAID, now, None
    attempt.session_id = attempt.session_id or notice.session_id
    attempt.payment_id, attempt.paid_with = notice.payment_id, notice.paid_with[:100]
    if notice.paid is not None:
        attempt.paid_amount, attempt.paid_currency = notice.paid.amount, notice.paid.currency
    attempt.note = "" if notice.paid == attempt.money else f"paid {notice.paid}"
    attempt.save()
    if not order.billing_country and not order.billing_name:
        _record_billing(order, notice)
    give_up_attempts(order.attempts.exclude(pk=attempt.pk), now=now, note="the order was paid by another try")


def _record_billing(order: Order, notice: PaymentNotice) -> None:
    told = notice.billed_to
    if told is None:
        return
    order.billing_name, order.billing_street = told.name[:255], told.street[:255]
    order.billing_city, order.billing_region = told.city[:255], told.region[:255]
    order.billing_postal_code, order.billing_country = told.postal_code[:40], told.country[:2]
    order.billing_tax_id = told.tax_id[:60]
    if notice.tax is not None and notice.tax.currency == order.currency:
        order.tax_total = notice.tax.amount
    names = ("name", "street", "city", "region", "postal_code", "country", "tax_id")
    order.save(update_fields=[*(f"billing_{name}" for name in names), "tax_total", "updated_at"])


def _mark_doubtful(attempt: PaymentAttempt, order: Order, reason: str, *, cause: ReviewCause, now: datetime) -> None:
    """The gateway speaks of money that isn't ours to believe in: no one is enrolled, and staff look at it."""
    if attempt.state == AttemptState.PAID or (attempt.state == AttemptState.DOUBTFUL and attempt.note == reason[:255]):
        return
    logger.error("payment in doubt", extra={"attempt": attempt.pk, "order": order.pk})
    attempt.state, attempt.note, attempt.settled_at, attempt.ask_at = AttemptState.DOUBTFUL, reason[:255], now, None
    attempt.save(update_fields=["state", "note", "settled_at", "ask_at"])
    send_to_review(order, cause=cause, detail=reason, now=now)


def _record_unpaid(attempt: PaymentAttempt, order: Order, outcome: PaymentOutcome, *, now: datetime) -> None:
    """A try that ended leaves the order pending: the buyer may try again until the hold ends (design 3.11)."""
    states = {
        PaymentOutcome.DECLINED: AttemptState.DECLINED,
        PaymentOutcome.EXPIRED: AttemptState.EXPIRED,
        PaymentOutcome.PROCESSING: AttemptState.PROCESSING,
    }
    wanted, before = states.get(outcome), attempt.state
    if outcome is PaymentOutcome.OPEN and attempt.came_back_at is not None:
        attempt.came_back_at = None
        attempt.save(update_fields=["came_back_at"])
    if before not in UNSETTLED_STATES or wanted in (None, before):
        return
    if wanted == AttemptState.PROCESSING:
        if order.attempts.filter(state=AttemptState.PROCESSING).exclude(pk=attempt.pk).exists():
            return  # one is awaited; this one stays given up, and what comes of it goes back
        give_up_attempts(order.attempts.exclude(pk=attempt.pk), now=now, note="another try is being paid")
    attempt.state = wanted
    attempt.settled_at = None if wanted == AttemptState.PROCESSING else now
    attempt.ask_at = next_ask_time(attempt, now=now) if wanted == AttemptState.PROCESSING else None
    attempt.save(update_fields=["state", "settled_at", "ask_at"])
    if wanted == AttemptState.DECLINED and _ends_order(attempt, order, before, now):
        close_order(order=order, to=OrderState.DECLINED, now=now, reason="the bank declined the payment")
        publish(PaymentDeclined(order_id=order.pk, purchaser_id=order.purchaser_id))


def _ends_order(attempt: PaymentAttempt, order: Order, before: str, now: datetime) -> bool:
    """Whether a declined payment ends its order: no one sits there to try again, and no other payment is awaited."""
    was_awaited = before == AttemptState.PROCESSING or (attempt.expires_at is not None and attempt.expires_at < now)
    return was_awaited and order.state == OrderState.PENDING and not is_being_paid(order)
