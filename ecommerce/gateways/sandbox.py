"""A gateway without money, for development: the buyer says on a page of our own how the payment shall end.

What it was told it keeps in the cache for a day, so that it can be asked like any other gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

from django.core import signing
from django.core.cache import cache
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from ecommerce.enums import RefundState
from ecommerce.gateways.base import (
    DisputeNotice,
    Envelope,
    NoticeForged,
    NoticeNotUnderstood,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    PaymentRequest,
    Redirect,
    RefundInstruction,
    RefundNotice,
    RefundResult,
    Session,
)
from mitxonline.kernel.money import Money

SALT = "ecommerce.gateways.sandbox"
KEPT = 24 * 3600
ANSWERS = {
    "accept": PaymentOutcome.PAID,
    "later": PaymentOutcome.PROCESSING,
    "decline": PaymentOutcome.DECLINED,
    "abandon": PaymentOutcome.EXPIRED,
}
# What the page's answer may still become: a bank that took its time says yes or no.
UNDECIDED = (PaymentOutcome.OPEN, PaymentOutcome.PROCESSING)
_CACHE_AWAY = (RedisError, OSError)


class SandboxGateway:
    """Accept, accept later, decline or abandon, as the buyer on the labeled page likes."""

    name: ClassVar[str] = "sandbox"

    def account_for(self, host: str) -> str:
        """There is no account."""
        return ""

    def start(self, payment: PaymentRequest) -> Redirect:
        """The address of our own payment page for this reference."""
        return Redirect(url=f"/payment/sandbox/{payment.reference}/", session_id=f"sandbox_{payment.reference}")

    def answer(self, *, session: Session, answer: str) -> bytes:
        """End the session as its buyer says, unless it has ended; the notice a real gateway would send then."""
        if self._outcome(session.session_id) in UNDECIDED:
            self._keep(session.session_id, answer)
        return self.notice_body(reference=session.reference, answer=answer, total=session.total)

    def notice_body(self, *, reference: UUID, answer: str, total: Money) -> bytes:
        """The signed notice of an answer."""
        told = {
            "reference": str(reference),
            "answer": answer,
            "amount": str(total.amount),
            "currency": total.currency,
        }
        return signing.dumps(told, salt=SALT).encode()

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Only what ``notice_body`` signed."""
        try:
            told = signing.loads(body.decode(), salt=SALT)
            return Envelope(event_id=f"sandbox_{told['reference']}_{told['answer']}", kind=f"payment.{told['answer']}")
        except (signing.BadSignature, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise NoticeForged("not a notice of the sandbox") from error

    def read_notice(self, body: bytes, *, account: str) -> PaymentNotice:
        """The answer, and what was paid."""
        try:
            told = signing.loads(body.decode(), salt=SALT)
            reference, total = UUID(told["reference"]), Money(told["amount"], told["currency"])
            return _notice(reference, ANSWERS[told["answer"]], total, event_id=f"sandbox_{reference}_{told['answer']}")
        except (signing.BadSignature, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise NoticeNotUnderstood("not a notice of the sandbox") from error

    def look_up(self, session: Session) -> PaymentNotice:
        """What the buyer said on the page; open as long as that is nothing."""
        return _notice(session.reference, self._outcome(session.session_id), session.total)

    def expire(self, session: Session) -> PaymentNotice:
        """End the session, unless the buyer was faster."""
        if self._outcome(session.session_id) is PaymentOutcome.OPEN:
            self._keep(session.session_id, "abandon")
        return self.look_up(session)

    def refund(self, refund: RefundInstruction) -> RefundResult:
        """Every refund succeeds at once: there was no money."""
        return RefundResult(refund_id=f"sandbox_{refund.reference}", state=RefundState.SUCCEEDED, amount=refund.amount)

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """The one that was answered; the sandbox has made none that no one heard of."""
        return replace(self.refund(refund), refund_id=refund_id) if refund_id else None

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """No one refunds anything on the sandbox's side."""
        return ()

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        """No one disputes anything here."""
        return ()

    def _outcome(self, session_id: str) -> PaymentOutcome:
        try:
            return ANSWERS.get(cache.get(_key(session_id), ""), PaymentOutcome.OPEN)
        except _CACHE_AWAY as error:
            raise PaymentFailed("the cache is away", retriable=True) from error

    def _keep(self, session_id: str, answer: str) -> None:
        try:
            cache.set(_key(session_id), answer, KEPT)
        except _CACHE_AWAY as error:
            raise PaymentFailed("the cache is away", retriable=True) from error


def _key(session_id: str) -> str:
    return f"payment:{session_id}"


def _notice(reference: UUID, outcome: PaymentOutcome, total: Money, event_id: str = "") -> PaymentNotice:
    paid = outcome is PaymentOutcome.PAID
    return PaymentNotice(
        event_id=event_id,
        reference=reference,
        session_id=f"sandbox_{reference}",
        payment_id=f"sandbox_{reference}" if paid else "",
        outcome=outcome,
        paid=total if paid else None,
        paid_with=_("Sandbox, no money") if paid else "",
    )
