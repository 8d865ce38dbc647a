"""Paying with the sandbox, on whose page the buyer chooses how the payment ends."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ecommerce.errors.checkout import OrderUnknown
from ecommerce.gateways.registry import gateways
from ecommerce.gateways.sandbox import ANSWERS, SandboxGateway
from ecommerce.models import Order, PaymentAttempt
from ecommerce.services.payment.payments import confirm_attempt, find_buyers_attempt
from ecommerce.services.payment.sessions import make_session


def answer_sandbox(*, reference: UUID, user_id: int, answer: str, now: datetime) -> Order:
    """End a sandbox payment as its buyer chose. Raises OrderUnknown for someone else's, or an unknown answer."""
    attempt = find_sandbox_attempt(reference=reference, user_id=user_id)
    gateway = gateways().get(SandboxGateway.name)
    if answer not in ANSWERS or not isinstance(gateway, SandboxGateway):
        raise OrderUnknown
    gateway.answer(session=make_session(attempt), answer=answer)
    return confirm_attempt(attempt_id=attempt.pk, now=now)


def find_sandbox_attempt(*, reference: UUID, user_id: int) -> PaymentAttempt:
    """Find the attempt for the sandbox page. Raises OrderUnknown for someone else's."""
    return find_buyers_attempt(reference=reference, user_id=user_id, gateway=SandboxGateway.name)
