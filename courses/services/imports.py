"""Runs that exist in Studio are imported with their title and dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from courses.enums import RunLmsState
from courses.errors import CourseUnknown, DepartmentNotNamed, DepartmentUnknown, RunDatesImpossible, RunOfAnotherCourse
from courses.gateways.openedx.studio import StudioRun
from courses.models import Course, CourseRun, Department, Program
from courses.models.keys import validate_course_id
from courses.models.run import SOURCE_TAG
from courses.selectors.programs import courses_of_program
from courses.services.requirements import Group, groups_of, set_requirements
from courses.services.site_runs import start_waiting, synced_values


@dataclass(frozen=True, slots=True)
class RunImport:
    """What to make of a run of Studio. Without `course_id` its course is the one in its key."""

    there: StudioRun
    course_id: str = ""
    department: str = ""
    creates_department: bool = False
    is_live: bool = False
    is_source: bool = False


@dataclass(frozen=True, slots=True)
class ImportedRun:
    run: CourseRun
    is_new: bool
    has_new_course: bool


def import_run(wanted: RunImport, *, now: datetime) -> ImportedRun:
    """Create the run, and its course if there is none. A run that is here already stays as it is.

    Runs that wait for a source get this one. Raises RunOfAnotherCourse, CourseUnknown, DepartmentNotNamed,
    DepartmentUnknown, RunDatesImpossible.
    """
    there = wanted.there
    with transaction.atomic():
        known = CourseRun.all_objects.select_related("course").filter(courseware_id=there.key).first()
        if known is not None:
            if wanted.course_id and known.course.readable_id != wanted.course_id:
                raise RunOfAnotherCourse(key=there.key, course=known.course.readable_id)
            return ImportedRun(known, is_new=False, has_new_course=False)
        _refuse_impossible_dates(there)
        course, has_new_course = _find_course(wanted)
        run = CourseRun.all_objects.create(
            course=course,
            courseware_id=there.key,
            run_tag=SOURCE_TAG if wanted.is_source else there.key.rpartition("+")[2],
            title=there.title or course.title,
            start_date=there.start,
            end_date=there.end,
            enrollment_start=there.enrollment_start,
            enrollment_end=there.enrollment_end,
            is_self_paced=there.is_self_paced,
            live=wanted.is_live,
            lms_state=RunLmsState.THERE,
            lms_changed_at=now,
            **synced_values(there, now=now),
        )
        start_waiting(now=now, course_ids=[course.pk])
    return ImportedRun(run, is_new=True, has_new_course=has_new_course)


def add_to_program(*, program: Program, course: Course) -> bool | None:
    """Require the course in the program; return whether that is new, or None if its groups are too nested to add to."""
    if course in courses_of_program(program.pk):
        return False
    groups = groups_of(program.pk)
    if groups is None:
        return None
    if groups and groups[-1].at_least is None:
        last = groups.pop()
        groups.append(Group(title=last.title, course_ids=(*last.course_ids, course.pk)))
    else:
        groups.append(Group(title="", course_ids=(course.pk,)))
    return set_requirements(program=program, groups=groups)


def _find_course(wanted: RunImport) -> tuple[Course, bool]:
    readable_id = wanted.course_id or wanted.there.key.rpartition("+")[0]
    course = Course.objects.filter(readable_id=readable_id).first()
    if course is not None:
        return course, False
    if wanted.course_id:
        raise CourseUnknown(key=readable_id)
    try:
        validate_course_id(readable_id)
    except ValidationError as error:
        raise CourseUnknown(key=readable_id) from error
    department = _find_department(wanted, readable_id)
    title = wanted.there.title or readable_id
    return Course.objects.create(readable_id=readable_id, title=title, department=department, live=wanted.is_live), True


def _find_department(wanted: RunImport, readable_id: str) -> Department:
    """Return the named department; without a name, the only one there is, or that of the organization's courses."""
    name = " ".join(wanted.department.split())
    if name:
        found = Department.objects.filter(Q(name__iexact=name) | Q(slug=name)).first()
        if found is None and not wanted.creates_department:
            raise DepartmentUnknown(name=name, names=tuple(Department.objects.values_list("name", flat=True)))
        return found or Department.objects.create(name=name, slug=slugify(name) or "department")
    organization = f"{readable_id.partition('+')[0]}+"
    for found_ones in (
        Department.objects.all(),
        Department.objects.filter(courses__readable_id__startswith=organization).distinct(),
    ):
        first_two = list(found_ones[:2])
        if len(first_two) == 1:
            return first_two[0]
    raise DepartmentNotNamed(course=readable_id, names=tuple(Department.objects.values_list("name", flat=True)))


def _refuse_impossible_dates(there: StudioRun) -> None:
    for first, last in ((there.start, there.end), (there.enrollment_start, there.enrollment_end)):
        if first is not None and last is not None and last < first:
            raise RunDatesImpossible(key=there.key, first=first, last=last)
