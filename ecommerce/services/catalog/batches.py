"""Create and change products in bulk, for contracts. Every price is recorded with who set it, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ecommerce.models import PriceChange, Product
from mitxonline.kernel.db import run_sql
from mitxonline.kernel.money import Money

# One statement locks the products and records their old prices, so no other price can come in between.
RECORD = """
    INSERT INTO ecommerce_pricechange
        (product_id, old_price, old_currency, new_price, currency, changed_at, changed_by_id, reason)
    SELECT id, price, CASE WHEN currency = %(currency)s THEN '' ELSE currency END,
        %(price)s, %(currency)s, %(now)s, %(actor)s, %(reason)s
    FROM ecommerce_product
    WHERE id = ANY(%(products)s) AND (price, currency) <> (%(price)s, %(currency)s)
    ORDER BY id FOR NO KEY UPDATE
"""


def create_products(products: Iterable[Product], *, reason: str, by_id: int | None, now: datetime) -> list[Product]:
    """Create products and record their first prices, in two statements."""
    created = Product.objects.bulk_create(products)
    PriceChange.objects.bulk_create(
        PriceChange(
            product=product,
            old_price=None,
            new_price=product.price,
            currency=product.currency,
            changed_at=now,
            changed_by_id=by_id,
            reason=reason,
        )
        for product in created
    )
    return created


def set_prices(product_ids: Sequence[int], *, price: Money, reason: str, by_id: int | None, now: datetime) -> int:
    """Set the price of products and require a code for them, in the caller's transaction. Return how many changed."""
    changed = run_sql(
        RECORD,
        {
            "products": list(product_ids),
            "price": price.amount,
            "currency": price.currency,
            "now": now,
            "actor": by_id,
            "reason": reason,
        },
    )
    Product.objects.filter(pk__in=product_ids).update(
        price=price.amount, currency=price.currency, requires_code=True, updated_at=now
    )
    return changed


def put_on_sale_with_code(product_ids: Sequence[int], *, now: datetime) -> None:
    """Put products on sale for people with a code."""
    Product.objects.filter(pk__in=product_ids).update(is_active=True, requires_code=True, updated_at=now)


def take_off_sale(product_ids: Sequence[int], *, now: datetime, requires_code: bool = False) -> None:
    """Take products off sale. With `requires_code` they also need a code if someone puts them back on sale."""
    changes: dict[str, Any] = {"requires_code": True} if requires_code else {}
    Product.objects.filter(pk__in=product_ids).update(is_active=False, updated_at=now, **changes)


def detach_discounts(product_ids: Sequence[int]) -> None:
    """Remove products from every discount that is limited to chosen products."""
    Product.discounts.through.objects.filter(product_id__in=product_ids).delete()
