"""Contracts whose runs Studio has to make, and the deliveries that have it do so."""

from __future__ import annotations

from datetime import datetime, timedelta

from b2b.models import ContractPage
from courses.models import Course, CourseRun
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from tests.b2b.worlds import make_source_course, publish_contract, runs_of
from tests.openedx.server import CourseSite

OPEN = (DeliveryState.PENDING, DeliveryState.RUNNING)


def make_courses(site: CourseSite, *, runs: tuple[str, ...] = ("SOURCE",)) -> tuple[Course, Course]:
    """Make two courses whose source runs Studio has too."""
    made = make_source_course("course-v1:MITx+6.00", runs=runs), make_source_course("course-v1:MITx+8.01", runs=runs)
    for run in CourseRun.objects.all():
        site.state.add_run(run.courseware_id, run.title, end="2031-01-01T00:00:00Z")
    return made


def make_contract_with(*courses: Course, **facts: object) -> tuple[ContractPage, list[CourseRun]]:
    page = publish_contract(*courses, **facts)  # type: ignore[arg-type]
    return page, runs_of(page)


def deliver(*, later: timedelta = timedelta(), event: str = "courses.events.Run") -> int:
    """Call the receivers that wait for events of this kind, and those of the events they publish; return how many."""
    count = 0
    while waiting := _waiting(event, clock.now() + later):
        for pk in waiting:
            count += run_delivery(delivery_id=pk, now=clock.now() + later)
    return count


def _waiting(event: str, moment: datetime) -> list[int]:
    found = Delivery.objects.filter(event_type__startswith=event, state__in=OPEN, next_attempt_at__lte=moment)
    return list(found.order_by("pk").values_list("pk", flat=True))


def forget_deliveries() -> None:
    """Lose them, as if they had been given up long ago."""
    Delivery.objects.all().delete()
