"""Giving up an order whose buyer left, so that its code and seat are free for others.

There are three steps, because a gateway is called outside any transaction: the payment attempt is given up here, its
page is ended at the gateway, and then the order is looked at again under its lock before anything is freed.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from ecommerce.enums import UNSETTLED_STATES, AttemptState, OrderState
from ecommerce.gateways.base import PaymentFailed
from ecommerce.models import BasketCode, BasketItem, Order, OrderLine
from ecommerce.services.orders.attempts import give_up_attempts, is_being_paid
from ecommerce.services.orders.fulfillment import close_order
from ecommerce.services.payment.payments import end_session
from mitxonline.kernel.remote import without_queueing

logger = logging.getLogger(__name__)

LEFT = "the buyer left the payment page"
TAKEN_OUT = "taken out of the cart"


def give_up_payment(*, attempt_id: int, now: datetime) -> Order:
    """Give up an attempt whose buyer left its payment page, and cancel the order unless another page of it is open.

    An order that is paid or being paid stays. Where the gateway doesn't answer, the order keeps its code and seat until
    the hold ends, and the sweep ends the page.
    """
    order = Order.objects.get(attempts=attempt_id)
    return _give_up(order.pk, reason=LEFT, attempt_id=attempt_id, now=now)


def give_up_removed(*, user_id: int, now: datetime) -> int:
    """Give up the buyer's open orders for products or codes that have left the cart; return how many were canceled.

    An order for another number of seats than the cart has now is one of them.

    One query where there is none. Limits are those of ``give_up_payment``.
    """
    in_cart = BasketItem.objects.annotate(number=Coalesce("seats", 0)).filter(
        basket__user_id=user_id,
        product_id=OuterRef("product_id"),
        number=Coalesce(OuterRef("seats"), 0),
        kept_at__isnull=True,
    )
    on_cart = BasketCode.objects.filter(basket__user_id=user_id, code_id=OuterRef("code_id"))
    lines = OrderLine.objects.filter(order_id=OuterRef("pk"))
    is_gone = Exists(lines.filter(~Exists(in_cart)))
    has_code_gone = Exists(lines.filter(~Exists(on_cart), code__isnull=False))
    removed = Order.objects.pending().of(user_id).filter(basket_id__isnull=False).filter(is_gone | has_code_gone)
    closed = 0
    for order_id in removed.order_by("pk").values_list("pk", flat=True):
        order = _give_up(order_id, reason=TAKEN_OUT, attempt_id=None, now=now)
        closed += order.state == OrderState.CANCELED
    return closed


def _give_up(order_id: int, *, reason: str, attempt_id: int | None, now: datetime) -> Order:
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.state != OrderState.PENDING or is_being_paid(order):
            return order
        attempts = order.attempts.order_by()
        if attempt_id is not None:
            attempts = attempts.filter(pk=attempt_id)
        give_up_attempts(attempts, now=now, note=reason)
        closing = order.attempts.filter(state=AttemptState.CLOSING).order_by("pk")
        pages = list(closing.values_list("pk", flat=True))
    try:
        with without_queueing():
            for page in pages:
                end_session(attempt_id=page, now=now)
    except PaymentFailed as failure:
        logger.warning("payment page not ended", extra={"order": order_id, "retriable": failure.retriable})
    with transaction.atomic():
        # Nothing is freed while a page of the order can still be paid, or was paid meanwhile.
        order = Order.objects.locked().get(pk=order_id)
        may_be_paid = order.attempts.filter(state__in=(*UNSETTLED_STATES, AttemptState.PAID)).exists()
        if order.state == OrderState.PENDING and not may_be_paid:
            close_order(order=order, to=OrderState.CANCELED, now=now, reason=reason)
    return order
