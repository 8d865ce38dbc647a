"""Dates of runs and lengths of courses in words, on pages, receipts and in e-mails."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courses.models import Course, CourseRun
from mitxonline.kernel.dates import format_day, format_span


def format_run_dates(run: CourseRun, now: datetime) -> str:
    """When the run takes place: “At your own pace · open until 30 June 2026”, “16 February – 12 April 2026”."""
    if run.is_self_paced:
        return _self_paced_text(run, now)
    if run.start_date and run.end_date:
        return format_span(run.start_date, run.end_date)
    if run.start_date:
        verb = _("Started %(day)s") if run.has_started(now) else _("Starts %(day)s")
        return verb % {"day": format_day(run.start_date)}
    return _("Until %(day)s") % {"day": format_day(run.end_date)} if run.end_date else ""


def format_run_access(run: CourseRun, now: datetime) -> str:
    """When the run is open, after a label: “Now, until 30 June 2026”."""
    if not run.has_started(now) and run.start_date:
        if run.end_date:
            return format_span(run.start_date, run.end_date)
        return _("From %(day)s") % {"day": format_day(run.start_date)}
    if run.end_date is None:
        return _("Now")
    if run.has_ended(now):
        return _("Ended %(day)s") % {"day": format_day(run.end_date)}
    return _("Now, until %(day)s") % {"day": format_day(run.end_date)}


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
        parts.append(_("opens %(day)s") % {"day": format_day(run.start_date)})
    if run.end_date:
        verb = _("ended %(day)s") if run.has_ended(now) else _("open until %(day)s")
        parts.append(verb % {"day": format_day(run.end_date)})
    return " · ".join(parts)
