"""What operators type, read strictly: each value is understood or refused with a sentence."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.enums import IntegrationType
from b2b.models.pages import FIRST_DAY, LAST_DAY, MOST_SEATS
from mitxonline.kernel.money import minor_digits

MOST_MONEY = Decimal(10) ** 9

# The documents' words, and those that were used before them.
TYPES = {
    "sso": IntegrationType.SSO,
    "non-sso": IntegrationType.NON_SSO,
    "auto": IntegrationType.SSO,
    "managed": IntegrationType.SSO,
    "code": IntegrationType.NON_SSO,
}


def read_contract_id(text: str) -> int:
    """A contract's number."""
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise CommandError(
            _("“%(text)s” is not a contract id: it is a number, which “b2b_list contracts” shows.") % {"text": text}
        )
    return int(text)


def read_date(text: str | None, option: str) -> date | None:
    """A day written as 2025-12-31."""
    if text is None:
        return None
    day = _day(text.strip())
    if day is None:
        raise CommandError(
            _("%(option)s: “%(text)s” is not a date. Write it as year, month and day: 2025-12-31.")
            % {"option": option, "text": text}
        )
    if not FIRST_DAY <= day <= LAST_DAY:
        raise CommandError(
            _("%(option)s: write a day from %(first)s to %(last)s, or none.")
            % {"option": option, "first": FIRST_DAY, "last": LAST_DAY}
        )
    return day


def refuse_dates_in_wrong_order(start: date | None, end: date | None) -> None:
    """A contract ends on its first day at the earliest."""
    if start and end and end < start:
        raise CommandError(
            _("The contract can't end (%(end)s) before it starts (%(start)s).") % {"start": start, "end": end}
        )


def read_cap(text: str | None) -> int | None:
    """A number of learners; 0 means without limit."""
    if text is None:
        return None
    written = text.strip()
    # Python reads more as a number than people do, like 1_0.
    cap = int(written) if re.fullmatch("[0-9]{1,18}", written) else -1
    if not 0 <= cap <= MOST_SEATS:
        raise CommandError(
            _("--max-learners: “%(text)s” is not a number of learners from 0 (no limit) to %(most)s.")
            % {"text": text, "most": f"{MOST_SEATS:,}"}
        )
    return cap


def read_price(text: str | None, *, currency: str) -> Decimal | None:
    """An amount of money in the currency; 0 means free."""
    if text is None:
        return None
    digits = minor_digits(currency)
    try:
        price = Decimal(text.strip()) if "_" not in text else Decimal(-1)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or not 0 <= price < MOST_MONEY:
        raise CommandError(
            _("--price: “%(text)s” is not a price. Write 0 or more, like 49.00, without a currency.") % {"text": text}
        )
    if price != round(price, digits):
        raise CommandError(
            _("--price: %(currency)s has %(digits)d digits after the point, “%(text)s” has more.")
            % {"currency": currency, "digits": digits, "text": text}
        )
    return price


def read_type(text: str) -> IntegrationType:
    """How people join."""
    try:
        return TYPES[text.strip().lower()]
    except KeyError:
        raise CommandError(
            _(
                "“%(text)s” is no integration type. Write sso (learners sign in through their organization) or "
                "non-sso (they use enrollment codes)."
            )
            % {"text": text}
        ) from None


def read_name(text: str, what: str) -> str:
    """A name that isn't empty and fits its column."""
    name = text.strip()
    if not name:
        raise CommandError(_("%(what)s needs a name.") % {"what": what})
    if len(name) > 255:
        raise CommandError(_("%(what)s: the name is longer than 255 characters.") % {"what": what})
    return name


def _day(text: str) -> date | None:
    """The day, or None where it isn't written that way or doesn't exist."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None
