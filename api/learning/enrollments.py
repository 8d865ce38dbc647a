"""Operations of learners on their enrollments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Query, Router, Status

from api.http.callers import LEARNING, person
from api.http.errors import refuse_fields
from api.http.shapes import Id, whole
from api.learning import schemas
from api.learning.drawing import (
    EnrollmentFacts,
    draw_enrollment_v1,
    draw_enrollment_v2,
    draw_enrollment_v3,
    read_enrollments,
)
from b2b.services.seats.own_courses import leave_course, take_course
from courses.errors import EnrollmentUnknown, RunUnknown
from courses.models import Enrollment
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError

T = TypeVar("T")
Draw = Callable[[HttpRequest, Enrollment, EnrollmentFacts], T]

router = Router(auth=LEARNING.signed_in, tags=["enrollments"])


class EmailsFromCourseSite(DomainError):
    """The course site sends a course's e-mails, and lets only the learner themselves turn them on and off."""

    code = "emails_from_course_site"
    message = _("The course site sends the e-mails of this course.")
    advice = _("Turn them on or off there.")


@router.get(
    "/v1/enrollments/",
    operation_id="enrollments_list",
    response=list[schemas.CourseRunEnrollment],
    exclude_unset=True,
)
def list_enrollments_v1(request: HttpRequest) -> list[schemas.CourseRunEnrollment]:
    """List the courses you are enrolled in, the latest first."""
    return _draw(request, find_own_enrollments(request), draw_enrollment_v1)


@router.post(
    "/v1/enrollments/",
    operation_id="enrollments_create",
    response={201: schemas.CourseRunEnrollment},
    exclude_unset=True,
)
def create_enrollment_v1(
    request: HttpRequest, body: schemas.CourseRunEnrollmentRequest
) -> Status[schemas.CourseRunEnrollment]:
    """Enroll in a run that costs you nothing: a free one, or one of a contract in which you have a seat."""
    return Status(201, _enroll(request, body, draw_enrollment_v1))


@router.put(
    "/v1/enrollments/{id}/",
    operation_id="enrollments_update",
    response=schemas.CourseRunEnrollment,
    exclude_unset=True,
)
def update_enrollment(
    request: HttpRequest, id: Id, body: schemas.CourseRunEnrollmentRequest
) -> schemas.CourseRunEnrollment:
    """Nothing of an enrollment can be changed here: an enrollment in another run is another one."""
    found = _find_own(request, id)
    if body.run_id != found.run_id:
        raise refuse_fields(run_id=str(_("An enrollment keeps its run. Enroll in the other one.")))
    if "edx_emails_subscription" in body.model_fields_set:
        raise EmailsFromCourseSite
    return _draw(request, [found], draw_enrollment_v1)[0]


@router.patch(
    "/v1/enrollments/{id}/",
    operation_id="enrollments_partial_update",
    response=schemas.CourseRunEnrollment,
    exclude_unset=True,
)
def change_emails(
    request: HttpRequest, id: Id, body: schemas.PatchedUpdateCourseRunEnrollmentRequest
) -> schemas.CourseRunEnrollment:
    """E-mails of a course are turned on and off on the course site, so this says so with 409."""
    found = _find_own(request, id)
    if "receive_emails" in body.model_fields_set:
        raise EmailsFromCourseSite
    return _draw(request, [found], draw_enrollment_v1)[0]


@router.delete("/v1/enrollments/{id}/", operation_id="enrollments_destroy", response={204: None})
def delete_enrollment_v1(request: HttpRequest, id: Id) -> Status[None]:
    """Leave a course. What was paid for or given to you is kept: 409."""
    return _leave(request, id)


@router.get(
    "/v2/enrollments/",
    operation_id="user_enrollments_list_v2",
    response=list[schemas.CourseRunEnrollmentRequestV2],
    exclude_unset=True,
)
def list_enrollments_v2(
    request: HttpRequest, asked: Query[schemas.EnrollmentFilters]
) -> list[schemas.CourseRunEnrollmentRequestV2]:
    """List the courses you are enrolled in, the latest first, with their contracts."""
    return _draw(request, _filter(find_own_enrollments(request), asked), draw_enrollment_v2)


