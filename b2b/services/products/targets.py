"""Decide from the terms and the number of codes which codes a product needs. Pure functions."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from b2b.models import ContractTerms


@dataclass(frozen=True, slots=True)
class Stock:
    """Numbers of codes of one product.

    `counting`: active codes that serve a seat: all except those whose users have no seat any more.
    `limited` and `loose`: active codes that must become unlimited, or limited to one use.
    `spare`: inactive, unassigned and never used; only these may be switched on again.
    `idle`: active, unassigned and never used; only these may be switched off.
    `unwanted` and `past`: not redeemed, held or assigned; an order or an old use refers to the `past` ones.
    `unredeemed`: active and not redeemed, including assigned and held ones.
    """

    total: int = 0
    active: int = 0
    counting: int = 0
    limited: int = 0
    loose: int = 0
    spare: int = 0
    idle: int = 0
    unwanted: int = 0
    past: int = 0
    unredeemed: int = 0

    def above(self, cap: int | None) -> int:
        """Codes beyond the cap that stay active because someone has them."""
        return 0 if cap is None else max(self.counting - cap - self.idle, 0)


@dataclass(frozen=True, slots=True)
class CodeChange:
    """How many codes of one product to make, switch, limit or delete."""

    make: int = 0
    switch_on: int = 0
    switch_off: int = 0
    unlimit: int = 0
    limit: int = 0
    delete: int = 0
    retire: int = 0
    withdraw: int = 0

    def __bool__(self) -> bool:
        return self.total > 0

    @property
    def total(self) -> int:
        return sum(astuple(self))

    def __add__(self, other: CodeChange) -> CodeChange:
        return CodeChange(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def decide(terms: ContractTerms, stock: Stock) -> CodeChange:
    """Return the change that makes the codes of one product match the terms."""
    if not terms.active:
        return CodeChange()
    if not terms.needs_codes:
        return _without_codes(terms, stock)
    if terms.max_learners is None:
        return _without_cap(stock)
    return _with_cap(terms.max_learners, stock)


def decide_removed(stock: Stock) -> CodeChange:
    """Switch off every code of a removed run that isn't redeemed; redeemed codes stay as a record."""
    return CodeChange(withdraw=stock.unredeemed)


def _without_codes(terms: ContractTerms, stock: Stock) -> CodeChange:
    """Free single sign-on contracts: with a cap all codes stay; without one, unused codes go."""
    if terms.max_learners is not None:
        return CodeChange()
    return CodeChange(delete=stock.unwanted, retire=stock.past)


def _without_cap(stock: Stock) -> CodeChange:
    """One unlimited code that everyone shares; further active codes keep working."""
    if stock.active:
        return CodeChange(unlimit=stock.limited)
    return CodeChange(switch_on=1) if stock.spare else CodeChange(make=1)


def _with_cap(cap: int, stock: Stock) -> CodeChange:
    """One single-use code per seat."""
    missing = max(cap - stock.counting, 0)
    surplus = max(stock.counting - cap, 0)
    switch_on = min(missing, stock.spare)
    return CodeChange(
        make=missing - switch_on, switch_on=switch_on, switch_off=min(surplus, stock.idle), limit=stock.loose
    )
