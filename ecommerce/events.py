"""What happens to orders, for those who listen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class LinkBasketClaimed(Event):
    """Someone signed in, and the basket a contract's link had opened is theirs now."""

    basket_id: int
    user_id: int
    at: datetime


@dataclass(frozen=True)
class OrderFulfilled(Event):
    """The buyer has what was bought; published in the transaction that makes it so."""

    order_id: int
    purchaser_id: int
    number: str
    at: datetime


@dataclass(frozen=True)
class OrderClosed(Event):
    """The order ended without being fulfilled; whatever was held for it is free again."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class OrderInReview(Event):
    """Money came for an order that could not be fulfilled; someone has to look."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class PaymentDeclined(Event):
    """A payment that had been on its way came to nothing, when its buyer was long gone; the order is closed."""

    order_id: int
    purchaser_id: int


@dataclass(frozen=True)
class NoticeReceived(Event):
    """A gateway told us something; it is kept, and not yet understood."""

    notice_id: int


@dataclass(frozen=True)
class LinesRefunded(Event):
    """Money for these lines went back, and the courses followed it; published in the transaction that makes it so.

    ``freed_code_ids`` are the codes whose use by this order was given back; no one's other use of them was touched.
    """

    order_id: int
    purchaser_id: int
    line_ids: tuple[int, ...]
    freed_code_ids: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class MoneyReturned(Event):
    """A refund reached its buyer, or is on its way there for certain."""

    refund_id: int
    order_id: int


@dataclass(frozen=True)
class LinesRestored(Event):
    """A refund came to nothing after all, and the courses of these lines are open again; same transaction."""

    order_id: int
    purchaser_id: int
    line_ids: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class FreeLinesUndone(Event):
    """Staff took back what had cost nothing; ``enrollment_after`` is what became of the courses."""

    order_id: int
    line_ids: tuple[int, ...]
    enrollment_after: str


@dataclass(frozen=True)
class RefundFailed(Event):
    """Money the buyer had been told of didn't reach them; ``is_restored``: the courses it took are open again."""

    refund_id: int
    order_id: int
    is_restored: bool


@dataclass(frozen=True)
class PaidTwice(Event):
    """A second payment of an order came in; finance decides about it."""

    refund_id: int
    order_id: int


@dataclass(frozen=True)
class RefundAsked(Event):
    """A buyer asked for their money; someone of finance decides."""

    request_id: int
    order_id: int


@dataclass(frozen=True)
class RefundDenied(Event):
    """Finance decided that the money stays."""

    request_id: int
    order_id: int


@dataclass(frozen=True)
class ReceiptWanted(Event):
    """Someone of finance had a receipt sent again."""

    order_id: int
