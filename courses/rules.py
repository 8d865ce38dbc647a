"""The one policy on who may enter a run, asked by every door (B8)."""

from __future__ import annotations

from datetime import datetime

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, RunNotLive, RunUnknown
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG


def refuse_unless_enrollable(run: CourseRun, *, now: datetime) -> None:
    """Raise RunNotLive, EnrollmentNotOpen or EnrollmentClosed unless someone entitled may come in now.

    Both ends are included. Whether this person is entitled is asked by the app that sells or grants the right;
    without one, ``refuse_unless_public`` stands in the way.
    """
    if not run.live:
        raise RunNotLive(title=run.title)
    if run.enrollment_start is not None and now < run.enrollment_start:
        raise EnrollmentNotOpen(title=run.title, opens_at=run.enrollment_start)
    closes = min((moment for moment in (run.enrollment_end, run.end_date) if moment is not None), default=None)
    if closes is not None and now > closes:
        raise EnrollmentClosed(title=run.title, closed_at=closes)


def is_enrollable(run: CourseRun, *, now: datetime) -> bool:
    """Whether someone entitled may come in now: the same question, for those who only show it."""
    try:
        refuse_unless_enrollable(run, now=now)
    except EnrollmentRefused:
        return False
    return True


def refuse_unless_public(run: CourseRun) -> None:
    """Raise RunUnknown for a contract run, or one that is a source for others: it is on offer to no one.

    No one who isn't let in by the contract learns that its runs exist.
    """
    if run.is_contract_only or run.run_tag == SOURCE_TAG:
        raise RunUnknown
