"""Factories of group purchases: paid orders with their seat sales and registration codes."""

from __future__ import annotations

from ecommerce.models import Order, Product, SeatSale
from mitxonline.users.models import User
from tests.factories import make_product
from tests.factories.orders import make_paid_order


def make_group_order(product: Product | None = None, *, seats: int = 3, buyer: User | None = None) -> Order:
    """Make a paid order of seats for a group, as checkout and fulfillment leave it."""
    return make_paid_order(product or make_product(), buyer=buyer, seats=seats)


def make_seat_sale(product: Product | None = None, *, seats: int = 3, buyer: User | None = None) -> SeatSale:
    """Make a group purchase and return its seat sale."""
    return SeatSale.objects.get(order_line__order=make_group_order(product, seats=seats, buyer=buyer))
