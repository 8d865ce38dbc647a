"""Enrollments as answers have them, in constant queries for any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from api.catalog.drawing import draw_course_alone, draw_run, draw_run_v2, draw_run_with_course
from api.catalog.reading import CourseFacts, read_courses
from api.learning import schemas
from b2b.selectors.visible import ContractOfRun, contracts_of_runs
from courses.models import Enrollment


@dataclass(frozen=True, slots=True)
class EnrollmentFacts:
    """What belongs to enrollments: their courses by id, and the contracts of their runs by the run's id."""

    courses: Mapping[int, CourseFacts]
    contracts: Mapping[int, ContractOfRun]
    now: datetime


def read_enrollments(enrollments: Sequence[Enrollment], *, now: datetime) -> EnrollmentFacts:
    """Read what belongs to these enrollments, whose runs, courses and departments are loaded."""
    courses = {each.run.course_id: each.run.course for each in enrollments}
    run_ids = {each.run_id for each in enrollments}
    facts = read_courses(list(courses.values()), now=now, sold_as=run_ids)
    return EnrollmentFacts(
        courses={each.course.pk: each for each in facts},
        contracts=contracts_of_runs(run_ids) if run_ids else {},
        now=now,
    )


def draw_enrollment_v1(
    request: HttpRequest, enrollment: Enrollment, facts: EnrollmentFacts
) -> schemas.CourseRunEnrollment:
    course = facts.courses[enrollment.run.course_id]
    return schemas.CourseRunEnrollment(
        **_draw_base(enrollment),
        approved_flexible_price_exists=False,
        run=draw_run_with_course(request, enrollment.run, course, now=facts.now),
    )


def draw_enrollment_v2(
    request: HttpRequest, enrollment: Enrollment, facts: EnrollmentFacts
) -> schemas.CourseRunEnrollmentRequestV2:
    course, contract = facts.courses[enrollment.run.course_id], facts.contracts.get(enrollment.run_id)
    run = draw_run_v2(enrollment.run, course, now=facts.now, contract=contract.contract_id if contract else None)
    return schemas.CourseRunEnrollmentRequestV2(
        **_draw_base(enrollment),
        **_draw_contract(contract),
        approved_flexible_price_exists=False,
        run=schemas.V2CourseRunWithCourse(**dict(run), course=draw_course_alone(request, course)),
    )


def draw_enrollment_v3(
    _request: HttpRequest, enrollment: Enrollment, facts: EnrollmentFacts
) -> schemas.CourseRunEnrollmentV3:
    course = facts.courses[enrollment.run.course_id]
    product = next(iter(course.products.get(enrollment.run_id, ())), None)
    return schemas.CourseRunEnrollmentV3(
        **_draw_base(enrollment),
        **_draw_contract(facts.contracts.get(enrollment.run_id)),
        run=schemas.CourseRunWithCourseV3(
            **dict(draw_run(enrollment.run, course, now=facts.now)),
            upgrade_product_id=product.pk if product else None,
            upgrade_product_price=product.price if product else None,
            upgrade_product_is_active=product.is_active if product else None,
            course=schemas.CourseV3(
                id=course.course.pk,
                title=course.course.title,
                readable_id=course.course.readable_id,
                type="course",
                include_in_learn_catalog=course.page is not None,
            ),
        ),
    )


def _draw_base(enrollment: Enrollment) -> dict[str, Any]:
    return {"id": enrollment.pk, "certificate": None, "enrollment_mode": enrollment.mode, "grades": []}


def _draw_contract(contract: ContractOfRun | None) -> dict[str, Any]:
    return {
        "b2b_organization_id": contract.organization_id if contract else None,
        "b2b_contract_id": contract.contract_id if contract else None,
    }
