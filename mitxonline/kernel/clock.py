"""The clock, read at the edge: views, tasks and commands ask here and pass `now` or `today` down.

Days are days of the site's own time zone (`TIME_ZONE`), whatever zone a request has activated for display.
"""

from datetime import date, datetime, time

from django.utils import timezone


def now() -> datetime:
    """This moment, aware."""
    return timezone.now()


def today() -> date:
    """Today's date where the site is."""
    return date_of(now())


def date_of(moment: datetime) -> date:
    """The site's date at that moment."""
    return moment.astimezone(timezone.get_default_timezone()).date()


def start_of_day(day: date) -> datetime:
    """The first moment of the day where the site is."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def end_of_day(day: date) -> datetime:
    """The last microsecond of the day where the site is: what ends on the 30th can be used on the 30th."""
    return datetime.combine(day, time.max, tzinfo=timezone.get_default_timezone())
