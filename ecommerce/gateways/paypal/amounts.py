"""Money as PayPal writes it: a text, with the digits that PayPal knows for the currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ecommerce.gateways.base import PaymentFailed
from mitxonline.kernel.money import Money

# developer.paypal.com/api/rest/reference/currency-codes
_KNOWN = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD"
CURRENCIES = frozenset(_KNOWN.split())
# PayPal takes no fractions of these, whatever the currency itself knows.
NO_DIGITS = frozenset({"HUF", "JPY", "TWD"})


def write_amount(money: Money) -> dict[str, str]:
    """Return an amount as PayPal reads it. Raises PaymentFailed for what PayPal can't take."""
    step = Decimal(1) if money.currency in NO_DIGITS else Decimal("0.01")
    if money.currency not in CURRENCIES or money.amount != money.amount.quantize(step):
        raise PaymentFailed(f"{money} can't be paid with PayPal", retriable=False, code="amount_uncounted")
    return {"currency_code": money.currency, "value": str(money.amount.quantize(step))}


def read_amount(content: Mapping[str, Any]) -> Money:
    """Return PayPal's amount as money. Raises ValueError, KeyError or ArithmeticError for what isn't one."""
    value = Decimal(str(content["value"]))
    if not value.is_finite():
        raise ValueError("not an amount")
    return Money(value, str(content["currency_code"]))
