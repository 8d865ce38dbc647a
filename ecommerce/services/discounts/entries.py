"""Change discounts one by one, by a code or as one that applies automatically.

What concerns a discount with several codes is refused, because it would change all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from ecommerce.enums import RedemptionType
from ecommerce.errors.admin import CodeHasPerson, LastPerson, LastProduct
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.discount_entries import DiscountEntry
from ecommerce.services.discounts.discounts import amend_discount, limit_code, pause_discounts, switch_code
from ecommerce.services.discounts.validation import DiscountDraft
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.text import normalize_email


def change_entry(*, entry: DiscountEntry, changes: Mapping[str, Any], access: DiscountAccess, now: datetime) -> None:
    """Change what is named of a draft. `max_uses` is the code's own, and stays 1 for one that can be used once."""
    columns = {name: value for name, value in changes.items() if name != "max_uses"}
    with transaction.atomic():
        if columns:
            amend_discount(
                discount_id=entry.discount.pk, amend=lambda draft: replace(draft, **columns), access=access, now=now
            )
        if "max_uses" in changes and entry.code is not None:
            is_once = entry.discount.redemption_type == RedemptionType.ONE_TIME
            limit_code(code_id=entry.code.pk, max_uses=1 if is_once else changes["max_uses"], access=access)


def pause_entry(*, entry: DiscountEntry, access: DiscountAccess) -> None:
    """Pause the code, or the discount that applies without one."""
    if entry.code is not None:
        switch_code(code_id=entry.code.pk, active=False, access=access)
    else:
        pause_discounts(discount_ids=[entry.discount.pk], access=access)


def change_people(
    *, entry: DiscountEntry, add: str = "", remove: str = "", access: DiscountAccess, now: datetime
) -> None:
    """Add and remove an address that a discount is for. With its first one it is only for the people named.

    Raises LastPerson, CodeHasPerson, and NotFound if it isn't for the one to remove.
    """
    if entry.code is not None and entry.code.assigned_email:
        raise CodeHasPerson

    def amend(draft: DiscountDraft) -> DiscountDraft:
        people = dict.fromkeys(map(normalize_email, draft.people))
        if remove:
            if normalize_email(remove) not in people:
                raise NotFound
            del people[normalize_email(remove)]
        if add:
            people[normalize_email(add)] = None
        if not people:
            raise LastPerson
        return replace(draft, for_chosen_people=True, people=tuple(people))

    amend_discount(discount_id=entry.discount.pk, amend=amend, access=access, now=now)


def change_products(
    *,
    entry: DiscountEntry,
    add: int | None = None,
    remove: int | None = None,
    access: DiscountAccess,
    now: datetime,
) -> None:
    """Add and remove a product that a discount is for. With its first one it is no longer for all products.

    Raises LastProduct, and NotFound if it isn't for the one to remove.
    """

    def amend(draft: DiscountDraft) -> DiscountDraft:
        products = {} if draft.for_all_products else dict.fromkeys(draft.product_ids)
        if remove is not None:
            if remove not in products:
                raise NotFound
            del products[remove]
        if add is not None:
            products[add] = None
        if not products:
            raise LastProduct
        return replace(draft, for_all_products=False, product_ids=tuple(products))

    amend_discount(discount_id=entry.discount.pk, amend=amend, access=access, now=now)
