"""Prices as pure functions over plain values, without database or clock.

Which discount counts for each line (docs/discounts.md explains it to staff):

1. A contract product is priced by its own code and by nothing else; such a code touches no other line.
2. Of all other discounts that cover the line, in its currency, the one that takes off the most counts. Discounts are
   never added up, whether they need a code or not and whoever they are for.
3. An amount off the cart is taken off once, spread over the lines it covers by largest remainder, in proportion to
   their list prices. At most one counts, and only where the whole cart costs less with it: it goes to the lines that
   other discounts lower least, in place of those.
4. Of discounts that take off the same, one that spends no code comes first, then the older discount, then the older
   code. So the order in which they are given never matters.

Seats for a group are one line, which only discounts that are also for groups cover: a percentage comes off all seats
together, an amount off each course and a fixed price count for each seat, an amount off the cart counts once.

Courses of a program that the buyer has already come off first, by their list prices (``Item.deduction``); discounts
lower what is left.

A percentage is rounded half up to the currency's smallest unit on each line, so that the total is the sum of the lines.
An amount off never makes a price negative; a fixed price never raises one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ecommerce.enums import AMOUNTS_OFF, DiscountType
from ecommerce.models.product import LineKey
from mitxonline.kernel.money import Money, spread


@dataclass(frozen=True, slots=True)
class Offer:
    """A discount that may be used now, as pricing needs it.

    ``products`` None means all; ``code_id`` None means that it applies automatically. ``amount`` is percent for
    PERCENT_OFF, else money in ``currency``.
    """

    discount_id: int
    discount_type: str
    amount: Decimal
    currency: str
    products: frozenset[int] | None
    for_groups: bool = False
    unlocks: int | None = None
    code_id: int | None = None
    label: str = ""
    until: datetime | None = None

    @property
    def is_once(self) -> bool:
        """Whether it is taken off the cart, not off each line."""
        return self.discount_type == DiscountType.AMOUNT_OFF and self.unlocks is None

    def covers(self, item: Item) -> bool:
        return self.fits(item) and (self.for_groups or item.seats is None)

    def fits(self, item: Item) -> bool:
        """Whether it is for this product, for whomever it is bought."""
        if self.discount_type != DiscountType.PERCENT_OFF and self.currency != item.listed.currency:
            return False
        if item.requires_code or self.unlocks is not None:
            return self.unlocks == item.product_id
        return self.products is None or item.product_id in self.products

    def discount_on(self, item: Item) -> Money:
        """Return what is taken off one line before other discounts: at least nothing, at most the whole price."""
        base = item.base
        if self.discount_type == DiscountType.PERCENT_OFF:
            discount = base * (self.amount / 100)
        elif self.discount_type in AMOUNTS_OFF:
            discount = Money(self.amount, base.currency) * (1 if self.is_once else item.count)
        else:
            discount = base - Money(self.amount, base.currency) * item.count
        return max(base.zero, min(discount, base))


@dataclass(frozen=True, slots=True)
class Item:
    """A product to price. ``deduction`` comes off first, for what the buyer already has.

    With ``seats`` it is for a group, and ``listed`` is the price of all seats together.
    """

    product_id: int
    listed: Money
    requires_code: bool = False
    deduction: Money | None = None
    seats: int | None = None

    @property
    def key(self) -> LineKey:
        return self.product_id, self.seats is not None

    @property
    def count(self) -> int:
        """How often an amount off each course comes off, or a fixed price is paid."""
        return self.seats or 1

    @property
    def base(self) -> Money:
        """What discounts lower: never less than nothing."""
        return self.listed if self.deduction is None else max(self.listed.zero, self.listed - self.deduction)


@dataclass(frozen=True, slots=True)
class Price:
    """What one item costs, and the offer that lowered it by ``discount``."""

    item: Item
    discount: Money
    offer: Offer | None

    @property
    def listed(self) -> Money:
        return self.item.listed

    @property
    def deduction(self) -> Money:
        return self.listed - self.item.base

    @property
    def due(self) -> Money:
        return self.item.base - self.discount


def price_item(item: Item, offers: Iterable[Offer]) -> Price:
    """Return the best price for one item that is bought alone."""
    best = max(
        (offer for offer in offers if offer.covers(item)),
        key=lambda offer: (offer.discount_on(item).amount, *_precedence(offer)),
        default=None,
    )
    # A contract's code counts even where it takes nothing off: the product can't be bought without it.
    if best is None or (best.discount_on(item).is_zero and best.unlocks is None):
        return Price(item, discount=item.listed.zero, offer=None)
    return Price(item, discount=best.discount_on(item), offer=best)


def price_items(items: Iterable[Item], offers: Iterable[Offer]) -> list[Price]:
    """Return the best prices for different items bought together, in their order."""
    usable = list(offers)
    plain = [price_item(item, [offer for offer in usable if not offer.is_once]) for item in items]
    best, best_rank = plain, None
    for offer in (each for each in usable if each.is_once):
        covered = sorted(
            (price for price in plain if offer.covers(price.item)),
            key=lambda price: (price.discount.amount, price.item.key),
        )
        # Lines that other discounts lower least give up the least. How many to take is tried out: one line too many
        # can cost more than its share of the amount brings.
        for count in range(1, len(covered) + 1):
            prices = _take_off_once(offer, covered[:count], plain)
            worth = _worth(prices, offer.currency)
            rank = (*worth, *_precedence(offer), count)
            is_better = rank > best_rank if best_rank is not None else worth > _worth(plain, offer.currency)
            if is_better:
                best, best_rank = prices, rank
    return best


def _take_off_once(offer: Offer, lowered: list[Price], plain: list[Price]) -> list[Price]:
    """Spread an amount off the cart over these lines, in place of what lowered them before."""
    bases = {price.item.key: price.item.base for price in sorted(lowered, key=lambda each: each.item.key)}
    shares = spread(Money(offer.amount, offer.currency), bases)
    prices = []
    for price in plain:
        share = shares.get(price.item.key)
        if share is None:
            prices.append(price)
        else:
            prices.append(Price(price.item, discount=share, offer=None if share.is_zero else offer))
    return prices


def _worth(prices: list[Price], currency: str) -> tuple[Decimal, int]:
    """Compare carts: more off in this currency is better, then fewer codes spent."""
    discount = sum((price.discount.amount for price in prices if price.listed.currency == currency), start=Decimal(0))
    return discount, -len({price.offer.code_id for price in prices if price.offer is not None and price.offer.code_id})


def _precedence(offer: Offer) -> tuple[bool, int, int]:
    """Compare offers that take off the same: no code, then the older discount, then the older code is better."""
    return offer.code_id is None, -offer.discount_id, -(offer.code_id or 0)
