"""Giving the buyer what was bought."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ecommerce.enums import OrderState, UseState
from ecommerce.errors import CodeUsed
from ecommerce.events import OrderFulfilled, OrderInReview
from ecommerce.models import Basket, CodeUse, Order
from ecommerce.services.codes import confirm_uses, use_code
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.errors import DomainError


def fulfil_order(*, order_id: int, now: datetime) -> Order:
    """Fulfil an order: codes confirmed, learner enrolled, seat taken, basket cleared – all or nothing.

    Doing it again is no error and changes nothing. Raises WrongOrderState for an order that has ended, or whatever a
    receiver of OrderFulfilled refuses (no seat left by now); then nothing has happened.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.is_fulfilled:
            return order
        was_held = order.state == OrderState.PENDING
        order.move(OrderState.FULFILLED, at=now)
        _confirm_codes(order, was_held=was_held, now=now)
        publish(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id))
        _clear_basket(order)
    return order


def fulfil_or_review(*, order_id: int, now: datetime) -> Order:
    """Fulfil an order whose money has come; what can't be fulfilled goes to review, paid and visible to staff."""
    try:
        return fulfil_order(order_id=order_id, now=now)
    except DomainError as refusal:
        with transaction.atomic():
            order = Order.objects.locked().get(pk=order_id)
            if order.state not in {OrderState.REVIEW, OrderState.REFUNDED} and not order.is_fulfilled:
                order.move(OrderState.REVIEW, at=now, reason=f"{refusal.code}: {refusal.message}"[:255])
                publish(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))
        return order


def _confirm_codes(order: Order, *, was_held: bool, now: datetime) -> None:
    """Confirm the held uses; after the hold was given up, claim again (CodeUsed if somebody else was faster)."""
    confirm_uses(order_id=order.pk, now=now)
    if was_held:
        return
    for line in order.lines.filter(code__isnull=False).select_related("code"):
        mine = CodeUse.objects.filter(code=line.code, user_id=order.purchaser_id, state=UseState.CONFIRMED)
        if line.code is not None and not mine.exists():
            use = use_code(code=line.code, user_id=order.purchaser_id, now=now)
            if use.state != UseState.CONFIRMED:
                raise CodeUsed
            CodeUse.objects.filter(pk=use.pk).update(order=order)


def _clear_basket(order: Order) -> None:
    """Take what was bought out of the basket it came from; what was added since stays."""
    mine = Basket.objects.locked().filter(user_id=order.purchaser_id)
    basket = mine.filter(pk=order.basket_id).first() if order.basket_id is not None else None
    if basket is None:
        return
    bought = list(order.lines.values_list("product_id", "code_id"))
    basket.items.filter(product_id__in=[product_id for product_id, _code in bought]).delete()
    basket.applied_codes.filter(code_id__in=[code_id for _product, code_id in bought if code_id]).delete()
    if not basket.items.exists():
        basket.delete()
