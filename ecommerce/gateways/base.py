"""The interface of payment gateways: a few verbs over frozen data (ADR 0009)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable
from urllib.parse import urlsplit
from uuid import UUID

from ecommerce.enums import Decline, DisputeState, MovementKind, RefundState
from mitxonline.kernel.money import Money

# Codes of a PaymentFailed that concern an account, not one payment.
OUR_KEY = frozenset({"key_refused", "no_key"})


class PaymentOutcome(StrEnum):
    """What a gateway says of a payment. Whatever else it says is UNKNOWN, and staff look at it.

    APPROVED: the buyer has agreed, and the money moves once ``capture`` is called.
    """

    PAID = "paid"
    APPROVED = "approved"
    PROCESSING = "processing"
    DECLINED = "declined"
    EXPIRED = "expired"
    OPEN = "open"
    UNKNOWN = "unknown"


# The code of a failure where the gateway wasn't asked, because its breaker is open or the time was over.
AVOIDED = "avoided"
# The code of a failure where the gateway answered, but may learn of the payment or refund only later.
NOT_YET = "not_found_yet"


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A line to pay; ``due`` is the price of all its ``seats`` together."""

    title: str
    due: Money
    seats: int = 1


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What is to be paid, by whom, and where the buyer goes afterwards (absolute addresses).

    Everything in it comes from rows, including the time, so that a repeated call with the same key is the same request.
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
    """The address of a payment page, and the gateway's own id of that session."""

    url: str
    session_id: str


@dataclass(frozen=True, slots=True)
class PageForm:
    """The form by which a buyer's browser opens a payment page: its address, and its signed fields."""

    action: str
    fields: Mapping[str, str]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.action)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Session:
    """A payment session opened earlier, as its gateway needs it to look it up or to end it.

    ``is_given_up``: the order waits for it no longer, and it is to be ended. ``came_back_at``: when the buyer came back
    without a result; a gateway that learns late of payments doesn't call it unpaid right after that.
    """

    session_id: str
    reference: UUID
    total: Money
    account: str = ""
    idempotency_key: str = ""
    expires_at: datetime | None = None
    is_given_up: bool = False
    came_back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BillingAddress:
    """Whom the gateway billed; parts that it doesn't know are empty. ``country`` has the two letters of ISO 3166."""

    name: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What a gateway says of one payment, in a notice or when asked.

    ``doubt`` says why the payment can't be trusted although the gateway reports it: test money in a live shop, or a
    session with another reference. ``has_refunds_or_disputes``: some of the money was refunded or is disputed.
    ``is_final``: the notice is signed and says all there is to know, so it is acted on without asking.
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
    has_refunds_or_disputes: bool = False
    is_final: bool = False
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class RefundNotice:
    """What a gateway says of one refund. ``reference`` is the one we sent; empty for a refund made at the gateway."""

    event_id: str
    refund_id: str
    payment_id: str
    reference: str
    amount: Money
    state: RefundState
    failure: str = ""


@dataclass(frozen=True, slots=True)
class RefundsChanged:
    """Refunds of a payment have changed; ask for them with ``refunds_of``."""

    event_id: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class DisputeNotice:
    """What a gateway says of a payment that the buyer disputes with their bank."""

    event_id: str
    dispute_id: str
    payment_id: str
    amount: Money
    state: DisputeState
    reason: str
    funds: Literal["", "withdrawn", "reinstated"] = ""


@dataclass(frozen=True, slots=True)
class OtherNotice:
    """A notice that needs no action; it is only stored."""

    event_id: str
    kind: str


