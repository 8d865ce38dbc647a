"""Events of baskets, orders, payments and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class LinkBasketClaimed(Event):
    """Someone signed in, and the link basket they had opened belongs to their account now."""

    basket_id: int
    user_id: int
    at: datetime


@dataclass(frozen=True)
class OrderFulfilled(Event):
    """The buyer got what they bought; published in the transaction that fulfills the order."""

    order_id: int
    purchaser_id: int
    number: str
    at: datetime


@dataclass(frozen=True)
class OrderClosed(Event):
    """The order ended without being fulfilled, and what was held for it is free."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class OrderInReview(Event):
    """Money came for an order that couldn't be fulfilled; staff have to decide."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class PaymentDeclined(Event):
    """A bank declined a payment long after its buyer had left, and the order is closed."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class NoticeReceived(Event):
    """A gateway sent a notice; it is stored, but not processed yet."""

    notice_id: int


@dataclass(frozen=True)
class LinesRefunded(Event):
    """Lines were refunded and their courses taken back; published in the transaction that does it.

    ``freed_code_ids`` are the codes whose use by this order was freed. Other uses of these codes stay.
    """

    order_id: int
    purchaser_id: int
    line_ids: tuple[int, ...]
    freed_code_ids: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class MoneyReturned(Event):
    """A refund has reached the buyer, or is certain to."""

    refund_id: int
    order_id: int


@dataclass(frozen=True)
class LinesRestored(Event):
    """A refund failed after it had taken effect, and these lines' courses are open again; same transaction."""

    order_id: int
    purchaser_id: int
    line_ids: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class FreeLinesUndone(Event):
    """Staff took back lines that had cost nothing; ``enrollment_after`` says what happened to the courses."""

    order_id: int
    line_ids: tuple[int, ...]
    enrollment_after: str


@dataclass(frozen=True)
class SeatTakenFromLearner(Event):
    """A learner lost the course that a registration code had given them; with ``is_audit`` they still audit it."""

    use_id: int
    run_id: int
    is_audit: bool = False


@dataclass(frozen=True)
class RegistrationCodesSwitched(Event):
    """Registration codes were switched off or on again; published in the transaction that does it."""

    code_ids: tuple[int, ...]
    is_on: bool
    by_id: int | None
    at: datetime


@dataclass(frozen=True)
class SeatMoved(Event):
    """Staff moved a redeemed registration code, and its learner with it, to another run."""

    use_id: int
    run_before_id: int
    run_after_id: int


@dataclass(frozen=True)
class RefundFailed(Event):
    """A refund that the buyer was told of failed. ``is_restored``: the courses it took are open again."""

    refund_id: int
    order_id: int
    is_restored: bool


@dataclass(frozen=True)
class PaidTwice(Event):
    """A second payment came for an order; finance decides about it."""

    refund_id: int
    order_id: int


@dataclass(frozen=True)
class RefundAsked(Event):
    """A buyer requested a refund; finance decides about it."""

    request_id: int
    order_id: int


@dataclass(frozen=True)
class RefundDenied(Event):
    """Finance denied a refund request."""

    request_id: int
    order_id: int


@dataclass(frozen=True)
class ReceiptWanted(Event):
    """Staff had a receipt sent again."""

    order_id: int


@dataclass(frozen=True)
class InvoiceIssued(Event):
    """An invoice was issued, with its codes; published in the same transaction."""

    invoice_id: int
    number: str
    at: datetime


@dataclass(frozen=True)
class InvoiceMailWanted(Event):
    """Staff asked for an issued invoice to be e-mailed again."""

    invoice_id: int


@dataclass(frozen=True)
class CreditNoteIssued(Event):
    """A credit note was issued on an invoice."""

    invoice_id: int
    entry_id: int


@dataclass(frozen=True)
class InvoiceVoided(Event):
    """An invoice was voided, and its unused codes switched off."""

    invoice_id: int


@dataclass(frozen=True)
class InvoiceReminderDue(Event):
    """A customer is to be reminded of an invoice."""

    reminder_id: int


@dataclass(frozen=True)
class SeatsChangedBuyer(Event):
    """Seats that were invoiced left the group page of one account for another's, or for no one's."""

    sale_ids: tuple[int, ...]
