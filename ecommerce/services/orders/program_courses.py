"""Courses of bought programs that had no start when the program was bought."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from courses.errors import AlreadyInRun
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.rules import refuse_unless_enrollable
from courses.selectors.programs import courses_of_program
from courses.services.enrollments import enroll
from ecommerce.models import Order, OrderLine, OrderLineCourse
from ecommerce.ownership import choose_runs_to_enroll, find_enrolled_runs, find_program_lines
from ecommerce.rules import lock_courses_of
from ecommerce.services.orders.enrollment import enrollment_source
from mitxonline.kernel.db import all_or_nothing


def take_from_program(
    *, user_id: int, run: CourseRun, program_ids: Collection[int], now: datetime
) -> Enrollment | None:
    """Enroll a learner in a run because they bought one of these programs; None if none of them gives it.

    A purchase gives each course once: one that it gave already, or that came off its price, isn't given again. Where
    the learner audits another run of the course, that one is upgraded, as when the program is bought. Raises
    AlreadyInRun for a course that they have, or the reason why the run is closed.
    """
    with all_or_nothing():
        wanted = find_program_lines(user_id).filter(product__program__in=program_ids)
        # The order's lock keeps a refund from overlooking what is given here.
        list(Order.objects.locked().filter(pk__in=wanted.values("order_id")))
        lock_courses_of(user_id)
        for line in wanted.select_related("product", "order"):
            if _gives(line, run):
                return _give(line, run, now=now)
    return None


def _gives(line: OrderLine, run: CourseRun) -> bool:
    if run.course_id not in {course.pk for course in courses_of_program(line.product.program_id or 0)}:
        return False
    grants = EnrollmentGrant.objects.filter(
        enrollment__user=line.order.purchaser_id, enrollment__run__course=run.course_id, reference=line.order.number
    )
    return not line.courses.filter(course=run.course_id).exists() and not grants.exists()


def _give(line: OrderLine, run: CourseRun, *, now: datetime) -> Enrollment:
    user_id = line.order.purchaser_id
    refuse_unless_enrollable(run, now=now)
    enrolled = find_enrolled_runs(user_id, [run.course_id], now=now)
    run_id = choose_runs_to_enroll(line.product, {run.course_id: run.pk}, enrolled).get(run.course_id)
    if run_id is None:
        raise AlreadyInRun
    # Orders of old have no rows of their courses; a single one would say that it is the only course they gave.
    if line.courses.exists():
        OrderLineCourse.objects.create(line=line, course_id=run.course_id, title=run.course.title, run_id=run_id)
    return enroll(
        user_id=user_id,
        run_id=run_id,
        mode=line.mode,
        source=enrollment_source(line),
        reference=line.order.number,
        now=now,
        adds_something=True,
    )
