"""`sync_courseruns`: Studio's titles and dates come in, and what people set by hand here stays."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courses.models import CourseRun
from courses.tasks import sync_courseruns
from tests.b2b.worlds import change_terms, make_public_run, make_source_course
from tests.courses.openedx import connect
from tests.openedx.server import CourseSite
from tests.openedx.worlds import deliver, make_contract_with, make_courses

pytestmark = pytest.mark.django_db

JANUARY, MAY, JUNE = (datetime(2027, month, 1, tzinfo=UTC) for month in (1, 5, 6))


@pytest.fixture
def site(course_site: CourseSite, settings: Any) -> CourseSite:
    connect(course_site, settings)
    return course_site


def make_pair(site: CourseSite) -> tuple[CourseRun, CourseRun]:
    """Make two runs that were compared once, and are the same on both sides."""
    course = make_source_course("course-v1:TesX+OC101", title="Ocean", runs=())
    runs = [make_public_run(course, tag, start_date=JANUARY, end_date=JUNE) for tag in ("T1", "T2")]
    for run in runs:
        site.state.add_run(run.courseware_id, "Ocean", start=stamp(JANUARY), end=stamp(JUNE))
    run_sync()
    return runs[0], runs[1]


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def run_sync(*arguments: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("sync_courseruns", *arguments, "--format", "json", stdout=out, stderr=StringIO())
    rows: list[dict[str, Any]] = json.loads(out.getvalue())
    return rows


def test_what_studio_changed_comes_in(site: CourseSite) -> None:
    run, other = make_pair(site)
    there = site.state.runs[run.courseware_id]
    there.title, there.start, there.enrollment_end = "Ocean chemistry", stamp(MAY), stamp(JUNE)
    (row,) = run_sync()
    assert (row["outcome"], row["key"]) == ("changed", run.courseware_id)
    run.refresh_from_db()
    assert (run.title, run.start_date, run.end_date, run.enrollment_end) == ("Ocean chemistry", MAY, JUNE, JUNE)
    other.refresh_from_db()
    assert (other.title, other.start_date) == ("Ocean", JANUARY)
    assert run_sync() == []


def test_what_was_set_by_hand_here_is_reported_and_stays(site: CourseSite) -> None:
    run, _other = make_pair(site)
    CourseRun.objects.filter(pk=run.pk).update(title="By hand", end_date=MAY)
    there = site.state.runs[run.courseware_id]
    there.title, there.start = "Ocean chemistry", stamp(datetime(2027, 2, 1, tzinfo=UTC))
    for _night in range(2):
        (row,) = run_sync()
        assert row["outcome"] == "kept"
        assert "title: “By hand” here, “Ocean chemistry” in Studio (set by hand, stays)" in row["notes"]
    run.refresh_from_db()
    assert (run.title, run.end_date) == ("By hand", MAY)
    assert run.start_date == datetime(2027, 2, 1, tzinfo=UTC)
    run_sync("--courserun", run.courseware_id, "--overwrite")
    run.refresh_from_db()
    assert (run.title, run.end_date) == ("Ocean chemistry", JUNE)


def test_staff_see_what_was_set_by_hand_where_they_look_after_runs(site: CourseSite, admin_client: Client) -> None:
    run, other = make_pair(site)
    copy = make_public_run(run.course, "T3", start_date=MAY)
    CourseRun.objects.filter(pk=copy.pk).update(lms_state="there", is_made_by_us=True)

    def show(address: str) -> str:
        return admin_client.get(address).content.decode().replace("<wbr>", "")

    index, section = reverse("site_runs:index"), reverse("course_overview:course", args=[run.course_id])
    page = show(index)
    assert copy.courseware_id in page
    assert run.courseware_id not in page
    CourseRun.objects.filter(pk=run.pk).update(title="By hand", end_date=MAY, start_date=None)
    # Not a difference: Studio keeps whole seconds.
    CourseRun.objects.filter(pk=other.pk).update(end_date=JUNE.replace(microsecond=7))
    run_sync()
    for address in (index, f"{index}?studio=differs", section):
        page = show(address)
        assert "Title: “By hand” here, “Ocean” in Studio." in page
        assert "Starts: nothing here, 1 January 2027, 00:00 UTC in Studio." in page
        assert "Ends: 1 May 2027, 00:00 UTC here, " in page
        assert page.count("in Studio.") == 3
    assert copy.courseware_id not in show(f"{index}?studio=differs")
    run_sync("--courserun", run.courseware_id, "--overwrite")
    assert "in Studio." not in show(index)


def test_the_first_time_only_what_is_empty_is_filled(site: CourseSite) -> None:
    course = make_source_course("course-v1:TesX+OC101", title="Ocean", runs=())
    run = make_public_run(course, "T1", start_date=JANUARY)
    site.state.add_run(run.courseware_id, "Ocean", start=stamp(MAY), end=stamp(JUNE))
    (row,) = run_sync()
    run.refresh_from_db()
    assert (row["outcome"], run.start_date, run.end_date) == ("kept", JANUARY, JUNE)


def test_a_dry_run_writes_nothing(site: CourseSite) -> None:
    run, _other = make_pair(site)
    site.state.runs[run.courseware_id].title = "Ocean chemistry"
    dry = run_sync("--dry-run")
    run.refresh_from_db()
    assert run.title == "Ocean"
    assert run_sync() == dry


def test_dates_that_cant_be_are_a_problem_of_that_run_alone(site: CourseSite) -> None:
    run, other = make_pair(site)
    CourseRun.objects.filter(pk=run.pk).update(end_date=MAY)
    for each in (run, other):
        site.state.runs[each.courseware_id].start = stamp(datetime(2027, 5, 20, tzinfo=UTC))
    outcomes = {row["key"]: row["outcome"] for row in run_sync()}
    assert outcomes == {run.courseware_id: "problem", other.courseware_id: "changed"}


def test_a_run_that_studio_lost_is_named(site: CourseSite) -> None:
    run, _other = make_pair(site)
    del site.state.runs[run.courseware_id]
    assert [(row["outcome"], row["key"]) for row in run_sync()] == [("gone", run.courseware_id)]
    with pytest.raises(CommandError, match="Studio doesn’t have all of these runs"):
        run_sync("--courserun", run.courseware_id)


def test_a_contracts_dates_aren_t_undone_by_an_earlier_answer(site: CourseSite) -> None:
    page, (run,) = make_contract_with(make_courses(site)[0], start=date(2027, 1, 1), end=date(2027, 6, 30))
    deliver()
    run_sync()
    change_terms(page, contract_end=date(2027, 12, 31))
    run_sync()
    deliver()
    run.refresh_from_db()
    assert run.end_date is not None
    assert run.end_date.month == 12
    assert site.state.runs[run.courseware_id].end == "2027-12-31T23:59:59Z"
    assert run.courseware_id not in [row["key"] for row in run_sync()]


def test_many_runs_cost_calls_and_queries_by_the_page(site: CourseSite) -> None:
    course = make_source_course("course-v1:TesX+OC101", title="Ocean", runs=())
    counted = []
    for first, last in ((0, 100), (100, 300)):
        CourseRun.objects.bulk_create(
            CourseRun(course=course, courseware_id=f"{course.readable_id}+T{n}", run_tag=f"T{n}", title="Ocean")
            for n in range(first, last)
        )
        for number in range(first, last):
            site.state.add_run(f"{course.readable_id}+T{number}", "Ocean chemistry", start=stamp(MAY))
        site.calls.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            run_sync()
        counted.append((site.count("/course_runs/"), len(queries)))
    assert [calls for calls, _queries in counted] == [1, 3]
    per_page = (counted[1][1] - counted[0][1]) / 2
    assert per_page <= 6


@pytest.mark.parametrize("manner", ["drop", "bad_gateway", "unavailable", "unauthorized"])
def test_trouble_that_passes_is_waited_for(site: CourseSite, manner: Any) -> None:
    run, _other = make_pair(site)
    site.state.runs[run.courseware_id].title = "Ocean chemistry"
    site.misbehave(manner, path="/course_runs/")
    assert [row["outcome"] for row in run_sync()] == ["changed"]


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        ("forbidden", "You do not have permission"),
        ("conflict", "Another request"),
        ("malformed", "makes no sense"),
        ("html", "makes no sense"),
        ("error", "isn’t answering"),
        ("throttle", "busy"),
        ("slow", "isn’t answering"),
    ],
)
def test_trouble_that_stays_is_named_and_changes_nothing(
    site: CourseSite, settings: Any, manner: Any, words: str
) -> None:
    run, _other = make_pair(site)
    settings.OPENEDX_TIMEOUT = 1
    site.state.runs[run.courseware_id].title = "Ocean chemistry"
    site.misbehave(manner, path="/course_runs/", times=9, retry_after=60, seconds=3)
    with pytest.raises(CommandError, match=words):
        run_sync()
    run.refresh_from_db()
    assert run.title == "Ocean"


def test_bad_options_are_refused_in_words(site: CourseSite) -> None:
    with pytest.raises(CommandError, match="There is no run course-v1:A"):
        run_sync("--courserun", "course-v1:A+B+C")
    with pytest.raises(CommandError, match="name the runs with --courserun"):
        run_sync("--overwrite")


def test_without_a_course_site_the_task_does_nothing_and_the_command_says_why() -> None:
    sync_courseruns()
    with pytest.raises(CommandError, match="OPENEDX_API_BASE_URL"):
        run_sync()
