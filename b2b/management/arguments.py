"""Values that operators type, as argparse types: each is understood or refused with a sentence."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.enums import IntegrationType
from b2b.models.pages import FIRST_DAY, LAST_DAY, MAX_SEATS
from mitxonline.kernel.money import minor_digits

MAX_MONEY = Decimal(10) ** 9

# The documents' words, and those that were used before them.
TYPES = {
    "sso": IntegrationType.SSO,
    "non-sso": IntegrationType.NON_SSO,
    "auto": IntegrationType.SSO,
    "managed": IntegrationType.SSO,
    "code": IntegrationType.NON_SSO,
}


def add_dry_run_option(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")


def contract_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        sentence = _("“%(text)s” is not a contract id: it is a number, which “b2b_list contracts” shows.")
        raise ArgumentTypeError(sentence % {"text": text})
    return int(text)


def day(text: str) -> date:
    try:
        found = date.fromisoformat(text.strip()) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) else None
    except ValueError:
        found = None
    if found is None:
        sentence = _("“%(text)s” is not a date. Write it as year, month and day: 2025-12-31.")
        raise ArgumentTypeError(sentence % {"text": text})
    if not FIRST_DAY <= found <= LAST_DAY:
        sentence = _("write a day from %(first)s to %(last)s, or none.")
        raise ArgumentTypeError(sentence % {"first": FIRST_DAY, "last": LAST_DAY})
    return found


def learner_cap(text: str) -> int:
    """A number of learners; 0 means no limit."""
    # int() reads more as a number than people do, like 1_0.
    cap = int(text) if re.fullmatch(r"\s*[0-9]{1,18}\s*", text) else -1
    if not 0 <= cap <= MAX_SEATS:
        sentence = _("“%(text)s” is not a number of learners from 0 (no limit) to %(most)s.")
        raise ArgumentTypeError(sentence % {"text": text, "most": f"{MAX_SEATS:,}"})
    return cap


def price(text: str) -> Decimal:
    """An amount of money; 0 means free. Its digits are checked once the currency is known (``refuse_digits``)."""
    try:
        amount = Decimal(text.strip()) if "_" not in text else Decimal(-1)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount < MAX_MONEY:
        sentence = _("“%(text)s” is not a price. Write 0 or more, like 49.00, without a currency.")
        raise ArgumentTypeError(sentence % {"text": text})
    return amount


def integration_type(text: str) -> IntegrationType:
    try:
        return TYPES[text.strip().lower()]
    except KeyError:
        sentence = _(
            "“%(text)s” is no integration type. Write sso (learners sign in through their organization) or "
            "non-sso (they use enrollment codes)."
        )
        raise ArgumentTypeError(sentence % {"text": text}) from None


def name_of(what: str) -> Callable[[str], str]:
    """Return a type for names of this: not empty, and short enough for their column."""

    def name(text: str) -> str:
        stripped = text.strip()
        if not stripped:
            raise ArgumentTypeError(_("%(what)s needs a name.") % {"what": what})
        if len(stripped) > 255:
            raise ArgumentTypeError(_("%(what)s: the name is longer than 255 characters.") % {"what": what})
        return stripped

    return name


def refuse_digits(amount: Decimal | None, *, currency: str) -> None:
    """Raise CommandError for a price with more digits than its currency has."""
    digits = minor_digits(currency)
    if amount is not None and amount != round(amount, digits):
        raise CommandError(
            _("--price: %(currency)s has %(digits)d digits after the point, “%(text)s” has more.")
            % {"currency": currency, "digits": digits, "text": amount}
        )


def refuse_dates_in_wrong_order(start: date | None, end: date | None) -> None:
    """Raise CommandError for a contract that ends before it starts."""
    if start and end and end < start:
        raise CommandError(
            _("The contract can't end (%(end)s) before it starts (%(start)s).") % {"start": start, "end": end}
        )
