"""What orders and payments share: whether an order is being paid, and giving up its payment attempts."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, CharField, F, Value, When
from django.db.models.functions import Cast, Concat

from ecommerce.enums import PAYING_STATES, AttemptState
from ecommerce.models import Order, PaymentAttempt
from mitxonline.kernel.db import LockableQuerySet


def give_up_attempts(attempts: LockableQuerySet[PaymentAttempt], *, now: datetime, note: str) -> int:
    """Give up open attempts. Their payment pages are to be ended at the gateway later, outside the transaction."""
    return attempts.filter(state=AttemptState.STARTED).update(
        state=Case(
            When(session_id="", then=Value(AttemptState.FAILED)),
            default=Value(AttemptState.CLOSING),
            output_field=CharField(),
        ),
        closing_key=Concat(Value("expire:"), Cast(F("reference"), CharField())),
        ask_at=Case(When(session_id="", then=Value(None)), default=Value(now)),
        settled_at=Case(When(session_id="", then=Value(now)), default=Value(None)),
        note=note,
    )


def is_being_paid(order: Order) -> bool:
    """Whether money of the order has come or is on its way, so that it must be neither given up nor paid again."""
    return order.attempts.filter(state__in=PAYING_STATES).exists()
