"""What things cost, as other answers show it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.http.shapes import DecimalText, Omittable, Reply


class BaseProduct(Reply):
    """What is sold, with its list price."""

    id: int
    price: DecimalText
    description: str
    is_active: Omittable[bool]


class Discount(Reply):
    """A discount with its code."""

    id: int
    amount: DecimalText
    automatic: Omittable[bool]
    discount_type: Literal["percent-off", "dollars-off", "fixed-price"]
    redemption_type: Literal["one-time", "one-time-per-user", "unlimited"]
    max_redemptions: Omittable[int | None]
    discount_code: str
    payment_type: Omittable[
        Literal["marketing", "sales", "financial-assistance", "customer-support", "staff", "legacy"] | None
    ]
    is_redeemed: bool
    activation_date: Omittable[datetime | None]
    expiration_date: Omittable[datetime | None]


class ProductFlexibilePrice(BaseProduct):
    """A product, under the name that clients know. There are no flexible prices."""

    product_flexible_price: Discount | None
