"""Contract products follow the contract's price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from b2b.models import ContractTerms
from b2b.services.products.runs import redemption_type
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, Product
from mitxonline.kernel.db import run_sql

# What the price was is read by the statement that writes it down, from the row it locks.
RECORD = """
    INSERT INTO ecommerce_pricechange
        (product_id, old_price, old_currency, new_price, currency, changed_at, changed_by_id, reason)
    SELECT id, price, CASE WHEN currency = %(currency)s THEN '' ELSE currency END,
        %(price)s, %(currency)s, %(now)s, %(actor)s, %(reason)s
    FROM ecommerce_product
    WHERE id = ANY(%(products)s) AND (price, currency) <> (%(price)s, %(currency)s)
    ORDER BY id FOR NO KEY UPDATE
"""


def apply_prices(
    *,
    terms: ContractTerms,
    product_ids: Sequence[int],
    discount_ids: Sequence[int],
    now: datetime,
    actor_id: int | None = None,
) -> int:
    """Set these products and discounts to the contract's price and record the changes; how many prices changed.

    Three statements for any number of products, and none that touches a code: a code knows no price. Orders keep
    theirs. In the caller's transaction, under the terms' lock.
    """
    if not product_ids and not discount_ids:
        return 0
    price = terms.money.amount
    changed = run_sql(
        RECORD,
        {
            "products": list(product_ids),
            "price": price,
            "currency": terms.currency,
            "now": now,
            "actor": actor_id,
            "reason": _("Contract"),
        },
    )
    Product.objects.filter(pk__in=product_ids).update(
        price=price, currency=terms.currency, requires_code=True, updated_at=now
    )
    facts = {"redemption_type": redemption_type(terms)} if terms.needs_codes else {}
    Discount.objects.filter(pk__in=discount_ids).update(
        amount=price,
        currency=terms.currency,
        discount_type=DiscountType.FIXED_PRICE,
        payment_type=PaymentType.SALES,
        is_bulk=True,
        is_active=True,
        for_chosen_people=False,
        activates_at=None,
        expires_at=None,
        updated_at=now,
        **facts,
    )
    return changed
