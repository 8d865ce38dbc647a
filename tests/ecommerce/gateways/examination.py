"""What the common test set needs of each gateway: the gateway, and a hand on its other side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid4

from ecommerce.gateways.base import PaymentGateway, PaymentLine, PaymentRequest, Session
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.gateways.stripe import StripeGateway
from mitxonline.kernel.money import Money
from tests.factories import NOON
from tests.support.stripe import StripeServer, sign


class Bench(Protocol):
    """A gateway on the bench, and what its buyers and banks do."""

    @property
    def gateway(self) -> PaymentGateway: ...

    def pay(self, session: Session) -> None: ...

    def pay_later(self, session: Session) -> None: ...

    def bank_declines(self, session: Session) -> None: ...

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]: ...


@dataclass(slots=True)
class SandboxBench:
    gateway: SandboxGateway

    def pay(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="accept")

    def pay_later(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="later")

    def bank_declines(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="decline")

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        return self.gateway.notice_body(reference=session.reference, answer="accept", total=session.total), {}


@dataclass(slots=True)
class StripeBench:
    gateway: StripeGateway
    server: StripeServer

    def pay(self, session: Session) -> None:
        self.server.pay(session.session_id)

    def pay_later(self, session: Session) -> None:
        self.server.pay_later(session.session_id)

    def bank_declines(self, session: Session) -> None:
        self.server.bank_says(session.session_id, yes=False)

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        body = self.server.event("checkout.session.completed", self.server.sessions[session.session_id])
        return body, sign(body)


def a_request(total: Money, *, reference: UUID | None = None, locale: str = "en") -> PaymentRequest:
    """A payment of one line."""
    reference = reference or uuid4()
    return PaymentRequest(
        reference=reference,
        order_number="TS-2026-7K3M9X2Q",
        total=total,
        lines=(PaymentLine(title="Programming with Python, properly", due=total),),
        buyer_email="amara@example.test",
        return_url=f"https://shop.example/payment/completed/{reference}/",
        cancel_url=f"https://shop.example/payment/canceled/{reference}/",
        idempotency_key=f"checkout:{reference}",
        locale=locale,
        expires_at=NOON + timedelta(minutes=30),
    )


def begun(gateway: PaymentGateway, total: Money) -> Session:
    """A session that was started for this total."""
    request = a_request(total)
    redirect = gateway.start(request)
    return Session(
        session_id=redirect.session_id,
        reference=request.reference,
        total=total,
        idempotency_key=f"expire:{request.reference}",
    )
