"""Giving the buyer what was bought."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ecommerce.enums import OrderState, UseState
from ecommerce.events import OrderFulfilled, OrderInReview
from ecommerce.models import BasketCode, BasketItem, CodeUse, Order
from ecommerce.services.codes import confirm_uses, use_code
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import all_or_nothing
from mitxonline.kernel.errors import DomainError


def fulfil_order(*, order_id: int, now: datetime) -> Order:
    """Fulfil an order: codes confirmed, learner enrolled, seat taken, basket cleared – all or nothing.

    Doing it again is no error and changes nothing. Raises WrongOrderState for an order that has ended, or whatever a
    receiver of OrderFulfilled refuses (no seat left by now); then nothing has happened.
    """
    with all_or_nothing():
        order = Order.objects.locked().get(pk=order_id)
        if not order.is_fulfilled:
            fulfil_locked(order, now=now)
    return order


def fulfil_locked(order: Order, *, now: datetime) -> None:
    """Fulfil an order whose row this transaction has locked or made."""
    was_held = order.state == OrderState.PENDING
    order.move(OrderState.FULFILLED, at=now)
    _confirm_codes(order, was_held=was_held, now=now)
    publish(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=now))
    _clear_basket(order)


def fulfil_or_review(*, order_id: int, now: datetime) -> Order:
    """Fulfil an order whose money has come; what can't be fulfilled goes to review, paid and visible to staff."""
    try:
        return fulfil_order(order_id=order_id, now=now)
    except DomainError as refusal:
        with transaction.atomic():
            order = Order.objects.locked().get(pk=order_id)
            send_to_review(order, reason=f"{refusal.code}: {refusal.message}", now=now)
        return order


def send_to_review(order: Order, *, reason: str, now: datetime) -> None:
    """Put a locked order whose money came before staff, with the reason; one that ended well stays as it is."""
    if order.is_fulfilled or order.state == OrderState.REFUNDED:
        return
    if order.state == OrderState.REVIEW:
        order.state_reason = reason[:255]
        order.save(update_fields=["state_reason", "updated_at"])
    else:
        order.move(OrderState.REVIEW, at=now, reason=reason[:255])
    publish(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))


def _confirm_codes(order: Order, *, was_held: bool, now: datetime) -> None:
    """Confirm the held uses; after the hold was given up, claim again (CodeUsed if somebody else was faster)."""
    confirm_uses(order_id=order.pk, now=now)
    if was_held:
        return
    for line in order.lines.filter(code__isnull=False).select_related("code"):
        mine = CodeUse.objects.filter(code=line.code, user_id=order.purchaser_id, state=UseState.CONFIRMED)
        if line.code is not None and not mine.exists():
            use_id = use_code(code=line.code, user_id=order.purchaser_id, now=now)
            CodeUse.objects.filter(pk=use_id, state=UseState.CONFIRMED).update(order=order)


def _clear_basket(order: Order) -> None:
    """Take what was bought out of the basket it came from; what was added since stays."""
    mine = {"basket_id": order.basket_id, "basket__user_id": order.purchaser_id}
    BasketItem.objects.filter(product__order_lines__order=order, **mine).delete()
    BasketCode.objects.filter(code__order_lines__order=order, **mine).delete()
