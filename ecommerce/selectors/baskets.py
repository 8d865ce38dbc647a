"""Whose basket, and which one is current."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q

from ecommerce.enums import BasketKind
from ecommerce.models import Basket
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money

# How long a total that was shown is repeated; prices change, and discounts begin and end.
NOTE_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BasketOwner:
    """An account, or a visitor known by the token in their session. Neither: someone without a basket yet."""

    user_id: int | None = None
    token: UUID | None = None

    @property
    def exists(self) -> bool:
        """Whether there is anyone to own a basket."""
        return self.user_id is not None or self.token is not None

    def baskets(self) -> LockableQuerySet[Basket]:
        """The owner's baskets: of the account where there is one, else of the visitor."""
        if self.user_id is not None:
            return Basket.objects.filter(user_id=self.user_id)
        if self.token is not None:
            return Basket.objects.filter(token=self.token)
        return Basket.objects.none()


@dataclass(frozen=True, slots=True)
class OpenBaskets:
    """The current basket, and the ordinary one that waits behind a link basket. Counted is what would be bought."""

    current: Basket | None = None
    current_count: int = 0
    waiting: Basket | None = None
    waiting_count: int = 0


def open_baskets(owner: BasketOwner, *, now: datetime) -> OpenBaskets:
    """The owner's baskets in one query: a link basket is current while it is fresh and not empty."""
    if not owner.exists:
        return OpenBaskets()
    to_be_bought = Count("items", filter=Q(items__kept_at=None))
    found = {basket.kind: basket for basket in owner.baskets().annotate(item_count=to_be_bought)}
    link, ordinary = found.get(BasketKind.LINK), found.get(BasketKind.ORDINARY)
    if link is None or link.is_stale(now) or not link.item_count:
        return OpenBaskets(current=ordinary, current_count=ordinary.item_count if ordinary else 0)
    return OpenBaskets(
        current=link,
        current_count=link.item_count,
        waiting=ordinary,
        waiting_count=ordinary.item_count if ordinary else 0,
    )


def current_basket(owner: BasketOwner, *, now: datetime) -> Basket | None:
    """The basket the cart page shows, or None."""
    return open_baskets(owner, now=now).current


def cart_count(owner: BasketOwner, *, now: datetime) -> int:
    """How many things are in the current basket; one query, none for someone without a basket."""
    return open_baskets(owner, now=now).current_count


@dataclass(frozen=True, slots=True)
class CartNote:
    """What a page's header says of the cart. The total is None where it wasn't shown lately, or something is new."""

    count: int = 0
    total: Money | None = None


def cart_note(owner: BasketOwner, *, now: datetime) -> CartNote:
    """How many things are in the current basket and what they cost when the cart was last shown; one query."""
    baskets = open_baskets(owner, now=now)
    basket, count = baskets.current, baskets.current_count
    if basket is None or basket.noted_total is None or basket.noted_at is None or basket.noted_count != count:
        return CartNote(count=count)
    if now - basket.noted_at > NOTE_LIFE:
        return CartNote(count=count)
    return CartNote(count=count, total=Money(basket.noted_total, basket.noted_currency))
