"""Dates of runs as pages show them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courses.models import Course, CourseRun


def day_text(moment: datetime) -> str:
    """The day of a moment in the site’s time zone."""
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


def span_text(start: datetime, end: datetime) -> str:
    """From one day to another: “16 February – 12 April 2026”, with both years if they differ."""
    first, last = timezone.localtime(start), timezone.localtime(end)
    begins = date_format(first, "MONTH_DAY_FORMAT" if first.year == last.year else "DATE_FORMAT")
    return _("%(start)s – %(end)s") % {"start": begins, "end": date_format(last, "DATE_FORMAT")}


def run_when(run: CourseRun, now: datetime) -> str:
    """When the run takes place: “At your own pace · open until 30 June 2026”, “16 February – 12 April 2026”."""
    if run.is_self_paced:
        return _self_paced_text(run, now)
    if run.start_date and run.end_date:
        return span_text(run.start_date, run.end_date)
    if run.start_date:
        verb = _("Started %(day)s") if run.has_started(now) else _("Starts %(day)s")
        return verb % {"day": day_text(run.start_date)}
    return _("Until %(day)s") % {"day": day_text(run.end_date)} if run.end_date else ""


def run_open(run: CourseRun, now: datetime) -> str:
    """When the run is open, after a label: “Now, until 30 June 2026”."""
    if not run.has_started(now) and run.start_date:
        if run.end_date:
            return span_text(run.start_date, run.end_date)
        return _("From %(day)s") % {"day": day_text(run.start_date)}
    if run.end_date is None:
        return _("Now")
    if run.has_ended(now):
        return _("Ended %(day)s") % {"day": day_text(run.end_date)}
    return _("Now, until %(day)s") % {"day": day_text(run.end_date)}


def effort_text(course: Course) -> str:
    """“5 weeks, 3 hours a week”; empty if neither is known."""
    parts = []
    if weeks := course.duration_weeks:
        parts.append(ngettext("%(count)d week", "%(count)d weeks", weeks) % {"count": weeks})
    least, most = course.hours_per_week_min, course.hours_per_week_max
    if least and most and least != most:
        parts.append(_("%(least)d–%(most)d hours a week") % {"least": least, "most": most})
    elif hours := most or least:
        parts.append(ngettext("%(count)d hour a week", "%(count)d hours a week", hours) % {"count": hours})
    return ", ".join(parts)


def _self_paced_text(run: CourseRun, now: datetime) -> str:
    parts = [_("At your own pace")]
    if run.start_date and not run.has_started(now):
        parts.append(_("opens %(day)s") % {"day": day_text(run.start_date)})
    if run.end_date:
        verb = _("ended %(day)s") if run.has_ended(now) else _("open until %(day)s")
        parts.append(verb % {"day": day_text(run.end_date)})
    return " · ".join(parts)
