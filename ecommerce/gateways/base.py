"""What every gateway does: a few verbs over frozen data (ADR 0009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, TypeAlias
from uuid import UUID

from ecommerce.enums import DisputeState, RefundState
from mitxonline.kernel.money import Money

# Codes of a PaymentFailed that are said of all payments at an account, not of one.
OUR_KEY = frozenset({"key_refused", "no_key"})


class PaymentOutcome(StrEnum):
    """What a gateway says of a payment; anything it says beyond these is UNKNOWN and is looked at by a person."""

    PAID = "paid"
    PROCESSING = "processing"
    DECLINED = "declined"
    EXPIRED = "expired"
    OPEN = "open"
    UNKNOWN = "unknown"


# The code of a failure where the gateway wasn't even asked, because it kept silent lately or the time was over.
AVOIDED = "avoided"


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """One line as the payment page shows it."""

    title: str
    due: Money


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What is to be paid, by whom, and where the buyer goes afterwards (absolute addresses).

    Everything in it comes from rows, the clock included, so that asking again with the same key asks for the same.
    """

    reference: UUID
    order_number: str
    total: Money
    lines: tuple[PaymentLine, ...]
    buyer_email: str
    return_url: str
    cancel_url: str
    idempotency_key: str
    locale: str
    expires_at: datetime
    account: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the buyer pays, and the gateway's own id of that session."""

    url: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Session:
    """A payment session begun earlier: what a gateway needs to be asked about it, or to end it.

    ``is_wanted``: the order still waits for this payment. A gateway that takes money only when asked to (PayPal's
    capture) may take it while that is so.
    """

    session_id: str
    reference: UUID
    total: Money
    account: str = ""
    is_wanted: bool = True
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class BillingAddress:
    """Whom the gateway billed, where it says so; empty where it doesn't. ``country`` is ISO 3166, two letters."""

    name: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What a gateway tells of one payment, in a call of its own or when asked.

    ``doubt`` is why the money can't be believed although the gateway says it is there: test money for a live shop,
    a session that carries another reference. ``has_aftermath``: some of the money was given back or is disputed.
    """

    event_id: str
    reference: UUID | None
    session_id: str
    payment_id: str
    outcome: PaymentOutcome
    paid: Money | None
    doubt: str = ""
    paid_with: str = ""
    billed_to: BillingAddress | None = None
    tax: Money | None = None
    has_aftermath: bool = False


@dataclass(frozen=True, slots=True)
class RefundNotice:
    """What a gateway tells of one refund. ``reference`` is the one we sent; empty for a refund made at its side."""

    event_id: str
    refund_id: str
    payment_id: str
    reference: str
    amount: Money
    state: RefundState
    failure: str = ""


@dataclass(frozen=True, slots=True)
class RefundsChanged:
    """Something about the refunds of a payment changed; which ones there are is asked with ``refunds_of``."""

    event_id: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class DisputeNotice:
    """What a gateway tells of a payment that its bank or its owner contests."""

    event_id: str
    dispute_id: str
    payment_id: str
    amount: Money
    state: DisputeState
    reason: str
    funds: Literal["", "withdrawn", "reinstated"] = ""


@dataclass(frozen=True, slots=True)
class OtherNotice:
    """Something that is none of ours to act on; it is kept, and that is all."""

    event_id: str
    kind: str


Notice: TypeAlias = PaymentNotice | RefundNotice | RefundsChanged | DisputeNotice | OtherNotice


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a notice once its sender is proven, before it is understood."""

    event_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class RefundInstruction:
    """Money to be given back for one payment; ``reference`` comes back in every notice of this refund."""

    payment_id: str
    amount: Money
    idempotency_key: str
    reason: str
    reference: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What became of a refund: PENDING, SUCCEEDED, FAILED or CANCELED, and the gateway's reason for a failure.

    ``amount`` is what the gateway says goes back; None where it doesn't say.
    """

    refund_id: str
    state: RefundState
    failure: str = ""
    amount: Money | None = None


class PaymentFailed(Exception):
    """The gateway refused, or gave no answer that settles anything.

    ``retriable``: it is unknown what happened; the same call with the same key may be made again and is safe.
    Otherwise it said no, nothing happened, and the message is its reason in a sentence for staff. ``code`` is its own
    word for it; "resource_missing" where it doesn't know what it is asked about.
    """

    def __init__(self, message: str, *, retriable: bool, code: str = "") -> None:
        self.retriable = retriable
        self.code = code
        super().__init__(message)


class NoticeForged(Exception):
    """A notice that the gateway did not write, or wrote too long ago."""


class NoticeNotUnderstood(Exception):
    """The gateway wrote it, and it isn't what its documentation says."""


class PaymentGateway(Protocol):
    """One way to pay. Every call over the network has a time limit and raises PaymentFailed."""

    name: ClassVar[str]

    def account_for(self, host: str) -> str:
        """Which of the operator's accounts serves this host of ours; empty for the only or usual one."""

    def start(self, payment: PaymentRequest) -> Redirect:
        """Open a payment session; the same request again is the same session."""

    def expire(self, session: Session) -> PaymentNotice:
        """End a session, so that no one can pay it any more, and say what became of it.

        The outcome is EXPIRED, or whatever was faster: PAID, PROCESSING, DECLINED.
        """

    def look_up(self, session: Session) -> PaymentNotice:
        """Ask what became of a session."""

    def refund(self, refund: RefundInstruction) -> RefundResult:
        """Give money back; the same request again is the same refund."""

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Ask what became of a refund, by its id or else by our reference; None if there is none."""

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """Every refund of a payment, whoever made it."""

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        """Every dispute about a payment, with where it stands."""

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Prove who wrote a notice, and that it is fresh, before anything in it is believed. Raises NoticeForged."""

    def read_notice(self, body: bytes, *, account: str) -> Notice:
        """Understand a notice that ``open_notice`` has let in. Raises NoticeNotUnderstood."""
