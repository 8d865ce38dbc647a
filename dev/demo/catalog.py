"""Departments, courses, runs, products and programs of the demo."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.text import slugify

from courses.enums import EnrollmentMode
from courses.models import Course, CourseRun, Department, Program, Topic
from courses.models.run import SOURCE_TAG
from courses.services.requirements import Group, set_requirements
from dev.demo.calendar import ANY_TIME_TAG, run_dates
from dev.demo.specs import CourseSpec, DepartmentSpec, ProgramSpec, RunSpec
from ecommerce.models import Product
from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_shop


def ensure_department(spec: DepartmentSpec) -> Department:
    department, _new = Department.objects.get_or_create(
        slug=spec.slug, defaults={"name": spec.name, "position": spec.position}
    )
    return department


def ensure_course(spec: CourseSpec, department: Department, *, now: datetime) -> Course:
    """Create the course with its source run, and a run of each kind that it lacks."""
    course, is_new = Course.objects.get_or_create(
        readable_id=spec.readable_id,
        defaults={
            "title": spec.title,
            "summary": spec.summary,
            "department": department,
            "level": spec.level,
            "language": "en",
            "duration_weeks": spec.weeks,
            "hours_per_week_min": spec.hours[0],
            "hours_per_week_max": spec.hours[1],
        },
    )
    if is_new:
        course.topics.set([_ensure_topic(name) for name in spec.topics])
        # Contract runs are copied from it. It isn't live, so no one can enroll in it.
        CourseRun.objects.get_or_create(
            courseware_id=spec.source_key,
            defaults={
                "course": course,
                "run_tag": SOURCE_TAG,
                "title": spec.title,
                "live": False,
                "is_self_paced": True,
            },
        )
    runs = list(CourseRun.objects.filter(course=course))
    for run_spec in spec.runs:
        if is_new or not any(_matches(run, run_spec, now) for run in runs):
            runs.append(_create_run(course, spec, run_spec, now))
    return course


def _ensure_topic(name: str) -> Topic:
    topic, _new = Topic.objects.get_or_create(slug=slugify(name), defaults={"name": name})
    return topic


def ensure_program(spec: ProgramSpec) -> Program:
    """Create the program with its requirements and, if it has a price, its product."""
    program, is_new = Program.objects.get_or_create(
        readable_id=spec.id,
        defaults={
            "title": spec.title,
            "summary": spec.summary,
            "department": Department.objects.get(slug=spec.department),
        },
    )
    if is_new:
        ids = {course.number: course.pk for course in Course.objects.filter(readable_id__in=spec.course_ids)}
        groups = [
            Group(each.title, tuple(ids[number] for number in each.courses), each.at_least) for each in spec.groups
        ]
        set_requirements(program=program, groups=groups)
        if spec.price:
            _create_product(price=spec.price, sku=spec.id.rpartition(":")[2], program=program)
    return program


def _matches(run: CourseRun, spec: RunSpec, now: datetime) -> bool:
    """Whether the run is of the specified kind today."""
    started = run.start_date is not None and run.start_date <= now
    opens_later = run.enrollment_start is not None and run.enrollment_start > now
    if spec.kind == "any_time":
        return run.is_self_paced and not run.has_ended(now)
    if run.is_self_paced:
        return False
    return {
        "past": run.has_ended(now),
        "running": started and not run.has_ended(now),
        "upcoming": not started and not opens_later,
        "announced": opens_later,
    }[spec.kind]


def _create_run(course: Course, spec: CourseSpec, run_spec: RunSpec, now: datetime) -> CourseRun:
    dates = run_dates(spec, run_spec, today=clock.date_of(now))
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
            "is_free": not spec.price,
            "live": True,
        },
    )
    if is_new and spec.price and not run_spec.needs_price:
        suffix = "ANY" if dates.tag == ANY_TIME_TAG else dates.tag
        _create_product(price=run_spec.price or spec.price, sku=f"{spec.number}-{suffix}", course_run=run)
    return run


def _create_product(
    *, price: str, sku: str, course_run: CourseRun | None = None, program: Program | None = None
) -> Product:
    return Product.objects.create(
        course_run=course_run,
        program=program,
        sku=sku,
        price=Decimal(price),
        currency=current_shop().currency,
        mode=EnrollmentMode.VERIFIED,
    )
