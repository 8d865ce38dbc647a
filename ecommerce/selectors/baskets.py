"""The baskets of an owner, and which of them is current."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q

from ecommerce.enums import BasketKind
from ecommerce.errors.checkout import BasketUnknown, ItemUnknown
from ecommerce.models import Basket, BasketItem
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_site_id

# How long the header repeats the total that the cart page showed. Prices change, and discounts start and end.
NOTE_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BasketOwner:
    """An account on a site, or a visitor with a token in their session. With neither there is no basket yet."""

    user_id: int | None = None
    token: UUID | None = None
    site_id: int | None = field(default_factory=current_site_id)

    @property
    def exists(self) -> bool:
        return self.user_id is not None or self.token is not None

    def baskets(self) -> LockableQuerySet[Basket]:
        """Return the site's baskets of the account, or without one those of the visitor."""
        if self.site_id is None:
            return Basket.objects.none()
        if self.user_id is not None:
            return Basket.objects.filter(user_id=self.user_id, site_id=self.site_id)
        if self.token is not None:
            return Basket.objects.filter(token=self.token, site_id=self.site_id)
        return Basket.objects.none()


@dataclass(frozen=True, slots=True)
class OpenBaskets:
    """The current basket, and the ordinary one that waits behind a link basket. Items set aside aren't counted.

    The counts of programs are part of the other counts.
    """

    current: Basket | None = None
    current_count: int = 0
    current_program_count: int = 0
    waiting: Basket | None = None
    waiting_count: int = 0
    waiting_program_count: int = 0


def find_baskets(owner: BasketOwner, *, now: datetime) -> OpenBaskets:
    """Read the owner's baskets in one query. A link basket is current while it is fresh and not empty."""
    if not owner.exists:
        return OpenBaskets()
    items = Count("items", filter=Q(items__kept_at=None))
    programs = Count("items", filter=Q(items__kept_at=None, items__product__program__isnull=False))
    baskets = {basket.kind: basket for basket in owner.baskets().annotate(item_count=items, program_count=programs)}
    link, ordinary = baskets.get(BasketKind.LINK), baskets.get(BasketKind.ORDINARY)
    is_link_current = link is not None and not link.is_stale(now) and link.item_count
    current, waiting = (link, ordinary) if is_link_current else (ordinary, None)
    return OpenBaskets(
        current=current,
        current_count=current.item_count if current else 0,
        current_program_count=current.program_count if current else 0,
        waiting=waiting,
        waiting_count=waiting.item_count if waiting else 0,
        waiting_program_count=waiting.program_count if waiting else 0,
    )


def list_baskets(owner: BasketOwner, *, now: datetime) -> list[Basket]:
    """Return the owner's baskets, the current one first. A link basket that is empty or stale isn't one any more."""
    found = find_baskets(owner, now=now)
    return [basket for basket in (found.current, found.waiting) if basket is not None]


def find_basket(owner: BasketOwner, basket_id: int, *, now: datetime) -> Basket:
    """Return one of the owner's baskets. Raises BasketUnknown, also for a basket of someone else."""
    basket = next((each for each in list_baskets(owner, now=now) if each.pk == basket_id), None)
    if basket is None:
        raise BasketUnknown
    return basket


def find_item(owner: BasketOwner, basket_id: int, item_id: int, *, now: datetime) -> BasketItem:
    """Return an item of one of the owner's baskets. Raises BasketUnknown, ItemUnknown."""
    item = find_basket(owner, basket_id, now=now).items.filter(pk=item_id).first()
    if item is None:
        raise ItemUnknown
    return item


def current_basket(owner: BasketOwner, *, now: datetime) -> Basket | None:
    """Return the basket that the cart page shows."""
    return find_baskets(owner, now=now).current


def cart_count(owner: BasketOwner, *, now: datetime) -> int:
    """Count the items of the current basket. One query, or none without an owner."""
    return find_baskets(owner, now=now).current_count


@dataclass(frozen=True, slots=True)
class CartNote:
    """The cart's label in the header. `total` is None unless the cart page showed these items lately."""

    count: int = 0
    total: Money | None = None
    program_count: int = 0


def cart_note(owner: BasketOwner, *, now: datetime) -> CartNote:
    """Read the number of items and the total that the cart page last showed. One query."""
    baskets = find_baskets(owner, now=now)
    basket, count, program_count = baskets.current, baskets.current_count, baskets.current_program_count
    if basket is None or basket.noted_total is None or basket.noted_at is None or basket.noted_count != count:
        return CartNote(count=count, program_count=program_count)
    if now - basket.noted_at > NOTE_LIFE:
        return CartNote(count=count, program_count=program_count)
    total = Money(basket.noted_total, basket.noted_currency)
    return CartNote(count=count, total=total, program_count=program_count)
