"""A gateway without money, for development: the buyer says on a page of our own how the payment shall end.

It keeps nothing. A session id says all: the reference, the amount asked for, and, once answered, the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.core import signing

from ecommerce.gateways.base import (
    NoticeForged,
    Outcome,
    PaymentNotice,
    PaymentRequest,
    Redirect,
    RefundRequest,
    RefundResult,
)
from mitxonline.kernel.money import Money

SALT = "ecommerce.gateways.sandbox"
ANSWERS = {"accept": Outcome.PAID, "decline": Outcome.DECLINED, "abandon": Outcome.EXPIRED}


class SandboxGateway:
    """Accept, decline or abandon, as the buyer on the labelled page likes."""

    name: ClassVar[str] = "sandbox"

    def start(self, payment: PaymentRequest) -> Redirect:
        """The address of our own payment page for this reference."""
        return Redirect(url=f"/payment/sandbox/{payment.reference}/", session_id=f"sandbox_{payment.reference}")

    def notice_body(self, *, reference: UUID, answer: str, total: Money) -> bytes:
        """The signed notice a real gateway would send after the buyer's answer."""
        told = {
            "reference": str(reference),
            "answer": answer,
            "amount": str(total.amount),
            "currency": total.currency,
        }
        return signing.dumps(told, salt=SALT).encode()

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> PaymentNotice:
        """Read a notice of ``notice_body``; NoticeForged for anything else."""
        try:
            told = signing.loads(body.decode(), salt=SALT)
            paid = Money(told["amount"], told["currency"])
            outcome, reference = ANSWERS[told["answer"]], UUID(told["reference"])
        except (
            signing.BadSignature,
            UnicodeDecodeError,
            json.JSONDecodeError,
            KeyError,
            ValueError,
        ) as error:
            raise NoticeForged("not a notice of the sandbox") from error
        return PaymentNotice(
            event_id=f"sandbox_{reference}_{told['answer']}",
            reference=reference,
            session_id=f"sandbox_{reference}",
            payment_id=f"sandbox_{reference}",
            outcome=outcome,
            paid=paid if outcome is Outcome.PAID else None,
        )

    def look_up(self, session_id: str) -> PaymentNotice:
        """The sandbox knows no more than that the session is open until its page was answered."""
        return PaymentNotice(
            event_id=session_id,
            reference=None,
            session_id=session_id,
            payment_id="",
            outcome=Outcome.OPEN,
            paid=None,
        )

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Every refund succeeds at once: there was no money."""
        return RefundResult(refund_id=f"sandbox_{refund.idempotency_key}", settled=True)
