"""A gateway without money, for development: the buyer chooses on a page of ours how the payment ends.

The choice stays in the cache for a day, so that this gateway can be asked like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import ClassVar
from uuid import UUID

from django.core import signing
from django.core.cache import cache
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from ecommerce.enums import MovementKind, RefundState
from ecommerce.gateways.base import (
    DisputeNotice,
    Envelope,
    Movement,
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
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money

SALT = "ecommerce.gateways.sandbox"
ANSWER_SECONDS = 24 * 3600
LEDGER_SECONDS = 60 * 24 * 3600
ANSWERS = {
    "accept": PaymentOutcome.PAID,
    "later": PaymentOutcome.PROCESSING,
    "decline": PaymentOutcome.DECLINED,
    "abandon": PaymentOutcome.EXPIRED,
}
# Outcomes that may still change: after a delay the bank accepts or declines.
UNDECIDED = (PaymentOutcome.OPEN, PaymentOutcome.PROCESSING)
_CACHE_AWAY = (RedisError, OSError)


class SandboxGateway:
    """Accept, accept later, decline or abandon, as the buyer chooses."""

    name: ClassVar[str] = "sandbox"

    def account_for(self, host: str) -> str:
        return ""

    def can_take(self, total: Money) -> bool:
        return True

    def start(self, payment: PaymentRequest) -> Redirect:
        return Redirect(url=f"/payment/sandbox/{payment.reference}/", session_id=f"sandbox_{payment.reference}")

    def answer(self, *, session: Session, answer: str) -> bytes:
        """End the session as its buyer chose, unless it has ended; return the notice that a real gateway would send."""
        if self._outcome(session.session_id) in UNDECIDED:
            self._save(session.session_id, answer)
            if ANSWERS[answer] is PaymentOutcome.PAID:
                self._book(MovementKind.PAYMENT, session.session_id, session.session_id, session.total)
        return self.notice_body(reference=session.reference, answer=answer, total=session.total)

    def notice_body(self, *, reference: UUID, answer: str, total: Money) -> bytes:
        content = {
            "reference": str(reference),
            "answer": answer,
            "amount": str(total.amount),
            "currency": total.currency,
        }
        return signing.dumps(content, salt=SALT).encode()

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        try:
            content = signing.loads(body.decode(), salt=SALT)
            return Envelope(
                event_id=f"sandbox_{content['reference']}_{content['answer']}", kind=f"payment.{content['answer']}"
            )
        except (signing.BadSignature, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise NoticeForged("not a notice of the sandbox") from error

    def read_notice(self, body: bytes, *, account: str) -> PaymentNotice:
        try:
            content = signing.loads(body.decode(), salt=SALT)
            reference, total = UUID(content["reference"]), Money(content["amount"], content["currency"])
            return _notice(
                reference, ANSWERS[content["answer"]], total, event_id=f"sandbox_{reference}_{content['answer']}"
            )
        except (signing.BadSignature, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise NoticeNotUnderstood("not a notice of the sandbox") from error

    def look_up(self, session: Session) -> PaymentNotice:
        return _notice(session.reference, self._outcome(session.session_id), session.total)

    def expire(self, session: Session) -> PaymentNotice:
        if self._outcome(session.session_id) is PaymentOutcome.OPEN:
            self._save(session.session_id, "abandon")
        return self.look_up(session)

    def capture(self, session: Session) -> PaymentNotice:
        """There is nothing to take: the answer on the page is the payment."""
        return self.look_up(session)

    def refund(self, refund: RefundInstruction) -> RefundResult:
        """Refund at once: there was no money."""
        self._book(MovementKind.REFUND, refund.payment_id, f"sandbox_{refund.reference}", -refund.amount)
        return RefundResult(refund_id=f"sandbox_{refund.reference}", state=RefundState.SUCCEEDED, amount=refund.amount)

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Return a refund that was answered. Others don't exist here."""
        return replace(self.refund(refund), refund_id=refund_id) if refund_id else None

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        return ()

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        return ()

    def accounts(self) -> tuple[str, ...]:
        return ("",)

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield what was paid and refunded here in the last 60 days. There are no fees and no disputes."""
        for day in _days(since, until):
            for number in count():
                try:
                    entry = cache.get(f"{_ledger(day)}:{number}")
                except _CACHE_AWAY as error:
                    raise PaymentFailed("the cache doesn't answer", retriable=True) from error
                if entry is None:
                    break
                movement = _read_movement(entry)
                if since <= movement.at < until:
                    yield movement

    def dashboard_url(self, *, session_id: str, payment_id: str) -> str:
        return ""

    def _outcome(self, session_id: str) -> PaymentOutcome:
        try:
            return ANSWERS.get(cache.get(_key(session_id), ""), PaymentOutcome.OPEN)
        except _CACHE_AWAY as error:
            raise PaymentFailed("the cache doesn't answer", retriable=True) from error

    def _save(self, session_id: str, answer: str) -> None:
        try:
            cache.set(_key(session_id), answer, ANSWER_SECONDS)
        except _CACHE_AWAY as error:
            raise PaymentFailed("the cache doesn't answer", retriable=True) from error

    def _book(self, kind: MovementKind, payment_id: str, source_id: str, amount: Money) -> None:
        """Enter a movement in the ledger, unless it is there: a refund may be asked for again."""
        now = clock.now()
        entry = [str(kind), payment_id, source_id, str(amount.amount), amount.currency, now.isoformat()]
        try:
            if not cache.add(f"payment:booked:{kind}:{source_id}", 1, LEDGER_SECONDS):
                return
            # Whoever is first has the number.
            next(n for n in count() if cache.add(f"{_ledger(clock.date_of(now))}:{n}", entry, LEDGER_SECONDS))
        except _CACHE_AWAY as error:
            raise PaymentFailed("the cache doesn't answer", retriable=True) from error


def _ledger(day: date) -> str:
    return f"payment:ledger:{day.isoformat()}"


def _days(since: datetime, until: datetime) -> Iterator[date]:
    last = min(until, clock.now() + timedelta(days=1))
    day = max(clock.date_of(since), clock.date_of(clock.now()) - timedelta(seconds=LEDGER_SECONDS))
    while day <= clock.date_of(last):
        yield day
        day += timedelta(days=1)


def _read_movement(entry: list[str]) -> Movement:
    kind, payment_id, source_id, amount, currency, moment = entry
    money = Money(amount, currency)
    return Movement(
        movement_id=f"{kind}_{source_id}",
        kind=MovementKind(kind),
        payment_id=payment_id,
        source_id=source_id,
        amount=money,
        fee=money.zero,
        at=datetime.fromisoformat(moment),
    )


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
        paid_with=_("Sandbox (no real payment)") if paid else "",
    )
