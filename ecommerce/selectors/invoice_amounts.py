"""How the amounts of invoices are computed. Every line is rounded by itself, so that what is printed adds up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mitxonline.kernel.money import Money

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class LineAmounts:
    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax


def compute_line(*, unit_price: Money, seats: int, discount_percent: Decimal, tax_rate: Decimal | None) -> LineAmounts:
    """Return what a line costs: seats × unit price, less the discount, and the tax on that.

    Rounded half up to the currency's minor units (JPY has none), once for the net amount and once for the tax, on each
    line. The totals of an invoice are the sums of its lines and never computed again, so they agree with what is
    printed; the tax may differ by some cents from the rate applied to the whole.
    """
    gross = unit_price.amount * seats
    net = Money(gross * (HUNDRED - discount_percent) / HUNDRED, unit_price.currency)
    return LineAmounts(net, Money(net.amount * (tax_rate or 0) / HUNDRED, unit_price.currency))


def share_of(amount: Money, *, whole: Decimal, before: Decimal, taken: Decimal) -> Money:
    """Return the share of `taken` in an amount for the `whole`, when the shares of `before` were taken earlier.

    They count seats, or the money of a lump sum. Rounding is cumulative: whatever the steps, all of them together come
    to exactly the amount.
    """
    return _up_to(amount, before + taken, whole) - _up_to(amount, before, whole)


def _up_to(amount: Money, count: Decimal, whole: Decimal) -> Money:
    return Money(amount.amount * count / whole, amount.currency)
