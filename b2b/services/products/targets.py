"""What the terms ask of a product's codes, as a pure function of how many there are (design 5.2)."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from b2b.models import ContractTerms


@dataclass(frozen=True, slots=True)
class Stock:
    """The codes of one product, as counted.

    ``counting``: active codes that serve a seat, which is all but those whose user holds no seat any more.
    ``limited`` and ``loose``: active codes that don't fit “without limit” and “one use each”.
    ``spare``: switched off, unassigned and never used; the ones that may be switched on again.
    ``idle``: active, unassigned and never used; the only ones that may be switched off.
    ``unwanted`` and ``past``: not redeemed, held or assigned; the latter are named by an order or a past use.
    ``unredeemed``: active and not redeemed, assigned and held ones included.
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
        """Codes beyond the cap that stay on, because someone has them."""
        return 0 if cap is None else max(self.counting - cap - self.idle, 0)


@dataclass(frozen=True, slots=True)
class CodeChange:
    """What is to be done to the codes of one product; nothing by default."""

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
        """How many codes are touched."""
        return sum(astuple(self))

    def __add__(self, other: CodeChange) -> CodeChange:
        return CodeChange(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def decide(terms: ContractTerms, stock: Stock) -> CodeChange:
    """What brings the codes of one product in line with the terms; nothing where they are."""
    if not terms.active:
        return CodeChange()
    if not terms.needs_codes:
        return _without_codes(terms, stock)
    if terms.max_learners is None:
        return _without_cap(stock)
    return _with_cap(terms.max_learners, stock)


def decide_removed(stock: Stock) -> CodeChange:
    """A run that was removed from its contract opens nothing any more; who redeemed keeps the trace (design 5.1)."""
    return CodeChange(withdraw=stock.unredeemed)


def _without_codes(terms: ContractTerms, stock: Stock) -> CodeChange:
    """Single sign-on and free: without a cap nothing is kept that no one uses; with one, all stays."""
    if terms.max_learners is not None:
        return CodeChange()
    return CodeChange(delete=stock.unwanted, retire=stock.past)


def _without_cap(stock: Stock) -> CodeChange:
    """One code that everyone shares, without limit; more of them, once there, are left working."""
    if stock.active:
        return CodeChange(unlimit=stock.limited)
    return CodeChange(switch_on=1) if stock.spare else CodeChange(make=1)


def _with_cap(cap: int, stock: Stock) -> CodeChange:
    """One code for each seat, one use for each code."""
    missing = max(cap - stock.counting, 0)
    surplus = max(stock.counting - cap, 0)
    on_again = min(missing, stock.spare)
    return CodeChange(
        make=missing - on_again, switch_on=on_again, switch_off=min(surplus, stock.idle), limit=stock.loose
    )