Notice: TypeAlias = PaymentNotice | RefundNotice | RefundsChanged | DisputeNotice | OtherNotice


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a notice once its signature is verified, before it is read."""

    event_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class RefundInstruction:
    """A refund to be made; its ``reference`` comes back in every notice about it.

    ``sent_at`` is when it was sent first; None before that. A gateway that learns late of its own refunds needs it.
    """

    payment_id: str
    amount: Money
    idempotency_key: str
    reason: str
    reference: str
    account: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundResult:
    """The state of a refund: PENDING, SUCCEEDED, FAILED or CANCELED, with the gateway's reason for a failure.

    ``amount`` is what the gateway refunds; None where it doesn't say.
    """

    refund_id: str
    state: RefundState
    failure: str = ""
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came to our account at a gateway or left it.

    ``amount`` is in the currency the buyer paid in, and below zero where it left. ``fee`` is what the gateway kept of
    it, in the currency of our account. ``source_id`` is the refund's or the dispute's own id.
    """

    movement_id: str
    kind: MovementKind
    payment_id: str
    source_id: str
    amount: Money
    fee: Money
    at: datetime


class PaymentFailed(Exception):
    """The gateway refused, or gave no answer that settles anything.

    ``retriable``: what happened is unknown, and the same call with the same key can safely be repeated. Otherwise the
    gateway refused, nothing happened, and the message is its reason for staff. ``code`` is the gateway's own, such as
    "resource_missing" where it doesn't know the payment.
    """

    def __init__(self, message: str, *, retriable: bool, code: str = "") -> None:
        self.retriable = retriable
        self.code = code
        super().__init__(message)


class NoticeForged(Exception):
    """A notice that the gateway didn't sign, or signed too long ago."""


class NoticeNotUnderstood(Exception):
    """A notice that the gateway signed and that isn't as documented."""


class PaymentGateway(Protocol):
    """One way to pay. Every network call has a deadline and raises PaymentFailed."""

    name: ClassVar[str]

    def account_for(self, host: str) -> str:
        """Return the account that serves this host of ours; empty for the default account."""

    def can_take(self, total: Money) -> bool:
        """Whether an amount of this currency can be paid here at all. Known without asking the gateway."""

    def start(self, payment: PaymentRequest) -> Redirect:
        """Open a payment session. A repeated request returns the same session."""

    def expire(self, session: Session) -> PaymentNotice:
        """End a session, so that it can't be paid any more.

        The outcome is EXPIRED, or what happened first: PAID, PROCESSING, DECLINED.
        """

    def look_up(self, session: Session) -> PaymentNotice:
        """Return the present state of a session."""

    def capture(self, session: Session) -> PaymentNotice:
        """Take the money of a session that is APPROVED, and return its state. A repeated call takes it once."""

    def refund(self, refund: RefundInstruction) -> RefundResult:
        """Refund money. A repeated request returns the same refund."""

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Find a refund by its id, or else by our reference; None if there is none."""

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """Return every refund of a payment, whoever made it."""

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        """Return every dispute about a payment, with its state."""

    def accounts(self) -> tuple[str, ...]:
        """Return our accounts whose movements it can report; none where its statement comes as a file."""

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield what moved on an account from ``since`` to before ``until``, page by page, in any order."""

    def dashboard_url(self, *, session_id: str, payment_id: str) -> str:
        """Return the page about a payment on the gateway's own site, for staff; empty where there is none."""

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Verify a notice's signature and age, before anything in it is trusted. Raises NoticeForged.

        Raises PaymentFailed where that takes an answer of the gateway which didn't come.
        """

    def read_notice(self, body: bytes, *, account: str) -> Notice:
        """Read a notice that ``open_notice`` has verified. Raises NoticeNotUnderstood."""


@runtime_checkable
class FormGateway(PaymentGateway, Protocol):
    """A gateway whose page is opened by a form, and which answers by the buyer's browser.

    ``start`` returns the address of our page with the form. ``form_time`` is how long a form is good for.
    """

    form_time: ClassVar[timedelta]

    def make_form(self, payment: PaymentRequest, *, session_id: str, signed_at: datetime) -> PageForm:
        """Return the form of a payment. The same payment gives the same form."""

    def read_return(self, body: bytes, *, account: str) -> tuple[UUID | None, PaymentOutcome]:
        """Return whose answer the browser brought, and what it says. Raises NoticeForged."""
