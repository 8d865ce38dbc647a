"""Departments, courses, runs, products and programs of the demonstration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from courses.enums import EnrollmentMode, RequirementKind
from courses.models import Course, CourseRun, Department, Program, ProgramRequirement
from courses.models.run import SOURCE_TAG
from dev.demo.calendar import ANY_TIME_TAG, RunDates, run_dates
from dev.demo.specs import CourseSpec, DepartmentSpec, GroupSpec, ProgramSpec, RunSpec
from ecommerce.models import Product
from mitxonline.kernel import clock


def ensure_department(spec: DepartmentSpec) -> Department:
    """The department, made if it isn't there."""
    department, _new = Department.objects.get_or_create(
        slug=spec.slug, defaults={"name": spec.name, "position": spec.position}
    )
    return department


def ensure_course(spec: CourseSpec, department: Department, *, now: datetime) -> Course:
    """The course with the run contracts are made from, and a run of each kind it should have."""
    course, is_new = Course.objects.get_or_create(
        readable_id=spec.readable_id,
        defaults={
            "title": spec.title,
            "summary": spec.summary,
            "department": department,
            "level": spec.level,
            "duration_weeks": spec.weeks,
            "hours_per_week_min": spec.hours[0],
            "hours_per_week_max": spec.hours[1],
        },
    )
    if is_new:
        _make_source_run(course, spec)
    runs = list(CourseRun.objects.filter(course=course))
    for wanted in spec.runs:
        if is_new or not any(_serves(run, wanted, now) for run in runs):
            runs.append(_make_run(course, spec, run_dates(spec, wanted, today=clock.date_of(now))))
    return course


def ensure_program(spec: ProgramSpec) -> Program:
    """The program with its requirements and, where it has a price, its product."""
    program, is_new = Program.objects.get_or_create(
        readable_id=spec.id,
        defaults={
            "title": spec.title,
            "summary": spec.summary,
            "department": Department.objects.get(slug=spec.department),
        },
    )
    if is_new:
        for position, group in enumerate(spec.groups):
            _make_group(program, group, position)
        if spec.price:
            _make_product(price=spec.price, sku=spec.id.rpartition(":")[2], program=program)
    return program


def _serves(run: CourseRun, wanted: RunSpec, now: datetime) -> bool:
    """Whether this run is of the wanted kind as things stand today."""
    started = run.start_date is not None and run.start_date <= now
    opens_later = run.enrollment_start is not None and run.enrollment_start > now
    if wanted.kind == "any_time":
        return run.is_self_paced and not run.has_ended(now)
    if run.is_self_paced:
        return False
    return {
        "past": run.has_ended(now),
        "running": started and not run.has_ended(now),
        "upcoming": not started and not opens_later,
        "announced": opens_later,
    }[wanted.kind]


def _make_source_run(course: Course, spec: CourseSpec) -> None:
    """Not live: it is what the contracts' runs are copied from, never something to enroll in."""
    CourseRun.objects.get_or_create(
        courseware_id=spec.source_key,
        defaults={"course": course, "run_tag": SOURCE_TAG, "title": spec.title, "live": False, "is_self_paced": True},
    )


def _make_run(course: Course, spec: CourseSpec, dates: RunDates) -> CourseRun:
    run, is_new = CourseRun.objects.get_or_create(
        courseware_id=spec.run_key(dates.tag),
        defaults={
            "course": course,
            "run_tag": dates.tag,
            "title": spec.title,
            "start_date": dates.start,
            "end_date": dates.end,
            "enrollment_start": dates.enrollment_start,
            "enrollment_end": dates.enrollment_end,
            "is_self_paced": dates.self_paced,
            "live": True,
        },
    )
    if is_new and spec.price:
        suffix = "ANY" if dates.tag == ANY_TIME_TAG else dates.tag
        _make_product(price=spec.price, sku=f"{spec.number}-{suffix}", course_run=run)
    return run


def _make_product(
    *, price: str, sku: str, course_run: CourseRun | None = None, program: Program | None = None
) -> Product:
    return Product.objects.create(
        course_run=course_run,
        program=program,
        sku=sku,
        price=Decimal(price),
        currency=settings.DEFAULT_CURRENCY,
        mode=EnrollmentMode.VERIFIED,
    )


def _make_group(program: Program, group: GroupSpec, position: int) -> None:
    kind = RequirementKind.ALL_OF if group.at_least is None else RequirementKind.AT_LEAST
    parent = ProgramRequirement.objects.create(
        program=program, position=position, kind=kind, at_least=group.at_least, title=group.title
    )
    courses = courses_by_number(group.courses)
    for place, number in enumerate(group.courses):
        ProgramRequirement.objects.create(
            program=program,
            parent=parent,
            position=place,
            kind=RequirementKind.COURSE,
            course=courses[number],
        )


def courses_by_number(numbers: Iterable[str]) -> dict[str, Course]:
    """The demonstration's courses by their number."""
    wanted = Q(pk__in=[])
    for number in numbers:
        wanted |= Q(readable_id__endswith=f"+{number}")
    return {course.number: course for course in Course.objects.filter(wanted).select_related("department")}
