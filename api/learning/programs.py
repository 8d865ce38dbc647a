"""Operations of learners on their programs: those they bought, and those they enrolled in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from ninja import Body, Router, Status
from pydantic import Field

from api.catalog.programs import draw_alone, draw_v1, read_programs
from api.http.callers import LEARNING, person
from api.http.errors import refuse_fields
from api.http.shapes import Id
from api.learning import schemas
from api.learning.drawing import draw_enrollment_v1, draw_enrollment_v2, read_enrollments
from api.learning.enrollments import find_own_enrollments
from b2b.selectors.visible import programs_of_seats
from b2b.services.seats.own_courses import take_course
from cms.selectors.pages import listed_programs
from courses.enums import EnrollmentMode
from courses.errors import RunUnknown
from courses.models import CourseRun, Enrollment, Program, ProgramEnrollment
from courses.services.program_enrollments import enroll_in_program, leave_program
from ecommerce.ownership import find_program_lines
from ecommerce.services.orders.program_courses import take_from_program
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError, NotFound
from mitxonline.users.models import User

MAX_PROGRAMS = 20
ProgramKeys = Annotated[list[Annotated[str, Field(max_length=255)]], Field(min_length=1, max_length=MAX_PROGRAMS)]

router = Router(auth=LEARNING.signed_in, tags=["program_enrollments"])


class ProgramBought(DomainError):
    code = "program_bought"
    message = _("You bought this program, so it stays on your list.")
    advice = _("Request a refund if you don’t want it.")


@router.get(
    "/v1/program_enrollments/",
    operation_id="program_enrollments_list",
    response=list[schemas.UserProgramEnrollmentDetail],
    exclude_unset=True,
)
def list_programs_v1(request: HttpRequest) -> list[schemas.UserProgramEnrollmentDetail]:
    """List your programs by title, with your enrollments in their courses."""
    return _draw_v1(request, list(_own_programs(person(request))))


@router.get(
    "/v1/program_enrollments/{id}/",
    operation_id="program_enrollments_retrieve",
    response=schemas.UserProgramEnrollmentDetail,
    exclude_unset=True,
)
def get_program_v1(request: HttpRequest, id: Id) -> schemas.UserProgramEnrollmentDetail:
    """Return one of your programs, by the program's id."""
    return _draw_v1(request, [_find_own(request, id)])[0]


@router.delete(
    "/v1/program_enrollments/{id}/",
    operation_id="program_enrollments_destroy",
    response=schemas.UserProgramEnrollmentDetail,
    exclude_unset=True,
)
def delete_program_v1(request: HttpRequest, id: Id) -> schemas.UserProgramEnrollmentDetail:
    """Take a program off your list, and return what it was. You stay in its courses."""
    found = _find_own(request, id)
    _leave(person(request), found)
    return _draw_v1(request, [found])[0]


@router.get(
    "/v2/program_enrollments/",
    operation_id="v2_program_enrollments_list",
    response=list[schemas.V2UserProgramEnrollmentDetail],
    exclude_unset=True,
)
def list_programs_v2(request: HttpRequest) -> list[schemas.V2UserProgramEnrollmentDetail]:
    """List your programs by title, with your enrollments in their courses."""
    return _draw_v2(request, list(_own_programs(person(request))))


@router.get(
    "/v2/program_enrollments/{id}/",
    operation_id="v2_program_enrollments_retrieve",
    response=schemas.V2UserProgramEnrollmentDetail,
    exclude_unset=True,
)
def get_program_v2(request: HttpRequest, id: Id) -> schemas.V2UserProgramEnrollmentDetail:
    """Return one of your programs, by the program's id."""
    return _draw_v2(request, [_find_own(request, id)])[0]


@router.delete(
    "/v2/program_enrollments/{id}/",
    operation_id="v2_program_enrollments_destroy",
    response=list[schemas.V2UserProgramEnrollmentDetail],
    exclude_unset=True,
)
def delete_program_v2(request: HttpRequest, id: Id) -> list[schemas.V2UserProgramEnrollmentDetail]:
    """Take a program off your list, and return the others. You stay in its courses."""
    _leave(person(request), _find_visible(request, id))
    return list_programs_v2(request)


@router.get(
    "/v3/program_enrollments/",
    operation_id="v3_program_enrollments_list",
    response=list[schemas.V3UserProgramEnrollment],
)
def list_programs_v3(request: HttpRequest) -> list[schemas.V3UserProgramEnrollment]:
    """List your programs by title."""
    user = person(request)
    return _draw_v3(user, list(_own_programs(user)))


@router.post(
    "/v3/program_enrollments/",
    operation_id="v3_program_enrollments_create",
    response={201: None, 200: None},
)
def create_program_enrollment(request: HttpRequest, body: schemas.V3ProgramEnrollmentRequestRequest) -> Status[None]:
    """Put a program on your list: 201, or 200 if it is there. Its courses are bought or taken one by one."""
    user = person(request)
    program = _visible_programs(user).filter(pk=body.program_id).first()
    if program is None:
        raise refuse_fields(program_id=gettext("We can’t find this program among those you can enroll in."))
    is_new = enroll_in_program(user_id=user.pk, program_id=program.pk, now=clock.now())
    return Status(201 if is_new else 200, None)


@router.get(
    "/v3/program_enrollments/{program_id}/",
    operation_id="v3_program_enrollments_retrieve",
    response=schemas.V3UserProgramEnrollment,
)
def get_program_v3(request: HttpRequest, program_id: Id) -> schemas.V3UserProgramEnrollment:
    """Return one of your programs."""
    return _draw_v3(person(request), [_find_own(request, program_id)])[0]


