"""What an operator types, made into what services take; anything else is refused in a sentence."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from mitxonline.kernel import clock


def read_amount(text: str, *, option: str) -> Decimal:
    """A number with a point; no signs, no thousands."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        sentence = _("%(option)s “%(text)s” is not a number. Write it like 20 or 19.90.")
        raise CommandError(sentence % {"option": option, "text": text})
    return amount


def read_number(text: str, *, option: str) -> int:
    """A whole number, one at the least."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        sentence = _("%(option)s “%(text)s” is not a whole number from 1.")
        raise CommandError(sentence % {"option": option, "text": text})
    return int(text)


def read_moment(text: str | None, *, option: str, is_end: bool) -> datetime | None:
    """A day (as an end: its last moment), or a moment; where no zone is given, in the site's."""
    if not text:
        return None
    try:
        if len(text) == len("2026-06-30"):
            day = date.fromisoformat(text)
            return clock.end_of_day(day) if is_end else clock.start_of_day(day)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        sentence = _("%(option)s “%(text)s” is not a day. Write it like 2026-06-30, or 2026-06-30T18:00+02:00.")
        raise CommandError(sentence % {"option": option, "text": text}) from None
    return moment if moment.tzinfo is not None else timezone.make_aware(moment, timezone.get_default_timezone())
