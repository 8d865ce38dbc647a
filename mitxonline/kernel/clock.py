"""The clock. Only views, tasks and commands read it; they pass `now` or `today` down.

Days are days in the site's time zone (`TIME_ZONE`), whatever zone a request has activated for display.
"""

from datetime import date, datetime, time

from django.utils import timezone


def now() -> datetime:
    return timezone.now()


def today() -> date:
    return date_of(now())


def date_of(moment: datetime) -> date:
    return moment.astimezone(timezone.get_default_timezone()).date()


def start_of_day(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def end_of_day(day: date) -> datetime:
    # What ends on the 30th can still be used on the 30th.
    return datetime.combine(day, time.max, tzinfo=timezone.get_default_timezone())
