"""When a run accepts learners. Every way into a run asks here."""

from __future__ import annotations

from datetime import datetime

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, RunHasNoPrice, RunNotLive, RunUnknown
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG


def refuse_unless_enrollable(run: CourseRun, *, now: datetime) -> None:
    """Raise RunNotLive, EnrollmentNotOpen or EnrollmentClosed unless enrollment is open now, both ends included.

    Whether it has a place left is for `courses.places`, and whether this learner is entitled to enroll for the app that
    sells or grants access. Without any grant, ``refuse_unless_public`` decides.
    """
    if not run.live:
        raise RunNotLive(title=run.title)
    if run.enrollment_start is not None and now < run.enrollment_start:
        raise EnrollmentNotOpen(title=run.title, opens_at=run.enrollment_start)
    closes = min((end for end in (run.enrollment_end, run.end_date) if end is not None), default=None)
    if closes is not None and now > closes:
        raise EnrollmentClosed(title=run.title, closed_at=closes)


def is_enrollable(run: CourseRun, *, now: datetime) -> bool:
    """Whether someone who has no place in the run yet can enroll."""
    if run.is_full:
        return False
    try:
        refuse_unless_enrollable(run, now=now)
    except EnrollmentRefused:
        return False
    return True


def refuse_unless_free(run: CourseRun) -> None:
    """Raise RunHasNoPrice unless the run was declared free. That it has no price yet doesn't make it free."""
    if not run.is_free:
        raise RunHasNoPrice(title=run.title)


def refuse_unless_public(run: CourseRun) -> None:
    """Raise RunUnknown for a contract run or a source run, as if it didn't exist: contract runs are confidential."""
    if run.is_contract_only or run.run_tag == SOURCE_TAG:
        raise RunUnknown
