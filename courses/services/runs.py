"""Runs made and changed set by set, for the apps that decide which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from courses.enums import RunAccess
from courses.models import CourseRun


def create_runs(runs: Iterable[CourseRun]) -> list[CourseRun]:
    """Write new runs down, in one statement."""
    return CourseRun.all_objects.bulk_create(runs)


def save_runs(runs: Sequence[CourseRun], *, fields: Sequence[str]) -> None:
    """Write these fields of runs changed in memory, in one statement."""
    CourseRun.all_objects.bulk_update(runs, fields)


def reserve_runs(run_ids: Sequence[int], *, now: datetime) -> None:
    """Hide these runs from every public list: a contract has them."""
    CourseRun.all_objects.filter(pk__in=run_ids).update(access=RunAccess.CONTRACT, updated_at=now)
