from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from b2b.models import ContractTerms
from b2b.services.products.runs import redemption_type
from ecommerce.enums import PaymentType
from ecommerce.services.catalog.batches import set_prices
from ecommerce.services.discounts.batches import set_discount_prices


def apply_prices(
    *,
    terms: ContractTerms,
    product_ids: Sequence[int],
    discount_ids: Sequence[int],
    now: datetime,
    by_id: int | None = None,
) -> int:
    """Set these products and discounts to the contract's price, record the changes, and return how many changed.

    Three statements for any number of products. Codes have no price, and orders keep theirs. The caller holds the lock
    of the terms.
    """
    if not product_ids and not discount_ids:
        return 0
    changed = set_prices(product_ids, price=terms.money, reason=_("Contract price changed"), by_id=by_id, now=now)
    redemption = redemption_type(terms) if terms.needs_codes else None
    set_discount_prices(
        discount_ids, price=terms.money, payment_type=PaymentType.SALES, redemption_type=redemption, now=now
    )
    return changed
