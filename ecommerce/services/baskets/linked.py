"""The cart that a link of the course site asks for: just these products, and perhaps a code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ecommerce.enums import BasketKind
from ecommerce.errors.checkout import (
    AlreadyEnrolled,
    LinkedBought,
    LinkedClosed,
    LinkedEmpty,
    LinkedPartlyUnknown,
    LinkedUnknown,
)
from ecommerce.models import Basket, Product
from ecommerce.programs import ProgramTerms, describe_programs
from ecommerce.rules import NotAlreadyEnrolled, Purchase, PurchaseLine, Sellable, first_refusals
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import LIKE_A_SKU, add_products, lock_baskets_of
from mitxonline.kernel.errors import DomainError

MOST_NAMED = 5  # SKUs that a sentence names, of as many as an address holds


@dataclass(frozen=True, slots=True)
class LinkedCart:
    """The basket with the products, and why others of the link aren't in it."""

    basket: Basket
    left_out: tuple[DomainError, ...]


def fill_linked_cart(*, user_id: int, skus: Sequence[str], now: datetime) -> LinkedCart:
    """Put the products with these SKUs into the cart of an account, and keep what else is in it for later.

    Products that aren't on sale, or that the buyer has, are left out. Raises LinkedUnknown where none of the SKUs
    exists, LinkedClosed where none can be bought, and LinkedBought where the buyer has them all; then nothing has
    changed.
    """
    known = [sku.replace(" ", "+") for sku in skus]  # an unescaped plus in an address became a blank
    owner = BasketOwner(user_id=user_id)
    products = list(Product.objects.active().of_site(owner.site_id).with_item().filter(sku__in=known))
    on_sale = {product.sku for product in products}
    unknown = [sku for sku in dict.fromkeys(skus) if sku.replace(" ", "+") not in on_sale]
    named = tuple(sku for sku in unknown if LIKE_A_SKU.fullmatch(sku))[:MOST_NAMED]
    if not products:
        raise LinkedUnknown(skus=named) if named else LinkedEmpty
    refusals = _judge(products, user_id=user_id, now=now)
    open_products = [product for product in products if product.pk not in refusals]
    if not open_products:
        if all(isinstance(refusal, AlreadyEnrolled) for refusal in refusals.values()):
            raise LinkedBought(titles=tuple(product.title for product in products))
        raise LinkedClosed(reasons=tuple(str(refusal) for refusal in refusals.values()))
    with transaction.atomic():
        mine = {basket.kind: basket for basket in lock_baskets_of(user_id) if basket.site_id == owner.site_id}
        ordinary = mine.get(BasketKind.ORDINARY)
        if ordinary is not None and not all(product.requires_code for product in open_products):
            others = ordinary.items.exclude(product__in=open_products, is_group=False)
            others.filter(kept_at=None).update(kept_at=now)
        basket = add_products(owner=owner, product_ids=[product.pk for product in open_products], now=now)
    not_on_sale = [LinkedPartlyUnknown(skus=named)] if named else []
    return LinkedCart(basket, (*refusals.values(), *not_on_sale))


def _judge(products: Sequence[Product], *, user_id: int, now: datetime) -> dict[int, DomainError]:
    """Return why products can't be bought by this person, by their ids. Of a contract's product its code says more."""
    plain = [product for product in products if not product.requires_code]
    programs = describe_programs(plain, user_id=user_id, now=now)
    lines = tuple(PurchaseLine(each, None, program=programs.get(each.pk, ProgramTerms())) for each in plain)
    purchase = Purchase(lines, user_id=user_id, now=now)
    verdicts = [*NotAlreadyEnrolled().check(purchase), *Sellable().check(purchase)]
    return {product_id: refusal for (product_id, _is_group), refusal in first_refusals(verdicts).items()}
