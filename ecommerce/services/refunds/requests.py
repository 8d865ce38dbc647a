"""What buyers ask for, and the answer where it is no."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from ecommerce.enums import RefundRequestState, RefundWhy
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.errors.refunds import (
    RefundAnswerNeeded,
    RefundCoursesNeeded,
    RefundDecided,
    RefundTextNeeded,
    RefundTextTooLong,
    RefundUnknown,
    RefundWhyNeeded,
)
from ecommerce.events import RefundAsked, RefundDenied
from ecommerce.models import Order, RefundRequest
from ecommerce.selectors.refund_window import refund_window
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit

TEXT_LENGTH = 2000


def request_refund(
    *, user_id: int, number: str, why: str, text: str, now: datetime, line_ids: Collection[int] | None = None
) -> RefundRequest:
    """Write down that a buyer wants money back for an order of theirs; finance decides.

    ``line_ids`` None: for all that can still be asked for. Raises OrderUnknown for someone else's, or the
    RefundNotAskable whose sentence says why not and what to do.
    """
    with transaction.atomic():
        order = Order.objects.locked().of(user_id).filter(number__iexact=number).first()
        if order is None:
            raise OrderUnknown
        window = refund_window(order, now=now)
        if window.refusal is not None:
            raise window.refusal
        chosen = window.open_line_ids if line_ids is None else set(line_ids)
        _refuse_unless_explained(why, text, chosen=chosen, open_ids=window.open_line_ids)
        request = RefundRequest.objects.create(order=order, why=why, text=text.strip(), asked_at=now)
        if chosen != {line.pk for line in order.lines.all()}:
            request.lines.set(chosen)
        audit.record(
            order, "ecommerce.refund.ask", by_id=user_id, data={"request_id": request.pk, "reason": str(request.why)}
        )
        publish(RefundAsked(request_id=request.pk, order_id=order.pk))
    return request


def deny_request(*, request_id: int, answer: str, now: datetime, by_id: int | None) -> RefundRequest:
    """Refuse what a buyer asked for, with a sentence that is mailed to them.

    Raises RefundUnknown, RefundDecided, RefundAnswerNeeded.
    """
    if not answer.strip():
        raise RefundAnswerNeeded
    with transaction.atomic():
        order, request = lock_open_request(request_id)
        request.state, request.answer = RefundRequestState.DENIED, answer.strip()[:TEXT_LENGTH]
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
    """A request no one has decided, and its order, both locked. Raises RefundUnknown, RefundDecided."""
    order = Order.objects.locked().filter(refund_requests=request_id).first()
    if order is None:
        raise RefundUnknown
    request = RefundRequest.objects.locked().get(pk=request_id)
    if not request.is_open:
        raise RefundDecided
    return order, request


def _refuse_unless_explained(why: str, text: str, *, chosen: Collection[int], open_ids: Collection[int]) -> None:
    if not chosen or not set(chosen) <= set(open_ids):
        raise RefundCoursesNeeded
    if why not in RefundWhy.values:
        raise RefundWhyNeeded
    if why == RefundWhy.OTHER and not text.strip():
        raise RefundTextNeeded
    if len(text.strip()) > TEXT_LENGTH:
        raise RefundTextTooLong(most=TEXT_LENGTH)
