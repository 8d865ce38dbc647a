"""Money as a value: an exact amount and its currency, rounded in one place and never a float.

The number of minor units comes from the Unicode CLDR through Babel (USD 2, JPY 0, KWD 3). A gateway that
counts differently for some currency converts in its own adapter; nothing else in the project knows about
minor units.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Self, TypeVar

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, get_currency_precision, is_currency
from django.conf import settings
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

K = TypeVar("K", bound=Hashable)


class CurrencyMismatch(ValueError):
    """Two currencies met in one calculation; there is no exchange rate here."""

    def __init__(self, one: str, other: str) -> None:
        self.one = one
        self.other = other
        super().__init__(f"{one} and {other} can't be mixed")


@cache
def minor_digits(currency: str) -> int:
    """How many digits the currency has after the point; ValueError for an unknown code."""
    if not is_currency(currency):
        raise ValueError(f"{currency!r} is not a currency code")
    return get_currency_precision(currency)


def read_currency(text: str) -> str:
    """A currency as it is stored, from what was typed: “ usd” is USD."""
    return text.strip().upper()


def currency_problem(currency: str) -> str | None:
    """Why nothing can be priced in this currency, in a sentence; None for one the shop sells in."""
    if currency in settings.CURRENCIES:
        return None
    sentence = _("“%(currency)s” is not a currency this shop sells in. Write one of %(currencies)s.")
    if len(settings.CURRENCIES) == 1:
        sentence = _("“%(currency)s” is not a currency this shop sells in. Write %(currencies)s.")
    return sentence % {"currency": currency, "currencies": ", ".join(settings.CURRENCIES)}


@cache
def _step(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))


@cache
def _locale(language: str) -> Locale:
    """The CLDR locale of a Django language code; the site's own where the code has none."""
    try:
        return Locale.parse(to_locale(language))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(to_locale(settings.LANGUAGE_CODE))


@dataclass(frozen=True, slots=True, init=False)
class Money:
    """An amount in a currency, rounded half up to its minor units when it is made.

    Raises TypeError for a float, ValueError for text that is no number, for NaN and infinity and for an
    unknown currency, CurrencyMismatch where two currencies meet.
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        object.__setattr__(self, "currency", currency)
        object.__setattr__(self, "amount", _round(amount, currency))

    @classmethod
    def from_minor(cls, units: int, currency: str) -> Self:
        """Money from the smallest unit: `from_minor(24900, "USD")` is 249.00 USD."""
        return cls(Decimal(_whole(units)).scaleb(-minor_digits(currency)), currency)

    @classmethod
    def sum(cls, amounts: Iterable[Money], currency: str) -> Self:
        """The sum of the amounts; of none, zero in that currency."""
        total = Decimal(0)
        for money in amounts:
            if money.currency != currency:
                raise CurrencyMismatch(currency, money.currency)
            total += money.amount
        return cls(total, currency)

    @property
    def zero(self) -> Self:
        """Nothing, in the same currency."""
        return type(self)(0, self.currency)

    @property
    def is_zero(self) -> bool:
        return self.amount == 0

    @property
    def is_negative(self) -> bool:
        return self.amount < 0

    @property
    def minor_units(self) -> int:
        """The amount in the smallest unit of its currency (cents), exactly."""
        return int(self.amount.scaleb(minor_digits(self.currency)))

    def formatted(self, locale: str | None = None) -> str:
        """As a person reads it, in the given locale or the active language: `$1,249.00`, `1 249,00 $`."""
        language = locale or get_language() or settings.LANGUAGE_CODE
        return format_currency(self.amount, self.currency, locale=_locale(language))

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __add__(self, other: Money) -> Self:
        return type(self)(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Self:
        return type(self)(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Self:
        return type(self)(-self.amount, self.currency)

    def __mul__(self, factor: int | Decimal) -> Self:
        """The amount times a number, rounded half up; a float factor is refused like a float amount."""
        if isinstance(factor, bool) or not isinstance(factor, int | Decimal):
            return NotImplemented
        return type(self)(self.amount * factor, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def _same(self, other: Money) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"Money meets {type(other).__name__}; only Money can be added or compared")
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount


def spread(amount: Money, over: Mapping[K, Money]) -> dict[K, Money]:
    """Divide an amount in proportion to others, to the smallest unit, by largest remainder.

    The parts add up to the amount, or to the sum of the others if that is less; no part is more than its other. Units
    that can't be divided go where most was cut off; of equals to the first.
    """
    units = {key: each.minor_units for key, each in over.items()}
    total = sum(units.values())
    wanted = min(amount.minor_units, total)
    if total == 0:
        return {key: each.zero for key, each in over.items()}
    parts = {key: each * wanted // total for key, each in units.items()}
    by_remainder = sorted(units, key=lambda key: -(units[key] * wanted % total))  # stable
    for key in by_remainder[: wanted - sum(parts.values())]:
        parts[key] += 1
    return {key: Money.from_minor(part, amount.currency) for key, part in parts.items()}


def _whole(units: object) -> int:
    if isinstance(units, bool) or not isinstance(units, int):
        raise TypeError(f"Minor units are a whole number, never {type(units).__name__}")
    return units


def _round(amount: Decimal | int | str, currency: str) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise TypeError(f"Money is made of Decimal, int or text, never of {type(amount).__name__}")
    try:
        exact = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount") from None
    if not exact.is_finite():
        raise ValueError(f"{amount!r} is not an amount")
    step = _step(currency)
    try:
        rounded = exact.quantize(step, ROUND_HALF_UP)
    except InvalidOperation:  # more digits than can be counted with
        raise ValueError(f"{amount!r} is too large an amount") from None
    return abs(rounded) if rounded == 0 else rounded  # no "-0.00" on a receipt
