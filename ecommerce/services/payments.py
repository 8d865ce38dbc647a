"""Paying an order: starting a try, and believing what a gateway says of it.

The attempt is committed before the gateway is called and the call is made outside any transaction, so a crash at any
point leaves a row that can be asked about (P1, P6).
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language

from ecommerce.enums import AttemptState, OrderState
from ecommerce.errors import NoWayToPay, OrderUnknown, PaymentUnavailable, WrongOrderState
from ecommerce.gateways.base import (
    Outcome,
    PaymentFailed,
    PaymentGateway,
    PaymentLine,
    PaymentNotice,
    PaymentRequest,
)
from ecommerce.gateways.registry import default_gateway, gateways
from ecommerce.gateways.sandbox import ANSWERS, SandboxGateway
from ecommerce.models import Order, PaymentAttempt
from ecommerce.services.codes import prolong_uses
from ecommerce.services.fulfilment import fulfil_or_review, send_to_review

# Public addresses (design 6); the pages behind them belong to an upper app.
CART = "/cart/"
RECEIPT = "/checkout/receipt/"

# How long whoever noted a payment may take to fulfil its order, before somebody else does.
PATIENCE = timedelta(minutes=2)

OPEN_STATES = (AttemptState.STARTED, AttemptState.PROCESSING)


def start_payment(*, order_id: int, now: datetime) -> str:
    """Begin a try at paying; the address to send the buyer to. An earlier open try ends, the hold begins anew.

    Raises NoWayToPay where no gateway is configured, PaymentUnavailable where it can't be reached, WrongOrderState
    for an order that isn't pending.
    """
    gateway = default_gateway()
    if gateway is None:
        raise NoWayToPay
    attempt = _open_attempt(order_id=order_id, gateway=gateway, now=now)
    try:
        redirect = gateway.start(_request_for(attempt))
    except PaymentFailed as failure:
        PaymentAttempt.objects.filter(pk=attempt.pk).update(
            state=AttemptState.FAILED, settled_at=now, note=str(failure)[:255]
        )
        raise PaymentUnavailable from failure
    PaymentAttempt.objects.filter(pk=attempt.pk).update(session_id=redirect.session_id)
    return redirect.url


def settle(*, notice: PaymentNotice, gateway_name: str, now: datetime) -> Order:
    """Act on what a gateway says; saying it twice, late or in another order is harmless.

    Raises OrderUnknown for a payment we never asked for.
    """
    with transaction.atomic():
        attempt = _attempt_of(notice, gateway_name)
        order = Order.objects.locked().get(pk=attempt.order_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        # Paid and still pending: we were interrupted between the two, and the gateway says it again.
        if attempt.state == AttemptState.PAID and order.state != OrderState.PENDING:
            return order
        if notice.outcome is not Outcome.PAID:
            _note_unpaid(attempt, notice.outcome, now)
            return order
        _note_paid(attempt, notice, now)
        if not _pays(notice, attempt):
            send_to_review(order, reason=f"paid {notice.paid}, asked {attempt.money}", now=now)
            return order
        if order.is_fulfilled or order.state == OrderState.REFUNDED:
            _note_second_payment(attempt)
            return order
        if order.state in {OrderState.CANCELED, OrderState.DECLINED, OrderState.ERRORED}:
            # Nothing leads from there to fulfilled but through review; it stays there only if claiming again fails.
            order.move(OrderState.REVIEW, at=now, reason="paid after the hold was over")
    return fulfil_or_review(order_id=order.pk, now=now)


def finish_interrupted(*, now: datetime) -> int:
    """Fulfil orders whose money was noted and nothing else, because we were interrupted there; how many were tried."""
    paid = Order.objects.pending().filter(attempts__state=AttemptState.PAID, attempts__settled_at__lt=now - PATIENCE)
    orders = list(paid.order_by("pk").values_list("pk", flat=True))
    for order_id in orders:
        fulfil_or_review(order_id=order_id, now=now)
    return len(orders)


def answer_sandbox(*, reference: UUID, user_id: int, answer: str, now: datetime) -> Order:
    """End a sandbox payment as its buyer says. Raises OrderUnknown for anybody else's, or another answer."""
    attempt = PaymentAttempt.objects.filter(
        gateway=SandboxGateway.name, reference=reference, order__purchaser_id=user_id
    ).first()
    gateway = gateways().get(SandboxGateway.name)
    if attempt is None or answer not in ANSWERS or not isinstance(gateway, SandboxGateway):
        raise OrderUnknown
    body = gateway.notice_body(reference=reference, answer=answer, total=attempt.money)
    return settle(notice=gateway.read_notice(body, {}), gateway_name=gateway.name, now=now)


