"""The baskets of an owner, and which of them is current."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q

from ecommerce.enums import BasketKind
from ecommerce.models import Basket
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money

# How long the header repeats the total that the cart page showed. Prices change, and discounts start and end.
NOTE_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BasketOwner:
    """An account, or a visitor with a token in their session. With neither there is no basket yet."""

    user_id: int | None = None
    token: UUID | None = None

    @property
    def exists(self) -> bool:
        return self.user_id is not None or self.token is not None

    def baskets(self) -> LockableQuerySet[Basket]:
        """Return the baskets of the account, or without one those of the visitor."""
        if self.user_id is not None:
            return Basket.objects.filter(user_id=self.user_id)
        if self.token is not None:
            return Basket.objects.filter(token=self.token)
        return Basket.objects.none()


@dataclass(frozen=True, slots=True)
class OpenBaskets:
    """The current basket, and the ordinary one that waits behind a link basket. Items set aside aren't counted."""

    current: Basket | None = None
    current_count: int = 0
    waiting: Basket | None = None
    waiting_count: int = 0


def find_baskets(owner: BasketOwner, *, now: datetime) -> OpenBaskets:
    """Read the owner's baskets in one query. A link basket is current while it is fresh and not empty."""
    if not owner.exists:
        return OpenBaskets()
    item_count = Count("items", filter=Q(items__kept_at=None))
    baskets = {basket.kind: basket for basket in owner.baskets().annotate(item_count=item_count)}
    link, ordinary = baskets.get(BasketKind.LINK), baskets.get(BasketKind.ORDINARY)
    if link is None or link.is_stale(now) or not link.item_count:
        return OpenBaskets(current=ordinary, current_count=ordinary.item_count if ordinary else 0)
    return OpenBaskets(
        current=link,
        current_count=link.item_count,
        waiting=ordinary,
        waiting_count=ordinary.item_count if ordinary else 0,
    )


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


def cart_note(owner: BasketOwner, *, now: datetime) -> CartNote:
    """Read the number of items and the total that the cart page last showed. One query."""
    baskets = find_baskets(owner, now=now)
    basket, count = baskets.current, baskets.current_count
    if basket is None or basket.noted_total is None or basket.noted_at is None or basket.noted_count != count:
        return CartNote(count=count)
    if now - basket.noted_at > NOTE_LIFE:
        return CartNote(count=count)
    return CartNote(count=count, total=Money(basket.noted_total, basket.noted_currency))
