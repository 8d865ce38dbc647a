"""Prices that are changed by hand leave a trace."""

from __future__ import annotations

from datetime import datetime

from ecommerce.models import PriceChange, Product


def record_price(product: Product, *, old: Product | None, changed_by_id: int | None, now: datetime) -> None:
    """Write down that a product's price is another one now; nothing if it isn't."""
    if old is not None and (old.price, old.currency) == (product.price, product.currency):
        return
    PriceChange.objects.create(
        product=product,
        old_price=old.price if old is not None else None,
        new_price=product.price,
        currency=product.currency,
        changed_at=now,
        changed_by_id=changed_by_id,
    )