def sandbox_attempt(*, reference: UUID, user_id: int) -> PaymentAttempt:
    """The try the sandbox page shows; OrderUnknown for anybody else's."""
    attempt = (
        PaymentAttempt.objects.filter(gateway=SandboxGateway.name, reference=reference, order__purchaser_id=user_id)
        .select_related("order")
        .first()
    )
    if attempt is None:
        raise OrderUnknown
    return attempt


def _open_attempt(*, order_id: int, gateway: PaymentGateway, now: datetime) -> PaymentAttempt:
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.state != OrderState.PENDING:
            raise WrongOrderState(number=order.number, state=order.state, wanted=OrderState.FULFILLED)
        order.attempts.filter(state__in=OPEN_STATES).update(state=AttemptState.EXPIRED, settled_at=now)
        _prolong_hold(order, now=now)
        reference = uuid.uuid4()
        return PaymentAttempt.objects.create(
            order=order,
            gateway=gateway.name,
            reference=reference,
            idempotency_key=f"checkout:{reference}",
            amount=order.total,
            currency=order.currency,
            started_at=now,
            expires_at=now + timedelta(seconds=settings.PAYMENT_SESSION_SECONDS),
        )


def _prolong_hold(order: Order, *, now: datetime) -> None:
    """Keep codes and seats a quarter of an hour longer than the session that begins now lives (design 5.3)."""
    until = now + timedelta(seconds=settings.ORDER_HOLD_SECONDS)
    if order.hold_until is None or order.hold_until < until:
        order.hold_until = until
        order.save(update_fields=["hold_until", "updated_at"])
        prolong_uses(order_id=order.pk, until=until)


def _request_for(attempt: PaymentAttempt) -> PaymentRequest:
    order = attempt.order
    receipt = f"{settings.SITE_BASE_URL}{RECEIPT}?order_number={order.number}"
    return PaymentRequest(
        reference=attempt.reference,
        order_number=order.number,
        total=attempt.money,
        lines=tuple(PaymentLine(title=line.title, due=line.money) for line in order.lines.all()),
        buyer_email=order.purchaser.email,
        return_url=receipt,
        cancel_url=f"{settings.SITE_BASE_URL}{CART}",
        idempotency_key=attempt.idempotency_key,
        locale=get_language() or settings.LANGUAGE_CODE,
    )


def _attempt_of(notice: PaymentNotice, gateway_name: str) -> PaymentAttempt:
    known = PaymentAttempt.objects.filter(gateway=gateway_name)
    found = known.filter(reference=notice.reference).first() if notice.reference else None
    if found is None and notice.session_id:
        found = known.filter(session_id=notice.session_id).first()
    if found is None:
        raise OrderUnknown
    return found


def _pays(notice: PaymentNotice, attempt: PaymentAttempt) -> bool:
    return notice.paid is not None and notice.paid == attempt.money


def _note_paid(attempt: PaymentAttempt, notice: PaymentNotice, now: datetime) -> None:
    attempt.state, attempt.settled_at, attempt.payment_id = AttemptState.PAID, now, notice.payment_id
    attempt.save(update_fields=["state", "settled_at", "payment_id"])


def _note_second_payment(attempt: PaymentAttempt) -> None:
    attempt.note = "second payment of an order that was paid: to be refunded"
    attempt.save(update_fields=["note"])


def _note_unpaid(attempt: PaymentAttempt, outcome: Outcome, now: datetime) -> None:
    """A try that ended leaves the order pending: the buyer may try again until the hold ends (design 3.11)."""
    states = {
        Outcome.DECLINED: AttemptState.DECLINED,
        Outcome.EXPIRED: AttemptState.EXPIRED,
        Outcome.PROCESSING: AttemptState.PROCESSING,
    }
    wanted = states.get(outcome)
    if wanted is None or attempt.state not in OPEN_STATES:
        return
    attempt.state = wanted
    attempt.settled_at = None if wanted == AttemptState.PROCESSING else now
    attempt.save(update_fields=["state", "settled_at"])
