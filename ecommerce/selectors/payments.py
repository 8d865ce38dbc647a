"""What a buyer may hear of a payment, before the order is fulfilled."""

from __future__ import annotations

from collections.abc import Iterable

from ecommerce.enums import AttemptState, EnrollmentAfter, OrderState, PaymentStanding, RefundState
from ecommerce.models import Order, PaymentAttempt, Refund

# In these an order's buyer may still have what cost nothing.
UNDOABLE_STATES = frozenset({OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED})


def payment_standing(order: Order) -> PaymentStanding:
    """How the payment of an order stands; NOTHING once the order is past waiting. One query where it may be open."""
    if order.state == OrderState.REVIEW:
        has_money = order.attempts.filter(state=AttemptState.PAID).exists()
        return PaymentStanding.NOTHING if has_money else PaymentStanding.IN_DOUBT
    if order.state != OrderState.PENDING:
        return PaymentStanding.NOTHING
    attempts = dict(order.attempts.values_list("state", "came_back_at"))
    if attempts.get(AttemptState.STARTED) is not None:
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
    """The payment money goes back from next: the earliest of those that paid the order and have something left.

    Where nothing is left of any, the earliest; None where none paid. Second payments are left out.
    """
    paid = [each for each in attempts if each.state == AttemptState.PAID and not each.is_surplus]
    paid.sort(key=lambda each: (each.settled_at is None, each.settled_at, each.pk))
    return next((each for each in paid if not each.refundable.is_zero), next(iter(paid), None))


def lines_taken_back(refunds: Iterable[Refund]) -> set[int]:
    """The ids of an order's lines whose courses went with a refund that arrived, whatever they cost."""
    arrived = [each for each in refunds if each.state == RefundState.SUCCEEDED]
    took = [each for each in arrived if each.enrollment_after != EnrollmentAfter.KEEP]
    return {part.line_id for refund in took for part in refund.lines.all()}
