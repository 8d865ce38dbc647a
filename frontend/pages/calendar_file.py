"""The dates of a course run as a file for calendars (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from courses.models import CourseRun, Enrollment
from courses.models.run import SOURCE_TAG
from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_site_id


def find_dated_run(run_id: int, *, user_id: int | None, now: datetime) -> CourseRun | None:
    """Return a run with dates to come: one that anyone can see, or one the visitor is enrolled in."""
    public = CourseRun.objects.not_over(now).of_site(current_site_id()).exclude(run_tag=SOURCE_TAG).filter(pk=run_id)
    run = public.select_related("course").first()
    if run is None and user_id is not None:
        enrollments = Enrollment.objects.active().of(user_id).filter(run_id=run_id)
        enrollment = enrollments.filter(Q(run__end_date__isnull=True) | Q(run__end_date__gte=now))
        run = next((each.run for each in enrollment.select_related("run__course")), None)
    return run if run is not None and has_dates(run.start_date, run.end_date, now=now) else None


def has_dates(start: datetime | None, end: datetime | None, *, now: datetime) -> bool:
    """Whether there is a day to come that a calendar could show."""
    return any(moment is not None and moment > now for moment in (start, end))


def run_calendar(run: CourseRun, *, host: str, url: str, now: datetime) -> bytes:
    """Write the first and the last day of a run as all-day events, in the site's time zone like everywhere."""
    calendar = Calendar()
    calendar.add("prodid", f"-//{host}//Course dates//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for name, summary, day in _days(run):
        calendar.add_component(_event(f"run-{run.pk}-{name}@{host}", summary, day, url=url, now=now))
    file: bytes = calendar.to_ical()
    return file


def _days(run: CourseRun) -> Iterable[tuple[str, str, date]]:
    values = {"title": run.title}
    if run.start_date is not None:
        yield "start", _("%(title)s starts") % values, clock.date_of(run.start_date)
    if run.end_date is not None:
        words = _("%(title)s: last day") if run.is_self_paced else _("%(title)s ends")
        yield "end", words % values, clock.date_of(run.end_date)


def _event(uid: str, summary: str, day: date, *, url: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", now)
    event.add("dtstart", day)
    event.add("dtend", day + timedelta(days=1))  # the day after, says RFC 5545
    event.add("summary", summary)
    event.add("description", url)
    event.add("url", url)
    event.add("transp", "TRANSPARENT")
    return event
