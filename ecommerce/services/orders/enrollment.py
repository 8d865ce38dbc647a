"""The enrollment grants that an order's lines give."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef

from courses.enums import EnrollmentSource
from courses.models import EnrollmentGrant
from courses.selectors.programs import courses_of_program
from courses.services.enrollments import enroll, revoke
from ecommerce.models import Order, OrderLine


def enrollment_source(line: OrderLine) -> EnrollmentSource:
    if line.entitlement:
        return EnrollmentSource.CONTRACT
    if line.requires_code:
        return EnrollmentSource.CODE
    return EnrollmentSource.ORDER


def find_rights(order: Order, lines: Iterable[OrderLine]) -> dict[int, set[tuple[int, str]]]:
    """Return the rights (run, source) that each line gave and that still hold.

    They are read from the grants, because the runs that a program gave can't be computed later: which run is open
    changes with time. Two lines may give the same right, such as a course bought together with its program. A group's
    line gives its buyer none.
    """
    grants = EnrollmentGrant.objects.filter(
        reference=order.number, enrollment__user_id=order.purchaser_id, revoked_at=None
    )
    held = {
        (run_id, source): course_id
        for run_id, course_id, source in grants.values_list(
            "enrollment__run_id", "enrollment__run__course_id", "source"
        )
    }
    return {
        line.pk: {
            (run_id, source)
            for (run_id, source), course_id in held.items()
            if not line.is_group
            and source == enrollment_source(line)
            and (run_id == line.product.course_run_id or course_id in courses)
        }
        for line, courses in ((line, _program_courses(line)) for line in lines)
    }


def find_revoked_rights(order: Order, *, at: Iterable[datetime | None]) -> list[EnrollmentGrant]:
    """Return the rights of an order that were revoked at these very moments, by the refunds that took effect then.

    Not those that were given again since.
    """
    mine = EnrollmentGrant.objects.filter(reference=order.number, enrollment__user_id=order.purchaser_id)
    again = mine.filter(enrollment=OuterRef("enrollment"), source=OuterRef("source"), mode=OuterRef("mode"))
    grants = mine.filter(~Exists(again.filter(pk__gt=OuterRef("pk"))), revoked_at__in=[each for each in at if each])
    return list(grants.select_related("enrollment").order_by("pk"))


def restore_right(order: Order, right: EnrollmentGrant, *, reason: str, now: datetime) -> None:
    """Give back a revoked right, in place of the auditing that may have been left of it."""
    user_id, run_id, source = order.purchaser_id, right.enrollment.run_id, right.source
    revoke(user_id=user_id, run_id=run_id, source=source, reference=order.number, now=now, reason=reason)
    enroll(user_id=user_id, run_id=run_id, mode=right.mode, source=source, reference=order.number, now=now)


def _program_courses(line: OrderLine) -> set[int]:
    if line.product.program_id is None:
        return set()
    return {course.pk for course in courses_of_program(line.product.program_id)}
