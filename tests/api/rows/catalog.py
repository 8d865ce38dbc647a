"""Courses and programs."""

from __future__ import annotations

from cms.models import ProgramCollection
from tests.api.world import Row, World
from tests.factories import make_contract, make_contract_run, make_course, make_run
from tests.factories.pages import make_course_page, make_program, make_program_page

ROWS = (
    Row("api_v1_courses_list", "oooooooo"),
    Row("api_v1_courses_retrieve", "oooooooo", {"id": "{course}"}),
    Row("api_v2_courses_list", "oooooooo"),
    Row("api_v2_courses_retrieve", "oooooooo", {"id": "{course}"}),
    Row("course_variant_runs_v3", "oooooooo", query="?contract=1&course_id=1"),
    Row("course_runs_list", "oooooooo"),
    Row("course_runs_retrieve", "oooooooo", {"id": "{public_run}"}),
    Row("departments_list_v1", "oooooooo"),
    Row("departments_retrieve_v1", "oooooooo", {"id": "{department}"}),
    Row("departments_list_v2", "oooooooo"),
    Row("departments_retrieve_v2", "oooooooo", {"id": "{department}"}),
    Row("programs_list_v1", "oooooooo"),
    Row("programs_retrieve_v1", "oooooooo", {"id": "{program}"}),
    Row("programs_list_v2", "oooooooo"),
    Row("programs_retrieve_v2", "oooooooo", {"id": "{program}"}),
    Row("pages_list", "oooooooo", query="?fields=*&type=cms.CoursePage"),
    Row("pages_list", "bbbbbbbb", query="?type=cms.Nothing"),
    Row("pages_retrieve", "oooooooo", {"id": "{course_page}"}),
    Row("pages_retrieve", "nnnnnnnn", {"id": "{organization_page}"}),
    Row("pages_?fields=*&type=cms.coursepage_retrieve", "oooooooo"),
    Row("pages_?fields=*&type=cms.programpage_retrieve", "oooooooo"),
    Row("program_collections_list", "oooooooo"),
    Row("program_collections_retrieve", "oooooooo", {"id": "{collection}"}),
    # What visitors don't find isn't there for anyone.
    Row("course_runs_retrieve", "nnnnnnnn", {"id": "{contract_only_run}"}),
    Row("api_v2_courses_retrieve", "nnnnnnnn", {"id": "{hidden_course}"}),
)


def make_things(world: World) -> None:
    """A course and a program with pages, a course without one, and a run of a contract."""
    course = make_course()
    page = make_course_page(course)
    program = make_program("CATALOG", courses=[course])
    make_program_page(program)
    contract_run = make_contract_run(make_contract(world.other_organization), course)
    world.things |= {
        "course_page": str(page.pk),
        "organization_page": str(world.organization.pk),
        "collection": str(ProgramCollection.objects.create(title="For public services").pk),
        "course": str(course.pk),
        "department": str(course.department_id),
        "public_run": str(make_run(course).pk),
        "program": str(program.pk),
        "hidden_course": str(make_course().pk),
        "contract_only_run": str(contract_run.course_run_id),
    }
