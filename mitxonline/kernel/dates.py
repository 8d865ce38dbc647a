"""How days and times are written, on pages, in files and in e-mails.

A day is a day in the site's time zone, whatever zone its reader is in, because deadlines are kept there. The short form
leaves out the year if it is this year's. A time is written with its zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from mitxonline.kernel import clock


def format_day(value: date) -> str:
    """“12 January 2027”."""
    return date_format(_day_of(value), "DATE_FORMAT")


def format_short_day(value: date, *, today: date) -> str:
    """“12 Jan”, or “12 Jan 2027” in another year."""
    day = _day_of(value)
    if day.year != today.year:
        return date_format(day, "SHORT_DATE_FORMAT")
    return date_format(day, pgettext("a short day of this year, in the letters of Django’s date filter", "j M"))


def format_deadline(value: date, *, today: date) -> str:
    """“12 January”, or “12 January 2027” in another year."""
    day = _day_of(value)
    return date_format(day, "MONTH_DAY_FORMAT" if day.year == today.year else "DATE_FORMAT")


def format_span(first: date, last: date) -> str:
    """“16 February – 12 April 2026”, with both years if they differ."""
    begins, ends = _day_of(first), _day_of(last)
    start = date_format(begins, "MONTH_DAY_FORMAT" if begins.year == ends.year else "DATE_FORMAT")
    return pgettext("from one day to another", "%(start)s – %(end)s") % {"start": start, "end": format_day(ends)}


def format_month(value: date) -> str:
    """“January”."""
    return date_format(_day_of(value), pgettext("a month, in the letters of Django’s date filter", "F"))


def format_month_of_year(value: date) -> str:
    """“January 2027”."""
    return date_format(_day_of(value), "YEAR_MONTH_FORMAT")


def format_moment(moment: datetime, *, zone: tzinfo | None = None) -> str:
    """“12 January 2027, 09:30 UTC”, in the site's time zone unless another is given."""
    return _name_offset(date_format(_in_zone(moment, zone), "DATETIME_FORMAT"))


def format_time(moment: datetime, *, zone: tzinfo | None = None) -> str:
    """“09:30 UTC”, in the site's time zone unless another is given."""
    return _name_offset(date_format(_in_zone(moment, zone), "TIME_FORMAT"))


def format_second(moment: datetime, *, zone: tzinfo | None = None) -> str:
    """“2027-01-12 09:30:05 UTC”, for lists in which seconds tell what came first."""
    return _name_offset(_in_zone(moment, zone).strftime("%Y-%m-%d %H:%M:%S %Z"))


def _day_of(value: date) -> date:
    return clock.date_of(value) if isinstance(value, datetime) else value


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone(zone or timezone.get_default_timezone())


def _name_offset(text: str) -> str:
    # Zones without an abbreviation of their own are named by their offset alone: “-03”.
    return re.sub(r" ([+-]\d{2,4})$", r" UTC\1", text)
