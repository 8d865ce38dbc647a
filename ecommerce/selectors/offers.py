"""What may lower a price: discounts that apply automatically, and codes, as pricing takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, prefetch_related_objects

from ecommerce.models import Discount, DiscountCode, DiscountPerson, Product
from ecommerce.pricing import Offer
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class Buyer:
    """What discounts for chosen people need to know of the buyer; empty where nothing is personal.

    ``discounts`` are those that name this address. They count once the address is confirmed.
    """

    email: str = ""
    is_confirmed: bool = False
    discounts: frozenset[int] = frozenset()


def find_buyer(user_id: int | None, *, discounts: Iterable[Discount], codes: Iterable[DiscountCode] = ()) -> Buyer:
    """Read what these discounts and codes need to know of the buyer; two queries, none where nothing is personal."""
    chosen = [each.pk for each in discounts if each.for_chosen_people]
    if user_id is None or not (chosen or any(is_for_one_address(code) for code in codes)):
        return Buyer()
    user = User.objects.filter(pk=user_id).only("email", "email_verified_at").first()
    if user is None:
        return Buyer()
    email = normalize_email(user.email)
    mine = DiscountPerson.objects.filter(email=email, discount__in=chosen).values_list("discount_id", flat=True)
    return Buyer(email=email, is_confirmed=user.is_email_verified, discounts=frozenset(mine) if chosen else frozenset())


def find_automatic_discounts(now: datetime, *, site_id: int | None) -> list[Discount]:
    """Return the discounts in force on a site that need no code, those for chosen people included."""
    found = list(Discount.objects.in_force(now).of_site(site_id).filter(automatic=True))
    load_products(found)
    return found


def is_for_buyer(discount: Discount, buyer: Buyer) -> bool:
    return not discount.for_chosen_people or (buyer.is_confirmed and discount.pk in buyer.discounts)


def is_for_one_address(code: DiscountCode) -> bool:
    """Whether a discount code works for one address only. For an enrollment code the contract's rule decides."""
    return bool(code.assigned_email) and code.discount.unlocks_id is None


def make_offer(discount: Discount, *, code: DiscountCode | None = None) -> Offer:
    """Describe a discount to pricing. Call ``load_products`` first."""
    products = None
    if not discount.for_all_products:
        is_limited = discount.unlocks_id is None  # one that opens a contract product names no others
        products = frozenset(product.pk for product in discount.products.all()) if is_limited else frozenset()
    return Offer(
        discount_id=discount.pk,
        discount_type=discount.discount_type,
        amount=discount.amount,
        currency=discount.currency,
        products=products,
        for_groups=discount.for_groups and discount.unlocks_id is None,
        unlocks=discount.unlocks_id,
        code_id=code.pk if code else None,
        label=discount.name if discount.unlocks_id is not None or code is None else code.text,
        until=discount.expires_at,
    )


def load_products(discounts: Sequence[Discount]) -> None:
    """Prefetch the products that discounts are limited to, in one query for all of them."""
    limited = [each for each in discounts if not each.for_all_products and each.unlocks_id is None]
    prefetch_related_objects(limited, Prefetch("products", queryset=Product.objects.only("pk")))