@router.post(
    "/v2/enrollments/",
    operation_id="user_enrollments_create_v2",
    response={201: schemas.CourseRunEnrollmentRequestV2},
    exclude_unset=True,
)
def create_enrollment_v2(
    request: HttpRequest, body: schemas.CourseRunEnrollmentRequestV2Request
) -> Status[schemas.CourseRunEnrollmentRequestV2]:
    """Enroll in a run that costs you nothing: a free one, or one of a contract in which you have a seat."""
    return Status(201, _enroll(request, body, draw_enrollment_v2))


@router.delete("/v2/enrollments/{id}/", operation_id="user_enrollments_destroy_v2", response={204: None})
def delete_enrollment_v2(request: HttpRequest, id: Id) -> Status[None]:
    """Leave a course. What was paid for or given to you is kept: 409."""
    return _leave(request, id)


@router.get(
    "/v3/enrollments/",
    operation_id="user_enrollments_list_v3",
    response=list[schemas.CourseRunEnrollmentV3],
    exclude_unset=True,
)
def list_enrollments_v3(
    request: HttpRequest, asked: Query[schemas.EnrollmentFilters]
) -> list[schemas.CourseRunEnrollmentV3]:
    """List the courses you are enrolled in, the latest first, with their contracts."""
    return _draw(request, _filter(find_own_enrollments(request), asked), draw_enrollment_v3)


@router.post(
    "/v3/enrollments/",
    operation_id="user_enrollments_create_v3",
    response={201: schemas.CourseRunEnrollmentV3},
    exclude_unset=True,
)
def create_enrollment_v3(
    request: HttpRequest, body: schemas.CourseRunEnrollmentV3Request
) -> Status[schemas.CourseRunEnrollmentV3]:
    """Enroll in a run that costs you nothing: a free one, or one of a contract in which you have a seat."""
    return Status(201, _enroll(request, body, draw_enrollment_v3))


@router.get(
    "/v3/enrollments/{id}/",
    operation_id="enrollments_retrieve",
    response=schemas.CourseRunEnrollmentV3,
    exclude_unset=True,
)
def get_enrollment(request: HttpRequest, id: Id) -> schemas.CourseRunEnrollmentV3:
    """Return one of your enrollments."""
    return _draw(request, [_find_own(request, id)], draw_enrollment_v3)[0]


@router.delete("/v3/enrollments/{id}/", operation_id="user_enrollments_destroy_v3", response={204: None})
def delete_enrollment_v3(request: HttpRequest, id: Id) -> Status[None]:
    """Leave a course. What was paid for or given to you is kept: 409."""
    return _leave(request, id)


def find_own_enrollments(request: HttpRequest) -> QuerySet[Enrollment]:
    """Return the caller's enrollments with runs, courses and departments, the latest first."""
    return Enrollment.objects.active().of(person(request).pk).select_related("run__course__department")


def _find_own(request: HttpRequest, pk: int) -> Enrollment:
    found = find_own_enrollments(request).filter(pk=pk).first()
    if found is None:
        raise EnrollmentUnknown
    return found


def _filter(enrollments: QuerySet[Enrollment], asked: schemas.EnrollmentFilters) -> QuerySet[Enrollment]:
    if asked.exclude_b2b:
        enrollments = enrollments.filter(run__contract_run__isnull=True)
    if "org_id" in asked.model_fields_set:
        enrollments = enrollments.filter(run__contract_run__contract__terms__organization_id=whole(asked.org_id))
    return enrollments


def _draw(request: HttpRequest, enrollments: QuerySet[Enrollment] | Sequence[Enrollment], draw: Draw[T]) -> list[T]:
    rows = list(enrollments)
    facts = read_enrollments(rows, now=clock.now())
    return [draw(request, each, facts) for each in rows]


def _enroll(request: HttpRequest, body: schemas.CourseRunEnrollmentRequest, draw: Draw[T]) -> T:
    if body.edx_emails_subscription is False:
        raise EmailsFromCourseSite
    try:
        enrollment = take_course(run_id=body.run_id, user_id=person(request).pk, now=clock.now())
    except RunUnknown as unknown:
        raise refuse_fields(run_id=str(unknown)) from None
    return _draw(request, [_find_own(request, enrollment.pk)], draw)[0]


def _leave(request: HttpRequest, pk: int) -> Status[None]:
    leave_course(enrollment_id=pk, user_id=person(request).pk, now=clock.now())
    return Status(204, None)
