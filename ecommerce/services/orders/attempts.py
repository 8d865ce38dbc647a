"""Payment attempts of an order: whether one may bring money, and ending those that may not any more."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, CharField, F, Value, When
from django.db.models.functions import Cast, Concat

from ecommerce.enums import PAYING_STATES, AttemptState
from ecommerce.models import Order, PaymentAttempt
from mitxonline.kernel.db import LockableQuerySet


def give_up_attempts(attempts: LockableQuerySet[PaymentAttempt], *, now: datetime, note: str) -> int:
    """End open tries here; those that reached the gateway are still to be ended there, outside the transaction."""
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
    """Whether the money of an order is here or on its way: such an order is neither given up nor paid again."""
    return order.attempts.filter(state__in=PAYING_STATES).exists()
