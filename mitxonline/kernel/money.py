"""Money as a value: an exact amount and its currency, rounded in one place and never a float.

The number of minor units comes from the Unicode CLDR through Babel (USD 2, JPY 0, KWD 3). A gateway that counts
differently for a currency converts in its own adapter.
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

from mitxonline.kernel.shop import current_shop

K = TypeVar("K", bound=Hashable)


class CurrencyMismatch(ValueError):
    """Two currencies in one calculation. There are no exchange rates here."""

    def __init__(self, one: str, other: str) -> None:
        self.one = one
        self.other = other
        super().__init__(f"{one} and {other} can't be mixed")


@cache
def minor_digits(currency: str) -> int:
    """Return how many digits the currency has after the point. Raises ValueError for an unknown code."""
    if not is_currency(currency):
        raise ValueError(f"{currency!r} is not a currency code")
    return get_currency_precision(currency)


def read_currency(text: str) -> str:
    """Return a typed currency as it is stored: “ usd” becomes USD."""
    return text.strip().upper()


def currency_problem(currency: str) -> str | None:
    """Return a sentence that says why the shop doesn't sell in this currency, or None if it does."""
    currencies = current_shop().currencies
    if currency in currencies:
        return None
    sentence = _("“%(currency)s” is not a currency this shop sells in. Write one of %(currencies)s.")
    if len(currencies) == 1:
        sentence = _("“%(currency)s” is not a currency this shop sells in. Write %(currencies)s.")
    return sentence % {"currency": currency, "currencies": ", ".join(currencies)}


@cache
def _step(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))


@cache
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(to_locale(language))
    except (UnknownLocaleError, ValueError):  # The CLDR doesn't know every code that Django accepts.
        return Locale.parse(to_locale(settings.LANGUAGE_CODE))


@dataclass(frozen=True, slots=True, init=False)
class Money:
    """An amount in a currency, rounded half up to its minor units on creation.

    Raises TypeError for a float; ValueError for text that is not a number, NaN, infinity and an unknown currency;
    CurrencyMismatch for a calculation with another currency.
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        object.__setattr__(self, "currency", currency)
        object.__setattr__(self, "amount", _round(amount, currency))

    @classmethod
    def from_minor(cls, units: int, currency: str) -> Self:
        """Return money from a number of minor units: `from_minor(24900, "USD")` is 249.00 USD."""
        return cls(Decimal(_whole(units)).scaleb(-minor_digits(currency)), currency)

    @classmethod
    def sum(cls, amounts: Iterable[Money], currency: str) -> Self:
        total = Decimal(0)
        for money in amounts:
            if money.currency != currency:
                raise CurrencyMismatch(currency, money.currency)
            total += money.amount
        return cls(total, currency)

    @property
    def zero(self) -> Self:
        return type(self)(0, self.currency)

    @property
    def is_zero(self) -> bool:
        return self.amount == 0

    @property
    def is_negative(self) -> bool:
        return self.amount < 0

    @property
    def minor_units(self) -> int:
        """The exact amount in the smallest unit of its currency, such as cents."""
        return int(self.amount.scaleb(minor_digits(self.currency)))

    def formatted(self, locale: str | None = None) -> str:
        """Format for people, in the given locale or the active language: `$1,249.00`, `1 249,00 $`."""
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
        # A float factor is refused like a float amount.
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
    """Divide an amount in proportion to others, by largest remainder.

    The parts add up to the amount, or to the sum of the others if that is less, and no part exceeds its other. Minor
    units left over go where rounding cut off most; among equals, to the first.
    """
    units = {key: each.minor_units for key, each in over.items()}
    total = sum(units.values())
    to_divide = min(amount.minor_units, total)
    if total == 0:
        return {key: each.zero for key, each in over.items()}
    parts = {key: each * to_divide // total for key, each in units.items()}
    # The sort is stable, so the first of equals comes first.
    by_remainder = sorted(units, key=lambda key: -(units[key] * to_divide % total))
    for key in by_remainder[: to_divide - sum(parts.values())]:
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
    except InvalidOperation:  # more digits than the decimal context has
        raise ValueError(f"{amount!r} is too large an amount") from None
    return abs(rounded) if rounded == 0 else rounded  # never -0.00
