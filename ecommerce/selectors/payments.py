"""The payments of an order: what its buyer is told, and what can be refunded."""

from __future__ import annotations

from collections.abc import Iterable

from ecommerce.enums import AttemptState, EnrollmentAfter, OrderState, PaymentStanding, RefundState
from ecommerce.models import Order, PaymentAttempt, Refund

# In these states the buyer may still have the free courses of an order.
UNDOABLE_STATES = frozenset({OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED})


def payment_standing(order: Order) -> PaymentStanding:
    """Return what the buyer is told about the payment; NOTHING once the order no longer waits for it. One query."""
    if order.state == OrderState.REVIEW:
        has_money = order.attempts.filter(state=AttemptState.PAID).exists()
        return PaymentStanding.NOTHING if has_money else PaymentStanding.IN_DOUBT
    if order.state != OrderState.PENDING:
        return PaymentStanding.NOTHING
    attempts = {
        state: capture_until if state == AttemptState.PROCESSING else came_back_at
        for state, came_back_at, capture_until in order.attempts.values_list("state", "came_back_at", "capture_until")
    }
    if any(attempts.get(state) is not None for state in (AttemptState.STARTED, AttemptState.PROCESSING)):
        return PaymentStanding.CONFIRMING
    for state, standing in (
        (AttemptState.PAID, PaymentStanding.RECEIVED),
        (AttemptState.PROCESSING, PaymentStanding.PROCESSING),
        (AttemptState.STARTED, PaymentStanding.OPEN),
    ):
        if state in attempts:
            return standing
    return PaymentStanding.NOTHING


def next_to_refund(attempts: Iterable[PaymentAttempt]) -> PaymentAttempt | None:
    """Return the payment to refund next: the earliest that has money left, or else the earliest.

    None if nothing was paid. Second payments are refunded separately and never returned.
    """
    paid = [each for each in attempts if each.state == AttemptState.PAID and not each.is_surplus]
    paid.sort(key=lambda each: (each.settled_at is None, each.settled_at, each.pk))
    return next((each for each in paid if not each.refundable.is_zero), next(iter(paid), None))


def lines_taken_back(refunds: Iterable[Refund]) -> set[int]:
    """Return the ids of the lines whose courses were removed or downgraded by a refund that arrived."""
    return {
        part.line_id
        for refund in refunds
        if refund.state == RefundState.SUCCEEDED and refund.enrollment_after != EnrollmentAfter.KEEP
        for part in refund.lines.all()
    }
