"""What things cost: pure functions over plain values, without database or clock.

Which discount counts, for each line (docs/discounts.md says the same to people):

1. A contract product is priced by a code of its own and by nothing else; such a code touches no other line
   (design 5.3).
2. Of all others that cover the line (by code or by themselves, for everyone or for chosen people; money in the line's
   own currency) the one counts that takes off the most. Discounts are never added up.
3. An amount off the cart is taken off once, spread over lines it covers by largest remainder, in proportion to their
   list prices. One counts at most, and only where the whole cart costs less with it: it goes to the lines that other
   discounts lower least, in place of those.
4. Where several take off the same: one that spends no code before one that does, then the one made first, then the
   code made first. So the order in which they came never matters.

A percentage is rounded half up to the currency's smallest unit, on each line: the total is the sum of what the lines
say. An amount off, of a line or of the cart, ends at zero; a fixed price never raises one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ecommerce.enums import AMOUNTS_OFF, DiscountType
from mitxonline.kernel.money import Money, spread


@dataclass(frozen=True, slots=True)
class Offer:
    """A discount that may be used here and now, as pricing needs it.

    ``products`` None means all; ``code_id`` None means that it applies by itself. ``amount`` is percent for
    PERCENT_OFF, else money in ``currency``.
    """

    discount_id: int
    discount_type: str
    amount: Decimal
    currency: str
    products: frozenset[int] | None
    unlocks: int | None = None
    code_id: int | None = None
    label: str = ""
    until: datetime | None = None

    @property
    def is_once(self) -> bool:
        """Whether it is taken off the cart, and not off each line."""
        return self.discount_type == DiscountType.AMOUNT_OFF and self.unlocks is None

    def covers(self, item: Item) -> bool:
        """Whether this discount may touch the item at all."""
        if item.requires_code or self.unlocks is not None:
            return self.unlocks == item.product_id
        if self.discount_type != DiscountType.PERCENT_OFF and self.currency != item.listed.currency:
            return False
        return self.products is None or item.product_id in self.products

    def off(self, listed: Money) -> Money:
        """What it takes off a list price of one line: never more than the price, never less than nothing."""
        if self.discount_type == DiscountType.PERCENT_OFF:
            off = listed * (self.amount / 100)
        elif self.discount_type in AMOUNTS_OFF:
            off = Money(self.amount, listed.currency)
        else:
            off = listed - Money(self.amount, listed.currency)
        return max(listed.zero, min(off, listed))


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be priced."""

    product_id: int
    listed: Money
    requires_code: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """What one item costs, and which discount made it so."""

    item: Item
    listed: Money
    off: Money
    offer: Offer | None

    @property
    def due(self) -> Money:
        """What is to be paid."""
        return self.listed - self.off


def price_item(item: Item, offers: Iterable[Offer]) -> Price:
    """The best price for one item that is bought alone."""
    best = max(
        (offer for offer in offers if offer.covers(item)),
        key=lambda offer: _rank(offer, item.listed),
        default=None,
    )
    if best is None or (best.off(item.listed).is_zero and best.unlocks is None):
        return Price(item=item, listed=item.listed, off=item.listed.zero, offer=None)
    return Price(item=item, listed=item.listed, off=best.off(item.listed), offer=best)


def price_items(items: Iterable[Item], offers: Iterable[Offer]) -> list[Price]:
    """The best prices for items bought together, in their order. No two of them are the same product."""
    usable = list(offers)
    plain = [price_item(item, [offer for offer in usable if not offer.is_once]) for item in items]
    best, best_rank = plain, None
    for offer in (each for each in usable if each.is_once):
        covered = sorted((price for price in plain if offer.covers(price.item)), key=_least_lowered)
        for count in range(1, len(covered) + 1):
            prices = _with_once(offer, covered[:count], plain)
            rank = (*_standing(prices, offer.currency), offer.code_id is None, *_age(offer), count)
            if best_rank is None and rank[:2] <= _standing(plain, offer.currency):
                continue
            if best_rank is None or rank > best_rank:
                best, best_rank = prices, rank
    return best


def _with_once(offer: Offer, lowered: list[Price], plain: list[Price]) -> list[Price]:
    """The prices with an amount off the cart on these lines, in place of what lowered them before."""
    listed = {price.item.product_id: price.listed for price in sorted(lowered, key=lambda each: each.item.product_id)}
    shares = spread(Money(offer.amount, offer.currency), listed)
    return [
        Price(price.item, price.listed, off=share, offer=None if share.is_zero else offer)
        if (share := shares.get(price.item.product_id)) is not None
        else price
        for price in plain
    ]


def _standing(prices: list[Price], currency: str) -> tuple[Decimal, int]:
    """How good prices are: more off first, in this currency; then fewer codes spent."""
    off = sum((price.off.amount for price in prices if price.listed.currency == currency), start=Decimal(0))
    return off, -len({price.offer.code_id for price in prices if price.offer is not None and price.offer.code_id})


def _least_lowered(price: Price) -> tuple[Decimal, int]:
    return price.off.amount, price.item.product_id


def _age(offer: Offer) -> tuple[int, int]:
    return -offer.discount_id, -(offer.code_id or 0)


def _rank(offer: Offer, listed: Money) -> tuple[Decimal, bool, int, int]:
    """More off first; then one that spends no code; then the older one."""
    return (offer.off(listed).amount, offer.code_id is None, *_age(offer))
