"""Refund requests of buyers, and their denial. Approving one refunds the order: see ``refunds``."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from ecommerce.enums import RefundRequestState, RefundWhy
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.errors.refunds import (
    RefundChoiceGone,
    RefundDecided,
    RefundUnknown,
)
from ecommerce.events import RefundAsked, RefundDenied
from ecommerce.models import Order, RefundRequest
from ecommerce.selectors.refund_window import refund_window
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.text import require_text

TEXT_LENGTH = 2000


def request_refund(
    *, user_id: int, number: str, why: RefundWhy, text: str, now: datetime, line_ids: Collection[int] | None = None
) -> RefundRequest:
    """Record a buyer's request for a refund of their own order, and tell finance.

    ``line_ids`` None means all lines that can still be refunded. ``text`` explains RefundWhy.OTHER. Raises OrderUnknown
    for someone else's order, RefundNotAskable where no request is possible.
    """
    text = require_text(text) if why == RefundWhy.OTHER else text.strip()
    with transaction.atomic():
        order = Order.objects.locked().of(user_id).filter(number__iexact=number).first()
        if order is None:
            raise OrderUnknown
        window = refund_window(order, now=now)
        if window.refusal is not None:
            raise window.refusal
        chosen = window.open_line_ids if line_ids is None else set(line_ids)
        if not chosen or not chosen <= set(window.open_line_ids):
            raise RefundChoiceGone
        request = RefundRequest.objects.create(order=order, why=why, text=text, asked_at=now)
        if chosen != {line.pk for line in order.lines.all()}:
            request.lines.set(chosen)
        audit.record(
            order, "ecommerce.refund.ask", by_id=user_id, data={"request_id": request.pk, "reason": str(request.why)}
        )
        publish(RefundAsked(request_id=request.pk, order_id=order.pk))
    return request


def deny_request(*, request_id: int, answer: str, now: datetime, by_id: int | None) -> RefundRequest:
    """Deny a request with an answer that is e-mailed to the buyer.

    Raises RefundUnknown, RefundDecided.
    """
    answer = require_text(answer)[:TEXT_LENGTH]
    with transaction.atomic():
        order, request = lock_open_request(request_id)
        request.state, request.answer = RefundRequestState.DENIED, answer
        request.decided_at, request.decided_by_id = now, by_id
        request.save(update_fields=["state", "answer", "decided_at", "decided_by"])
        audit.record(
            order,
            "ecommerce.refund.deny",
            by_id=by_id,
            data={"request_id": request.pk, "reason": request.answer},
        )
        publish(RefundDenied(request_id=request.pk, order_id=order.pk))
    return request


def lock_open_request(request_id: int) -> tuple[Order, RefundRequest]:
    """Lock an undecided request and its order. Raises RefundUnknown, RefundDecided."""
    order = Order.objects.locked().filter(refund_requests=request_id).first()
    if order is None:
        raise RefundUnknown
    request = RefundRequest.objects.locked().get(pk=request_id)
    if not request.is_open:
        raise RefundDecided
    return order, request
