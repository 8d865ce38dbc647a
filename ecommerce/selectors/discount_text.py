"""Discounts in words: what they take off, when, and how often."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from babel.numbers import format_percent
from django.conf import settings
from django.utils.translation import get_language, ngettext, to_locale
from django.utils.translation import gettext as _

from ecommerce.enums import DiscountType, RedemptionType
from mitxonline.kernel.dates import format_moment
from mitxonline.kernel.money import Money


def off_text(*, discount_type: str, amount: Decimal, currency: str) -> str:
    """Write what a discount does: “20% off”, “$15.00 off your cart”, “$15.00 off each course”, “price $49.00”."""
    if discount_type == DiscountType.PERCENT_OFF:
        return _("%(percent)s off") % {"percent": percent_text(amount)}
    money = Money(amount, currency).formatted()
    match DiscountType(discount_type):
        case DiscountType.AMOUNT_OFF:
            sentence = _("%(money)s off your cart")
        case DiscountType.AMOUNT_OFF_EACH:
            sentence = _("%(money)s off each course")
        case _fixed_price:
            sentence = _("price %(money)s")
    return sentence % {"money": money}


def groups_text(*, for_groups: bool) -> str:
    """Write that a discount is also for groups. Empty if it is for one person at a time."""
    return _("also for groups") if for_groups else ""


def percent_text(amount: Decimal) -> str:
    """Write a percentage without trailing zeros: “20%”, “12.5%”."""
    locale = to_locale(get_language() or settings.LANGUAGE_CODE)
    return format_percent(amount / 100, locale=locale, decimal_quantization=False)


def dates_text(starts: datetime | None, ends: datetime | None) -> str:
    """Write when a discount is valid. Empty if it always is."""
    if starts is not None and ends is not None:
        return _("From %(start)s until %(end)s.") % {"start": format_moment(starts), "end": format_moment(ends)}
    if starts is not None:
        return _("From %(start)s.") % {"start": format_moment(starts)}
    if ends is not None:
        return _("Until %(end)s.") % {"end": format_moment(ends)}
    return ""


def uses_text(*, redemption_type: str, max_uses: int | None, automatic: bool = False) -> str:
    """Write how often each code can be used."""
    if automatic:
        return _("Applies automatically")
    if max_uses == 1:
        return _("Once")
    if max_uses is not None:
        return ngettext("%(n)d time, once per person", "%(n)d times, once per person", max_uses) % {"n": max_uses}
    if redemption_type == RedemptionType.UNLIMITED:
        return _("Unlimited")
    return _("Once per person")