@router.delete(
    "/v3/program_enrollments/{program_id}/",
    operation_id="v3_program_enrollments_destroy",
    response={204: None},
)
def delete_program_v3(request: HttpRequest, program_id: Id) -> Status[None]:
    """Take a program off your list, if it is there. You stay in its courses."""
    _leave(person(request), _find_visible(request, program_id))
    return Status(204, None)


@router.post(
    "/v2/verified_program_enrollments/{courserun_id}/",
    operation_id="verified_program_enrollments_create",
    tags=["verified_program_enrollments"],
    response={201: schemas.CourseRunEnrollmentRequestV2, 204: None},
    exclude_unset=True,
)
def enroll_from_program(
    request: HttpRequest, courserun_id: str, body: Annotated[ProgramKeys, Body()]
) -> Status[schemas.CourseRunEnrollmentRequestV2] | Status[None]:
    """Enroll in a run as one of your programs, named by their readable ids, lets you.

    A program you bought gives those of its courses that had no start then; the contract of your seat gives its own;
    other runs are taken if they are free. 204: you are in the run already.
    """
    user, now = person(request), clock.now()
    programs = _own_programs(user).filter(readable_id__in=body)
    run = CourseRun.all_objects.select_related("course").filter(courseware_id=courserun_id).first()
    if run is None or len(programs) < len(set(body)):
        raise NotFound
    there = Enrollment.objects.active().of(user.pk).filter(run=run).first()
    if there is not None and there.mode == EnrollmentMode.VERIFIED:
        return Status(204, None)
    enrollment = None
    if not run.is_contract_only:
        enrollment = take_from_program(user_id=user.pk, run=run, program_ids=[each.pk for each in programs], now=now)
    if enrollment is None and there is not None:
        return Status(204, None)
    try:
        enrollment = enrollment or take_course(run_id=run.pk, user_id=user.pk, now=now)
    except RunUnknown:
        raise NotFound from None
    rows = list(find_own_enrollments(request).filter(pk=enrollment.pk))
    return Status(201, draw_enrollment_v2(request, rows[0], read_enrollments(rows, now=now)))


def _own_programs(user: User) -> QuerySet[Program]:
    """Return the programs that someone bought or enrolled in."""
    enrolled = ProgramEnrollment.objects.filter(user=user).values("program_id")
    bought = find_program_lines(user.pk).order_by().values("product__program_id")
    programs = Program.objects.filter(pk__in=enrolled) | Program.objects.filter(pk__in=bought)
    return programs.select_related("department").order_by("title", "pk")


def _visible_programs(user: User) -> QuerySet[Program]:
    """Return the programs that visitors find, and those of contracts in which someone has a seat."""
    return listed_programs() | Program.objects.filter(pk__in=programs_of_seats(user, now=clock.now()))


def _find_own(request: HttpRequest, pk: int) -> Program:
    return _one(_own_programs(person(request)).filter(pk=pk))


def _find_visible(request: HttpRequest, pk: int) -> Program:
    user = person(request)
    return _one((_visible_programs(user) | _own_programs(user)).filter(pk=pk))


def _one(programs: QuerySet[Program]) -> Program:
    found = programs.first()
    if found is None:
        raise NotFound
    return found


def _leave(user: User, program: Program) -> None:
    if find_program_lines(user.pk).filter(product__program=program).exists():
        raise ProgramBought
    leave_program(user_id=user.pk, program_id=program.pk)


def _draw_v1(request: HttpRequest, programs: Sequence[Program]) -> list[schemas.UserProgramEnrollmentDetail]:
    rows = list(find_own_enrollments(request)) if programs else []
    facts = read_enrollments(rows, now=clock.now())
    return [
        schemas.UserProgramEnrollmentDetail(
            program=draw_v1(request, each),
            enrollments=[
                draw_enrollment_v1(request, row, facts)
                for row in _select(rows, {course.course.pk for course in each.courses})
            ],
            certificate=None,
        )
        for each in read_programs(programs)
    ]


def _draw_v2(request: HttpRequest, programs: Sequence[Program]) -> list[schemas.V2UserProgramEnrollmentDetail]:
    rows = list(find_own_enrollments(request)) if programs else []
    facts = read_enrollments(rows, now=clock.now())
    return [
        schemas.V2UserProgramEnrollmentDetail(
            program=draw_alone(request, each),
            enrollments=[
                draw_enrollment_v2(request, row, facts)
                for row in _select(rows, {course.course.pk for course in each.courses})
            ],
            certificate=None,
        )
        for each in read_programs(programs)
    ]


def _select(enrollments: Sequence[Enrollment], course_ids: set[int]) -> list[Enrollment]:
    return [each for each in enrollments if each.run.course_id in course_ids]


def _draw_v3(user: User, programs: Sequence[Program]) -> list[schemas.V3UserProgramEnrollment]:
    bought = find_program_lines(user.pk).values_list("product__program_id", flat=True)
    verified = {*bought, *programs_of_seats(user, now=clock.now())} if programs else set()
    return [
        schemas.V3UserProgramEnrollment(
            program=schemas.V3SimpleProgram(
                title=each.title,
                readable_id=each.readable_id,
                id=each.pk,
                program_type=None,
                live=each.live,
                display_mode=None,
            ),
            certificate=None,
            enrollment_mode=EnrollmentMode.VERIFIED if each.pk in verified else EnrollmentMode.AUDIT,
        )
        for each in programs
    ]
