"""Operations on courses, runs, programs and departments: what visitors find, and for members their contracts'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from ninja import Query, Router

from api.catalog import schemas
from api.catalog.drawing import (
    draw_course_v1,
    draw_course_v2,
    draw_run_with_course,
    languages_like,
)
from api.catalog.programs import draw_v1, draw_v2, read_programs
from api.catalog.reading import CourseFacts, read_courses
from api.http.callers import CATALOG
from api.http.paging import PageOfList, paginate
from api.http.shapes import MAX_ID, Id, whole
from b2b.selectors.visible import contracts_by_run, programs_of, visible_contracts
from cms.selectors.pages import listed_courses, listed_programs
from courses.models import Course, CourseRun, Department, Program
from mitxonline.kernel import clock
from mitxonline.kernel.errors import NotFound
from mitxonline.users.models import User

M = TypeVar("M", bound=Model)

# Parameters that ask for what contracts have, instead of what visitors find.
BY_CONTRACT = {"contract_id", "org_id"}

router = Router(auth=CATALOG.anyone)


@router.get(
    "/v1/courses/",
    operation_id="api_v1_courses_list",
    tags=["courses"],
    response=schemas.PaginatedV1CourseWithCourseRunsList,
)
def list_courses_v1(
    request: HttpRequest, asked: Query[schemas.V1CourseFilters]
) -> PageOfList[schemas.V1CourseWithCourseRuns]:
    """List the courses that visitors find."""
    now = clock.now()
    courses = _filter_courses(_list_visible_courses(), asked, now=now)
    if asked.id is not None:
        courses = courses.filter(pk=asked.id)
    return paginate(
        request,
        courses,
        asked,
        lambda found: [draw_course_v1(request, each, now=now) for each in read_courses(found, now=now)],
    )


@router.get(
    "/v1/courses/{id}/",
    operation_id="api_v1_courses_retrieve",
    tags=["courses"],
    response=schemas.V1CourseWithCourseRuns,
)
def get_course_v1(request: HttpRequest, id: Id) -> schemas.V1CourseWithCourseRuns:  # the API's name
    """Return a course that visitors find."""
    now = clock.now()
    return draw_course_v1(request, _read_one(_list_visible_courses().filter(pk=id), now=now), now=now)


@router.get(
    "/v2/courses/",
    operation_id="api_v2_courses_list",
    tags=["courses"],
    response=schemas.PaginatedCourseWithCourseRunsSerializerV2List,
)
def list_courses_v2(
    request: HttpRequest, asked: Query[schemas.V2CourseFilters]
) -> PageOfList[schemas.CourseWithCourseRunsSerializerV2]:
    """List the courses that visitors find, or those of a contract that the caller has a seat in, with its runs."""
    now = clock.now()
    courses, runs, contracts = _list_visible_courses(), None, {}
    if asked.model_fields_set & BY_CONTRACT:
        contracts = contracts_by_run(_contracts_asked_for(request, asked, now=now))
        runs = CourseRun.all_objects.live().filter(pk__in=contracts)
        courses = Course.objects.filter(Exists(runs.filter(course=OuterRef("pk"))))
        courses = courses.select_related("department").order_by("title", "pk")
    courses = _filter_courses(courses, asked, now=now, runs=runs)
    if asked.id is not None:
        courses = courses.filter(pk__in=asked.id)
    if asked.courseruns__language is not None:
        courses = courses.filter(language__in=languages_like(asked.courseruns__language))
    if asked.courseruns__variant_industry or asked.courseruns__variant_length:
        courses = courses.none()
    return paginate(
        request,
        courses,
        asked,
        lambda found: [
            draw_course_v2(request, each, now=now, contracts=contracts)
            for each in read_courses(found, now=now, runs=runs)
        ],
    )


@router.get(
    "/v2/courses/{id}/",
    operation_id="api_v2_courses_retrieve",
    tags=["courses"],
    response=schemas.CourseWithCourseRunsSerializerV2,
)
def get_course_v2(request: HttpRequest, id: str) -> schemas.CourseWithCourseRunsSerializerV2:  # the API's name
    """Return a course that visitors find, by its number or its readable id."""
    now = clock.now()
    return draw_course_v2(request, _read_one(_list_visible_courses().filter(**_by_key(id)), now=now), now=now)


@router.get(
    "/v3/courses/variant_runs/",
    operation_id="course_variant_runs_v3",
    tags=["courses"],
    response={200: list[schemas.CourseVariantRunsResponse], 400: schemas.CourseVariantRunBadRequest},
)
def list_variant_runs(
    request: HttpRequest, asked: Query[schemas.VariantRunFilters]
) -> list[schemas.CourseVariantRunsResponse]:
    """List runs by their variants. Courses have no variants here, so there are none."""
    return []


@router.get(
    "/v1/course_runs/",
    operation_id="course_runs_list",
    tags=["course_runs"],
    response=list[schemas.V1CourseRunWithCourse],
)
def list_runs(request: HttpRequest, asked: Query[schemas.RunFilters]) -> list[schemas.V1CourseRunWithCourse]:
    """List the runs of courses that visitors find."""
    now = clock.now()
    courses = _list_visible_courses()
    if asked.id is not None:
        courses = courses.filter(Exists(CourseRun.objects.live().filter(pk=asked.id, course=OuterRef("pk"))))
    if asked.live is False:
        courses = courses.none()
    return [
        draw_run_with_course(request, run, facts, now=now)
        for facts in read_courses(list(courses), now=now)
        for run in facts.runs
        if asked.id in (None, run.pk)
    ]


@router.get(
    "/v1/course_runs/{id}/",
    operation_id="course_runs_retrieve",
    tags=["course_runs"],
    response=schemas.V1CourseRunWithCourse,
)
def get_run(request: HttpRequest, id: Id) -> schemas.V1CourseRunWithCourse:  # the API's name
    """Return a run of a course that visitors find."""
    now = clock.now()
    run = CourseRun.objects.live().filter(pk=id).first()
    if run is None:
        raise NotFound
    facts = _read_one(_list_visible_courses().filter(pk=run.course_id), now=now)
    return draw_run_with_course(request, run, facts, now=now)


@router.get(
    "/v1/departments/",
    operation_id="departments_list_v1",
    tags=["departments"],
    response=list[schemas.DepartmentWithCount],
)
def list_departments_v1(request: HttpRequest) -> list[schemas.DepartmentWithCount]:
    """List the departments, with how many courses and programs visitors find in each."""
    return _count_departments(_read_departments(None))


@router.get(
    "/v1/departments/{id}/",
    operation_id="departments_retrieve_v1",
    tags=["departments"],
    response=schemas.DepartmentWithCount,
)
def get_department_v1(request: HttpRequest, id: Id) -> schemas.DepartmentWithCount:  # the API's name
    """Return a department."""
    return _count_departments(_read_departments(id))[0]


@router.get(
    "/v2/departments/",
    operation_id="departments_list_v2",
    tags=["departments"],
    response=list[schemas.DepartmentWithCoursesAndPrograms],
)
def list_departments_v2(request: HttpRequest) -> list[schemas.DepartmentWithCoursesAndPrograms]:
    """List the departments, with the courses and programs that visitors find in each."""
    return _read_departments(None)


@router.get(
    "/v2/departments/{id}/",
    operation_id="departments_retrieve_v2",
    tags=["departments"],
    response=schemas.DepartmentWithCoursesAndPrograms,
)
def get_department_v2(request: HttpRequest, id: Id) -> schemas.DepartmentWithCoursesAndPrograms:  # the API's name
    """Return a department."""
    return _read_departments(id)[0]


@router.get(
    "/v1/programs/", operation_id="programs_list_v1", tags=["programs"], response=schemas.PaginatedV1ProgramList
)
def list_programs_v1(request: HttpRequest, asked: Query[schemas.V1ProgramFilters]) -> PageOfList[schemas.V1Program]:
    """List the programs that visitors find, with their courses."""
    programs = _filter_programs(listed_programs(), asked)
    if asked.id is not None:
        programs = programs.filter(pk=asked.id)
    return paginate(request, programs, asked, lambda found: [draw_v1(request, each) for each in read_programs(found)])


@router.get("/v1/programs/{id}/", operation_id="programs_retrieve_v1", tags=["programs"], response=schemas.V1Program)
def get_program_v1(request: HttpRequest, id: Id) -> schemas.V1Program:  # the API's name
    """Return a program that visitors find."""
    return draw_v1(request, read_programs(_one(listed_programs().filter(pk=id)))[0])


@router.get(
    "/v2/programs/",
    operation_id="programs_list_v2",
    tags=["programs"],
    response=schemas.PaginatedV2ProgramDetailList,
)
def list_programs_v2(
    request: HttpRequest, asked: Query[schemas.V2ProgramFilters]
) -> PageOfList[schemas.V2ProgramDetail]:
    """List the programs that visitors find, or those of a contract that the caller has a seat in."""
    programs = listed_programs()
    if asked.model_fields_set & BY_CONTRACT:
        contracts = _contracts_asked_for(request, asked, now=clock.now())
        ids = {pk for each in programs_of(contracts).values() for pk in each}
        programs = Program.objects.filter(pk__in=ids).select_related("department").order_by("title", "pk")
    programs = _filter_programs(programs, asked)
    if asked.page__live is False:
        programs = programs.none()
    if asked.id is not None:
        programs = programs.filter(pk__in=asked.id)
    return paginate(request, programs, asked, lambda found: [draw_v2(request, each) for each in read_programs(found)])


@router.get(
    "/v2/programs/{id}/", operation_id="programs_retrieve_v2", tags=["programs"], response=schemas.V2ProgramDetail
)
def get_program_v2(request: HttpRequest, id: str) -> schemas.V2ProgramDetail:  # the API's name
    """Return a program that visitors find, by its number or its readable id."""
    return draw_v2(request, read_programs(_one(listed_programs().filter(**_by_key(id))))[0])


def _list_visible_courses() -> QuerySet[Course]:
    return listed_courses().select_related("department").order_by("title", "pk")


def _filter_courses(
    courses: QuerySet[Course],
    asked: schemas.CourseFilters,
    *,
    now: datetime,
    runs: QuerySet[CourseRun] | None = None,
) -> QuerySet[Course]:
    if asked.live is False or asked.page__live is False:
        return courses.none()
    if asked.readable_id is not None:
        courses = courses.filter(readable_id=asked.readable_id)
    if asked.courserun_is_enrollable is not None:
        among = CourseRun.all_objects.enrollable(now).filter(is_full=False)
        among = among.filter(pk__in=(CourseRun.objects.all() if runs is None else runs).values("pk"))
        has_open_run = Exists(among.filter(course=OuterRef("pk")))
        courses = courses.filter(has_open_run if asked.courserun_is_enrollable else ~has_open_run)
    return courses


def _filter_programs(programs: QuerySet[Program], asked: schemas.SubjectFilters) -> QuerySet[Program]:
    if asked.live is False:
        return programs.none()
    is_asked = "readable_id" in asked.model_fields_set
    return programs.filter(readable_id=asked.readable_id) if is_asked else programs


def _contracts_asked_for(
    request: HttpRequest, asked: schemas.V2CourseFilters | schemas.V2ProgramFilters, *, now: datetime
) -> list[int]:
    """Return which of these contracts the caller may see. Visitors who aren't signed in see none."""
    if not isinstance(request.user, User):
        return []
    contracts = visible_contracts(request.user, now=now)
    if "contract_id" in asked.model_fields_set:
        contracts = contracts.filter(pk=whole(asked.contract_id))
    if "org_id" in asked.model_fields_set:
        contracts = contracts.filter(organization_id=whole(asked.org_id))
    return list(contracts.values_list("pk", flat=True))


