"""What every gateway does: four verbs over frozen data (ADR 0009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

from mitxonline.kernel.money import Money


class Outcome(StrEnum):
    """What a gateway says of a payment; anything it says beyond these is UNKNOWN and is looked at by a person."""

    PAID = "paid"
    PROCESSING = "processing"
    DECLINED = "declined"
    EXPIRED = "expired"
    OPEN = "open"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """One line as the payment page shows it."""

    title: str
    due: Money


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What is to be paid, by whom, and where the buyer goes afterwards (absolute addresses)."""

    reference: UUID
    order_number: str
    total: Money
    lines: tuple[PaymentLine, ...]
    buyer_email: str
    return_url: str
    cancel_url: str
    idempotency_key: str
    locale: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the buyer pays, and the gateway's own id of that session."""

    url: str
    session_id: str


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What a gateway tells of one payment, in its own call or when asked."""

    event_id: str
    reference: UUID | None
    session_id: str
    payment_id: str
    outcome: Outcome
    paid: Money | None


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to be given back for one payment."""

    payment_id: str
    amount: Money
    idempotency_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What became of a refund: the gateway's id of it, and whether the money is on its way already."""

    refund_id: str
    settled: bool


class PaymentFailed(Exception):
    """The gateway refused or could not be reached; ``retriable`` says whether trying again may help."""

    def __init__(self, message: str, *, retriable: bool) -> None:
        self.retriable = retriable
        super().__init__(message)


class NoticeForged(Exception):
    """A notice that the gateway did not write."""


class PaymentGateway(Protocol):
    """One way to pay."""

    name: ClassVar[str]

    def start(self, payment: PaymentRequest) -> Redirect:
        """Open a payment session. Raises PaymentFailed."""

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> PaymentNotice:
        """Understand what the gateway sent. Raises NoticeForged."""

    def look_up(self, session_id: str) -> PaymentNotice:
        """Ask what became of a session. Raises PaymentFailed."""

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Give money back. Raises PaymentFailed."""
