"""Set-based writes of runs, for the apps that own the decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from courses.enums import RunAccess
from courses.models import CourseRun
from courses.services.site_runs import request_changed


def create_runs(runs: Iterable[CourseRun]) -> list[CourseRun]:
    """Insert runs in one statement."""
    return CourseRun.all_objects.bulk_create(runs)


def save_runs(runs: Sequence[CourseRun], *, fields: Sequence[str]) -> None:
    """Update these fields of the runs in one statement. Studio follows with those that it made for us."""
    CourseRun.all_objects.bulk_update(runs, fields)
    request_changed(runs)


def reserve_runs(run_ids: Sequence[int], *, now: datetime) -> None:
    """Hide runs from every public list because a contract has them."""
    CourseRun.all_objects.filter(pk__in=run_ids).update(access=RunAccess.CONTRACT, updated_at=now)


def close_runs(run_ids: Sequence[int], *, now: datetime) -> None:
    """Take these runs off the site and close their enrollment. One that hasn't opened yet never opens."""
    runs = CourseRun.all_objects.filter(pk__in=run_ids)
    runs.filter(enrollment_start__gt=now).update(enrollment_start=now, enrollment_end=now)
    runs.filter(enrollment_end__isnull=True).update(enrollment_end=now)
    runs.filter(enrollment_end__gt=now).update(enrollment_end=now)
    runs.update(live=False, updated_at=now)
    request_changed(runs.filter(is_made_by_us=True))
