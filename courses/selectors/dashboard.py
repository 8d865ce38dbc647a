"""What a learner sees of their own courses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from courses.models import CourseRun, Enrollment


@dataclass(frozen=True, slots=True)
class DashboardCard:
    """One course on the dashboard."""

    enrollment: Enrollment
    run: CourseRun
    title: str
    readable_id: str
    department_slug: str
    department_name: str

    @classmethod
    def of(cls, enrollment: Enrollment) -> DashboardCard:
        """The card of an enrollment whose run, course and department are loaded."""
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
    """A learner's courses by where they stand."""

    in_progress: list[DashboardCard]
    upcoming: list[DashboardCard]
    finished: list[DashboardCard]

    @property
    def is_empty(self) -> bool:
        """Whether the learner has no course at all."""
        return not (self.in_progress or self.upcoming or self.finished)


def dashboard_for(user_id: int, *, now: datetime) -> Dashboard:
    """The learner's active enrollments, newest first; one query for any number (design 7)."""
    enrollments = Enrollment.objects.active().of(user_id).select_related("run__course__department")
    cards = [DashboardCard.of(enrollment) for enrollment in enrollments]
    upcoming = [card for card in cards if not card.run.has_started(now)]
    return Dashboard(
        in_progress=[card for card in cards if card.run.has_started(now) and not card.run.has_ended(now)],
        upcoming=sorted(upcoming, key=lambda card: (card.run.start_date or now, card.enrollment.pk)),
        finished=[card for card in cards if card.run.has_ended(now)],
    )


def enrolled_run_ids(user_id: int | None) -> frozenset[int]:
    """The runs someone is in; none for a signed-out visitor, without a query."""
    if user_id is None:
        return frozenset()
    return frozenset(Enrollment.objects.active().of(user_id).values_list("run_id", flat=True))
