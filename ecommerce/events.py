"""What happens to orders, for those who listen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mitxonline.coordinator.events import Event


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
    """Money came for an order that could not be fulfilled; somebody has to look."""

    order_id: int
    purchaser_id: int
