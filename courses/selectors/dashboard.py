"""A learner's own courses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from courses.models import CourseRun, Enrollment


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The runs a learner is enrolled in, with course and department loaded.

    `lms_states` says of each run, by its id, what the course site knows.
    """

    in_progress: list[CourseRun]
    upcoming: list[CourseRun]
    finished: list[CourseRun]
    lms_states: Mapping[int, str]


def dashboard_for(user_id: int, *, now: datetime) -> Dashboard:
    """Return the learner's runs in one query: the latest enrollment first, upcoming runs by their start."""
    enrollments = Enrollment.objects.active().of(user_id).select_related("run__course__department")
    runs = [enrollment.run for enrollment in enrollments]
    return Dashboard(
        in_progress=[run for run in runs if run.has_started(now) and not run.has_ended(now)],
        # Reversed, so that of two runs with the same start the earlier enrollment comes first.
        upcoming=sorted(
            (run for run in reversed(runs) if not run.has_started(now)), key=lambda run: run.start_date or now
        ),
        finished=[run for run in runs if run.has_ended(now)],
        lms_states={enrollment.run_id: enrollment.lms_state for enrollment in enrollments},
    )


def enrolled_run_ids(user_id: int | None) -> frozenset[int]:
    """Return the runs the user is enrolled in; empty for a visitor, without a query."""
    if user_id is None:
        return frozenset()
    return frozenset(Enrollment.objects.active().of(user_id).values_list("run_id", flat=True))
