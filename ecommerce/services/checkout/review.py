"""What staff can do with an order: fulfill or cancel it in review, check with its gateway, send its receipt again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ecommerce.enums import AttemptState, DisputeState, OrderState, RefundOrigin
from ecommerce.errors.admin import BuyerHasCourse, MoneyWasTaken, ReceiptNotYet, RefundOnItsWay
from ecommerce.errors.checkout import AlreadyEnrolled, OrderUnknown, WrongOrderState
from ecommerce.events import OrderClosed, ReceiptWanted
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, Refund
from ecommerce.selectors.refund_plan import UNFINISHED
from ecommerce.services.orders.fulfillment import fulfill_order
from ecommerce.services.payment.payments import check_order, sync_refunds_and_disputes
from ecommerce.services.refunds.ledger import is_partly_refunded
from ecommerce.services.refunds.refunds import look_up_refund, send_refund
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.text import require_text


def fulfill_from_review(*, order_id: int, reason: str, by_id: int | None, now: datetime) -> Order:
    """Fulfill an order in review, and log who decided it and why.

    Codes and seats are claimed again. Raises OrderUnknown, WrongOrderState, RefundOnItsWay, BuyerHasCourse, or another
    refusal (no seat left); then nothing has changed.
    """
    reason = require_text(reason)
    with transaction.atomic():
        order = _lock_order_in_review(order_id, wanted=OrderState.FULFILLED)
        _refuse_open_refund(order)
        try:
            order = fulfill_order(order_id=order.pk, now=now, gives_rest=True)
        except AlreadyEnrolled as refusal:  # its sentence speaks to the buyer; staff read this one
            raise BuyerHasCourse(titles=refusal.titles) from refusal
        if is_partly_refunded(order):
            order.move(OrderState.PARTIALLY_REFUNDED, at=now)
        audit.record(order, "ecommerce.order.fulfill", by_id=by_id, data={"reason": reason})
    return Order.objects.get(pk=order_id)


def cancel_from_review(*, order_id: int, reason: str, by_id: int | None, now: datetime) -> Order:
    """Cancel an order in review that was never paid, or whose money went back by refunds or a lost dispute.

    Raises OrderUnknown, WrongOrderState, or MoneyWasTaken, also while a refund is on its way.
    """
    reason = require_text(reason)
    with transaction.atomic():
        order = _lock_order_in_review(order_id, wanted=OrderState.CANCELED)
        if _has_money(order):
            raise MoneyWasTaken(number=order.number)
        order.move(OrderState.CANCELED, at=now, reason=reason[:255])
        publish(OrderClosed(order_id=order.pk, purchaser_id=order.purchaser_id))
        audit.record(order, "ecommerce.order.cancel", by_id=by_id, data={"reason": reason})
    return order


def check_with_gateway(*, order_id: int, by_id: int | None, now: datetime) -> Order:
    """Ask the gateway about every payment, refund and dispute of an order and act on its answers.

    Raises OrderUnknown, PaymentFailed where the gateway doesn't answer.
    """
    with transaction.atomic():
        order = Order.objects.filter(pk=order_id).first()
        if order is None:
            raise OrderUnknown
        audit.record(order, "ecommerce.order.check", by_id=by_id)
    check_order(order_id=order_id, now=now)
    for refund in Refund.objects.filter(order_id=order_id, state__in=UNFINISHED).order_by("pk"):
        send_refund(refund_id=refund.pk, now=now)
        look_up_refund(refund_id=refund.pk, now=now)
    for attempt in order.attempts.filter(state=AttemptState.PAID).exclude(payment_id="").order_by("pk"):
        gateway = gateways().get(attempt.gateway)
        if gateway is not None:
            sync_refunds_and_disputes(attempt.payment_id, gateway, account=attempt.account, now=now)
    return Order.objects.get(pk=order_id)


def send_receipt_again(*, order_id: int, by_id: int | None) -> Order:
    """Have the receipt e-mailed again. Raises OrderUnknown, or ReceiptNotYet where the order was never fulfilled."""
    with transaction.atomic():
        order = Order.objects.filter(pk=order_id).first()
        if order is None:
            raise OrderUnknown
        if order.fulfilled_at is None:
            raise ReceiptNotYet(number=order.number)
        audit.record(order, "ecommerce.order.receipt", by_id=by_id)
        publish(ReceiptWanted(order_id=order.pk))
    return order


def _has_money(order: Order) -> bool:
    """Whether money of a payment is here, or may still be; what a bank took after a dispute is gone."""
    if order.refunds.filter(state__in=UNFINISHED).exists():
        return True
    for attempt in order.attempts.filter(state=AttemptState.PAID):
        booked = attempt.refunds.filter(origin=RefundOrigin.BANK).values("gateway_refund_id")
        lost = attempt.disputes.filter(state=DisputeState.LOST, currency=attempt.paid_money.currency)
        lost = lost.exclude(dispute_id__in=booked)
        taken = attempt.refunded + sum(lost.values_list("amount", flat=True))
        if taken < attempt.paid_money.amount:
            return True
    return False


def _refuse_open_refund(order: Order) -> None:
    """Raise RefundOnItsWay: the buyer would have the courses, and the money too once the refund arrives."""
    open_refund = order.refunds.filter(state__in=UNFINISHED, attempt__is_surplus=False).order_by("pk").first()
    if open_refund is not None:
        raise RefundOnItsWay(number=order.number, amount=open_refund.money.formatted())


def _lock_order_in_review(order_id: int, *, wanted: OrderState) -> Order:
    order = Order.objects.locked().filter(pk=order_id).first()
    if order is None:
        raise OrderUnknown
    if order.state != OrderState.REVIEW:
        raise WrongOrderState(number=order.number, state=order.state, wanted=wanted)
    return order
