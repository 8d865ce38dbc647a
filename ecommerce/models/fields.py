"""Columns for money, and the rule for every amount that staff enter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from mitxonline.kernel.money import minor_digits

# Gateways take no more than this, whatever the currency.
MAX_AMOUNT = Decimal(10) ** 8


def amount_field(verbose_name: Any, **options: Any) -> models.DecimalField[Any, Any]:
    """Make a column for an amount. It has three decimals, so that the minor units of every currency fit."""
    return models.DecimalField(verbose_name, max_digits=12, decimal_places=3, **options)


def currency_field(verbose_name: Any, **options: Any) -> models.CharField[Any, Any]:
    """Make a column for an ISO 4217 code."""
    return models.CharField(verbose_name, max_length=3, **options)


def find_amount_problem(amount: Decimal | None, currency: str) -> str | None:
    """Return why an amount can't be charged in its currency: it is out of range, or would be rounded.

    A missing amount and one that isn't a number are left to the field, which reports them.
    """
    if amount is None or not amount.is_finite():
        return None
    digits = minor_digits(currency)
    if amount < 0:
        return _("The amount can’t be negative.")
    if amount >= MAX_AMOUNT:
        return _("The amount must be below 100,000,000.")
    if amount != round(amount, digits):
        sentence = _("Amounts in %(currency)s have at most %(digits)d decimals.")
        return sentence % {"currency": currency, "digits": digits}
    return None
