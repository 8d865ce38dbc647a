"""What a buyer may hear of a payment, before the order is fulfilled."""

from __future__ import annotations

from ecommerce.enums import AttemptState, OrderState, PaymentStanding
from ecommerce.models import Order


def standing_of(order: Order) -> PaymentStanding:
    """How the payment of an order stands; NOTHING once the order is past waiting. One query for a pending order."""
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
