"""What a buyer may hear of a payment, before the order is fulfilled."""

from __future__ import annotations

from collections.abc import Iterable

from ecommerce.enums import AttemptState, OrderState, PaymentStanding
from ecommerce.models import Order, PaymentAttempt


def standing_of(order: Order) -> PaymentStanding:
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
