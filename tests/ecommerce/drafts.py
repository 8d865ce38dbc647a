"""Discounts as staff write them."""

from __future__ import annotations

from decimal import Decimal

from ecommerce.enums import DiscountType, PaymentType
from ecommerce.services.discounts.validation import DiscountDraft

TEN_PERCENT = DiscountDraft(
    name="A tenth",
    discount_type=DiscountType.PERCENT_OFF,
    amount=Decimal(10),
    payment_type=PaymentType.MARKETING,
    for_all_products=True,
)
