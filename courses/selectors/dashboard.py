"""A learner's own courses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from courses.models import CourseRun, Enrollment


@dataclass(frozen=True, slots=True)
class DashboardCard:
    enrollment: Enrollment
    run: CourseRun
    title: str
    readable_id: str
    department_slug: str
    department_name: str

    @classmethod
    def from_enrollment(cls, enrollment: Enrollment) -> DashboardCard:
        """The enrollment's run, course and department must be loaded."""
        course = enrollment.run.course
        return cls(
            enrollment=enrollment,
            run=enrollment.run,
            title=enrollment.run.title or course.title,
            readable_id=course.readable_id,
            department_slug=course.department.slug,
            department_name=course.department.name,
        )


@dataclass(frozen=True, slots=True)
class Dashboard:
    in_progress: list[DashboardCard]
    upcoming: list[DashboardCard]
    finished: list[DashboardCard]

    @property
    def is_empty(self) -> bool:
        return not (self.in_progress or self.upcoming or self.finished)


def dashboard_for(user_id: int, *, now: datetime) -> Dashboard:
    """Return the learner's active enrollments, newest first, in one query."""
    enrollments = Enrollment.objects.active().of(user_id).select_related("run__course__department")
    cards = [DashboardCard.from_enrollment(enrollment) for enrollment in enrollments]
    upcoming = [card for card in cards if not card.run.has_started(now)]
    return Dashboard(
        in_progress=[card for card in cards if card.run.has_started(now) and not card.run.has_ended(now)],
        upcoming=sorted(upcoming, key=lambda card: (card.run.start_date or now, card.enrollment.pk)),
        finished=[card for card in cards if card.run.has_ended(now)],
    )


def enrolled_run_ids(user_id: int | None) -> frozenset[int]:
    """Return the runs the user is enrolled in; empty for a visitor, without a query."""
    if user_id is None:
        return frozenset()
    return frozenset(Enrollment.objects.active().of(user_id).values_list("run_id", flat=True))
