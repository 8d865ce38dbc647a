"""`import_courserun`: a run of Studio with its title and dates, and with all that sells it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from b2b.models import ContractRun
from cms.models import CoursePage
from courses.models import Course, CourseRun, Department
from courses.selectors.programs import courses_of_program
from ecommerce.models import Product
from mitxonline.coordinator.models import Delivery
from tests.b2b.worlds import make_program_of, make_public_run, make_source_course, publish_contract, runs_of
from tests.courses.openedx import connect
from tests.openedx.server import CourseSite

pytestmark = pytest.mark.django_db

KEY, SOURCE = "course-v1:TesX+OC101+1T2027", "course-v1:UAI_SOURCE+OC101+SOURCE"


@pytest.fixture
def site(course_site: CourseSite, settings: Any) -> CourseSite:
    connect(course_site, settings)
    course_site.state.add_run(
        KEY,
        "Ocean chemistry",
        start="2027-01-10T00:00:00Z",
        end="2027-05-01T00:00:00Z",
        enrollment_start="2026-12-01T00:00:00Z",
        pacing_type="self_paced",
    )
    course_site.state.add_run(SOURCE, "Ocean chemistry (source)")
    return course_site


def run_import(*arguments: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("import_courserun", *arguments, "--format", "json", stdout=out, stderr=StringIO())
    rows: list[dict[str, Any]] = json.loads(out.getvalue())
    return rows


def refusal_of(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        run_import(*arguments)
    return str(refused.value)


def test_a_run_comes_with_title_dates_and_pace(site: CourseSite) -> None:
    course = make_source_course("course-v1:TesX+OC101", runs=())
    (row,) = run_import("--courserun", KEY)
    assert (row["outcome"], row["title"]) == ("imported", "Ocean chemistry")
    run = CourseRun.objects.get(courseware_id=KEY)
    assert (run.course, run.run_tag, run.title, run.is_self_paced, run.live) == (
        course,
        "1T2027",
        "Ocean chemistry",
        True,
        False,
    )
    assert run.start_date == datetime(2027, 1, 10, tzinfo=UTC)
    assert run.enrollment_start == datetime(2026, 12, 1, tzinfo=UTC)
    assert (run.end_date, run.enrollment_end) == (datetime(2027, 5, 1, tzinfo=UTC), None)
    assert (run.lms_state, run.synced_title) == ("there", "Ocean chemistry")
    assert not Product.objects.exists()


def test_again_it_stays_as_it_is(site: CourseSite) -> None:
    make_source_course("course-v1:TesX+OC101", runs=())
    run_import("--courserun", KEY)
    CourseRun.objects.filter(courseware_id=KEY).update(title="By hand")
    (row,) = run_import("--courserun", KEY, "--price", "100", "--live")
    assert row["outcome"] == "here already"
    run = CourseRun.objects.get(courseware_id=KEY)
    assert (run.title, run.live, Product.objects.count()) == ("By hand", False, 0)


def test_a_dry_run_says_the_same_and_writes_nothing(site: CourseSite) -> None:
    arguments = ("--courserun", KEY, "--live", "--price", "100", "--dept", "Oceans", "--create-depts")
    dry = run_import(*arguments, "--dry-run")
    assert not CourseRun.all_objects.exists()
    assert not Department.objects.exists()
    assert not Delivery.objects.exists()
    assert run_import(*arguments) == dry
    assert Department.objects.get().name == "Oceans"


def test_a_new_course_is_created_with_page_and_product(site: CourseSite) -> None:
    call_command("configure_wagtail", stdout=StringIO())
    options = ("--live", "--create-cms-page", "--price", "249", "--dept", "X", "--create-depts")
    (row,) = run_import("--courserun", KEY, *options)
    course = Course.objects.get(readable_id="course-v1:TesX+OC101")
    product = Product.objects.get()
    assert (course.title, course.live) == ("Ocean chemistry", True)
    assert (product.price, product.is_active, product.description) == (249, True, KEY)
    assert CoursePage.objects.get(course=course).live
    assert "Product for $249" in row["notes"]


@pytest.mark.parametrize(
    ("options", "is_live"),
    [((), False), (("--live", "--draft-cms-page"), False), (("--publish-cms-page",), True), (("--live",), True)],
)
def test_the_page_is_a_draft_unless_the_run_is_live(site: CourseSite, options: tuple[str, ...], is_live: bool) -> None:
    call_command("configure_wagtail", stdout=StringIO())
    course = make_source_course("course-v1:TesX+OC101", runs=())
    run_import("--courserun", KEY, "--create-cms-page", *options)
    assert CoursePage.objects.get(course=course).live == is_live


def test_a_program_is_walked_by_tag(site: CourseSite) -> None:
    first, second = make_source_course("course-v1:TesX+OC101", runs=()), make_source_course("course-v1:TesX+OC102")
    third = make_source_course("course-v1:TesX+OC103", runs=("1T2027",))
    program = make_program_of(first, second, third)
    rows = run_import("--program", program.readable_id, "--run-tag", "1T2027", "--price", "10")
    assert [row["outcome"] for row in rows] == ["imported", "unknown", "here already"]
    assert Product.objects.get().course_run == CourseRun.objects.get(courseware_id=KEY)
    assert run_import("--program", str(program.pk), "--run-tag", "1T2027")[0]["outcome"] == "here already"


def test_a_run_may_join_a_program_and_another_course(site: CourseSite) -> None:
    course = make_source_course("course-v1:TesX+OC101", runs=())
    program = make_program_of(make_source_course("course-v1:TesX+OC102"))
    run_import("--courserun", SOURCE, "--use-specific-course", course.readable_id, "--program", program.readable_id)
    assert CourseRun.objects.get(courseware_id=SOURCE).course == course
    assert course in courses_of_program(program.pk)


def test_runs_that_waited_for_a_source_get_it(site: CourseSite) -> None:
    course = make_source_course("course-v1:TesX+OC101", runs=())
    (waiting,) = runs_of(publish_contract(course))
    run_import("--courserun", KEY, "--use-specific-course", course.readable_id, "--source-course")
    waiting.refresh_from_db()
    assert waiting.source_run == CourseRun.objects.get(courseware_id=KEY, run_tag="SOURCE")
    assert waiting.lms_state == "pending"


def test_a_contract_takes_the_run(site: CourseSite) -> None:
    make_source_course("course-v1:TesX+OC101", runs=())
    page, other = publish_contract(name="One"), publish_contract(name="Two")
    run_import("--courserun", KEY, "--contract", str(page.pk))
    assert ContractRun.objects.get(course_run__courseware_id=KEY).contract_id == page.pk != other.pk


class TestBadInput:
    def test_unknown_keys_and_options_are_refused_in_words(self, site: CourseSite) -> None:
        make_source_course("course-v1:TesX+OC101", runs=())
        assert "Studio has no run with this key" in refusal_of("--courserun", "course-v1:A+B+C")
        assert "isn’t a course key" in refusal_of("--courserun", "OC101")
        assert "Write --courserun with a key" in refusal_of()
        assert "Write --courserun with a key" in refusal_of("--run-tag", "1T2027")
        assert "There is no program “nope”" in refusal_of("--program", "nope", "--run-tag", "x")
        assert "leave out --run-tag" in refusal_of("--courserun", KEY, "--run-tag", "1T2027")
        assert "need --create-cms-page" in refusal_of("--courserun", KEY, "--draft-cms-page")
        assert "There is no course" in refusal_of("--courserun", KEY, "--use-specific-course", "course-v1:X+Y")
        assert "can’t be negative" in refusal_of("--courserun", KEY, "--price", "-3")
        assert "contract" in refusal_of("--courserun", KEY, "--contract", "999999")
        assert not CourseRun.all_objects.exists()

    def test_a_new_course_needs_a_department(self, site: CourseSite) -> None:
        assert "Name it with --dept" in refusal_of("--courserun", KEY)
        assert "There is no department “Oceans”" in refusal_of("--courserun", KEY, "--dept", "Oceans")
        assert not Course.objects.exists()

    def test_another_courses_run_is_refused(self, site: CourseSite) -> None:
        make_public_run(make_source_course("course-v1:TesX+OC101", runs=()), "1T2027")
        other = make_source_course("course-v1:TesX+OC999", runs=())
        said = refusal_of("--courserun", KEY, "--use-specific-course", other.readable_id)
        assert "belongs to the course course-v1:TesX+OC101" in said

    def test_impossible_dates_are_refused(self, site: CourseSite) -> None:
        make_source_course("course-v1:TesX+OC101", runs=())
        site.state.runs[KEY].end = "2020-01-01T00:00:00Z"
        assert "Correct the dates there first" in refusal_of("--courserun", KEY)

    @pytest.mark.parametrize(
        ("manner", "words"),
        [
            ("forbidden", "You do not have permission"),
            ("malformed", "makes no sense"),
            ("html", "makes no sense"),
            ("error", "isn’t answering"),
            ("throttle", "busy"),
            ("conflict", "Another request"),
        ],
    )
    def test_a_course_site_in_trouble_is_named(self, site: CourseSite, manner: Any, words: str) -> None:
        make_source_course("course-v1:TesX+OC101", runs=())
        site.misbehave(manner, path="/course_runs/", times=9, retry_after=60)
        assert words in refusal_of("--courserun", KEY)
        assert not CourseRun.all_objects.exists()

    def test_trouble_that_passes_is_waited_for(self, site: CourseSite) -> None:
        make_source_course("course-v1:TesX+OC101", runs=())
        site.misbehave("unauthorized", path="/course_runs/")
        site.misbehave("bad_gateway", path="/course_runs/")
        assert run_import("--courserun", KEY)[0]["outcome"] == "imported"


def test_without_a_course_site_it_says_which_settings_are_missing() -> None:
    make_source_course("course-v1:TesX+OC101", runs=())
    assert "OPENEDX_API_BASE_URL" in refusal_of("--courserun", KEY)