def _by_key(key: str) -> dict[str, int | str]:
    is_number = key.isascii() and key.isdigit()
    return {"pk": min(int(key[:20]), MAX_ID)} if is_number else {"readable_id": key}


def _read_one(courses: QuerySet[Course], *, now: datetime) -> CourseFacts:
    return read_courses(_one(courses), now=now)[0]


def _one(rows: QuerySet[M]) -> list[M]:
    found = list(rows[:1])
    if not found:
        raise NotFound
    return found


def _read_departments(pk: int | None) -> list[schemas.DepartmentWithCoursesAndPrograms]:
    """Return all departments, or the one asked for; three queries. Raises NotFound."""
    departments = Department.objects.all() if pk is None else Department.objects.filter(pk=pk)
    rows = list(departments)
    if pk is not None and not rows:
        raise NotFound
    courses = list(_list_visible_courses().values_list("department_id", "pk"))
    programs = list(listed_programs().values_list("department_id", "pk"))
    return [
        schemas.DepartmentWithCoursesAndPrograms(
            id=each.pk,
            name=each.name,
            slug=each.slug,
            course_ids=[course for department, course in courses if department == each.pk],
            program_ids=[program for department, program in programs if department == each.pk],
        )
        for each in rows
    ]


def _count_departments(
    departments: Sequence[schemas.DepartmentWithCoursesAndPrograms],
) -> list[schemas.DepartmentWithCount]:
    return [
        schemas.DepartmentWithCount(name=each.name, courses=len(each.course_ids), programs=len(each.program_ids))
        for each in departments
    ]
