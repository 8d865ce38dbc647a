"""A gateway that answers refunds as a test says."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ecommerce.enums import RefundState
from ecommerce.gateways.base import PaymentFailed, RefundInstruction, RefundNotice, RefundResult
from ecommerce.gateways.registry import gateways
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.models import PaymentAttempt, Refund
from mitxonline.kernel.money import Money

TILL = "tests.ecommerce.tills.Till"


class Till(SandboxGateway):
    """A gateway that remembers its refunds: the same idempotency key twice is one refund.

    ``says`` is what it answers next, one for each call; after that everything succeeds. "lost" gives the money back
    and loses the answer, "away" never got the question.
    """

    name = "till"
    says: list[str]
    given: dict[str, RefundResult]
    asked: list[RefundInstruction]
    looked_up: int

    def __init__(self) -> None:
        self.says, self.given, self.asked, self.looked_up = [], {}, [], 0
        self.before: Callable[[], object] = lambda: None

    def refund(self, refund: RefundInstruction) -> RefundResult:
        self.before()
        self.asked.append(refund)
        if refund.idempotency_key in self.given:
            return self.given[refund.idempotency_key]
        word = self.says.pop(0) if self.says else "succeeded"
        if word == "away":
            raise PaymentFailed("no answer", retriable=True)
        if word == "no":
            raise PaymentFailed("The card was closed.", retriable=False, code="closed")
        state = RefundState.SUCCEEDED if word == "lost" else RefundState(word)
        result = RefundResult(refund_id=f"re_{len(self.given) + 1}", state=state)
        self.given[refund.idempotency_key] = result
        if word == "lost":
            raise PaymentFailed("the line was cut", retriable=True)
        return result

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        self.looked_up += 1
        return self.given.get(refund.idempotency_key)

    def now_says(self, state: RefundState) -> None:
        """Put every refund made so far into this state."""
        self.given = {key: replace(result, state=state) for key, result in self.given.items()}


def make_refund_notice(
    refund: Refund | None = None,
    *,
    attempt: PaymentAttempt | None = None,
    state: RefundState = RefundState.SUCCEEDED,
    refund_id: str = "re_elsewhere",
    amount: str = "",
) -> RefundNotice:
    """Make a gateway's notice of our refund, or of one made in its dashboard."""
    payment = refund.attempt if refund is not None else attempt
    assert payment is not None
    money = refund.money if refund is not None else Money(amount or str(payment.amount), payment.currency)
    return RefundNotice(
        event_id=f"evt_{uuid.uuid4().hex}",
        refund_id=refund_id,
        payment_id=payment.payment_id,
        reference=str(refund.reference) if refund is not None else "",
        amount=money,
        state=state,
    )


def install_till(settings: Any) -> Till:
    """Configure the till as second gateway and return it."""
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.sandbox.SandboxGateway", TILL]
    till = gateways()["till"]
    assert isinstance(till, Till)
    return till
