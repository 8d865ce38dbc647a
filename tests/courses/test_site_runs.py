"""A contract's runs in Studio: copied from their source, waited for, dated, and refused in words."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from b2b.services.courseware.courseware import RemoveCourseware, remove_courseware
from courses.enums import RunLmsState
from courses.errors import CourseSiteAway, CourseSiteBusy, CourseSiteUnavailable, RunNotInStudioYet
from courses.gateways.openedx.client import Server
from courses.gateways.openedx.studio import Studio
from courses.models import CourseRun
from courses.selectors.course_site import describe_run_in_course_site
from courses.services.site_runs import (
    COPY_PATIENCE,
    LOST_AFTER,
    ask_for_lost,
    bring_to_studio,
    start_waiting,
    try_again,
)
from courses.tasks import sweep_course_runs
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import close
from tests.b2b.worlds import NOW, add_to_contract, change_terms, make_public_run, make_source_course, runs_of
from tests.courses.openedx import Waits, connect, make_client
from tests.openedx.server import CourseSite
from tests.openedx.worlds import deliver, forget_deliveries, make_contract_with, make_courses

pytestmark = pytest.mark.django_db

START, END = date(2026, 1, 1), date(2026, 6, 30)
STARTS, ENDS = "2026-01-01T00:00:00Z", "2026-06-30T23:59:59Z"


@pytest.fixture
def site(course_site: CourseSite, settings: Any) -> CourseSite:
    connect(course_site, settings)
    return course_site


def copies(site: CourseSite) -> list[str]:
    return [change.course_id for change in site.state.changes if change.what == "copied"]


def states(*runs: CourseRun) -> list[str]:
    for run in runs:
        run.refresh_from_db()
    return [run.lms_state for run in runs]


def bring(run: CourseRun, site: CourseSite, *, now: datetime | None = None, timeout: float = 5) -> str:
    studio = Studio(make_client(site, Waits(), timeout=timeout))
    return bring_to_studio(run_id=run.pk, studio=studio, now=now or clock.now())


class TestMakingRuns:
    def test_a_contracts_runs_are_copied_from_their_sources_and_get_its_dates(self, site: CourseSite) -> None:
        _page, runs = make_contract_with(*make_courses(site), start=START, end=END)
        deliver()
        assert states(*runs) == ["there", "there"]
        assert copies(site) == [run.courseware_id for run in runs]
        for run in runs:
            there = site.state.runs[run.courseware_id]
            assert run.source_run is not None
            assert there.made_from == run.source_run.courseware_id
            assert (there.start, there.end) == (STARTS, ENDS)
            assert (there.enrollment_start, there.enrollment_end) == (STARTS, ENDS)
            assert (there.title, there.pacing_type) == (run.title, "self_paced")
            assert run.synced_start == datetime(2026, 1, 1, tzinfo=UTC)
            assert (run.is_made_by_us, run.lms_error) == (True, "")

    def test_a_source_in_the_same_organization_is_rerun(self, site: CourseSite) -> None:
        course, _other = make_courses(site)
        _page, (run,) = make_contract_with(course)
        source = run.source_run
        assert source is not None
        CourseRun.all_objects.filter(pk=source.pk).update(courseware_id="course-v1:UAI_UniversityX+SRC.1+SOURCE")
        site.state.add_run("course-v1:UAI_UniversityX+SRC.1+SOURCE", "Course 6.00")
        deliver()
        assert states(run) == ["there"]
        assert site.count("/rerun/", method="POST") == 1
        assert site.count("/clone/") == 0

    def test_doing_it_again_changes_nothing(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        deliver()
        before = list(site.state.changes)
        assert bring(run, site) == "nothing to do"
        CourseRun.all_objects.filter(pk=run.pk).update(lms_state=RunLmsState.PENDING)
        assert bring(run, site) == "made, with its dates"
        assert [change.what for change in site.state.changes] == [change.what for change in before]

    def test_it_is_polled_until_it_is_there(self, site: CourseSite) -> None:
        site.state.copy_polls = 3
        _page, (run,) = make_contract_with(make_courses(site)[0])
        deliver()
        assert states(run) == ["copying"]
        assert describe_run_in_course_site(run) == "Studio is copying the source run."
        deliver(later=timedelta(hours=1))
        deliver(later=timedelta(hours=3))
        deliver(later=timedelta(hours=6))
        assert states(run) == ["there"]
        assert len(copies(site)) == 1
        assert Delivery.objects.filter(state="failed").count() == 0

    def test_a_copy_that_never_appears_is_given_up_after_a_day(self, site: CourseSite) -> None:
        site.state.copy_polls = 1000
        _page, (run,) = make_contract_with(make_courses(site)[0])
        with pytest.raises(RunNotInStudioYet):
            bring(run, site)
        with pytest.raises(RunNotInStudioYet):
            bring(run, site, now=clock.now() + COPY_PATIENCE - timedelta(minutes=1))
        assert bring(run, site, now=clock.now() + COPY_PATIENCE + timedelta(minutes=1)) == "refused"
        assert states(run) == ["refused"]
        assert run.lms_error == "Studio began to copy the source, but there is no copy after a day."
        assert len(copies(site)) == 1

    def test_an_open_end_is_said_where_studio_keeps_the_sources(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        deliver()
        assert states(run) == ["there"]
        assert site.state.runs[run.courseware_id].end == "2031-01-01T00:00:00Z"
        assert "Remove the end there" in describe_run_in_course_site(run)

    def test_a_worker_killed_after_studios_answer_finds_the_run(self, site: CourseSite, monkeypatch: Any) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)

        class Killed(BaseException):
            pass

        real = Studio.copy

        def copy_and_die(self: Studio, source_key: str, key: str) -> None:
            real(self, source_key, key)
            raise Killed

        monkeypatch.setattr(Studio, "copy", copy_and_die)
        with pytest.raises(Killed):
            bring(run, site)
        monkeypatch.setattr(Studio, "copy", real)
        assert states(run) == ["pending"]
        assert bring(run, site) == "made, with its dates"
        assert copies(site) == [run.courseware_id]
        assert site.state.runs[run.courseware_id].end == ENDS

    def test_killed_while_studio_still_copies_it_isnt_made_twice(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        site.state.copy_polls = 2
        site.misbehave("lost", path="/clone/")
        with pytest.raises(CourseSiteUnavailable):
            bring(run, site)
        assert states(run) == ["pending"]
        with pytest.raises(RunNotInStudioYet):
            bring(run, site)
        assert states(run) == ["copying"]
        assert bring(run, site) == "made, with its dates"
        assert len(copies(site)) == 1


class TestMisbehavior:
    @pytest.mark.parametrize("path", ["/course_runs/", "/clone/"])
    @pytest.mark.parametrize(
        "manner",
        ["drop", "lost", "error", "bad_gateway", "unavailable", "gateway_timeout", "malformed", "html", "throttle"],
    )
    def test_trouble_that_may_pass_is_waited_for(self, site: CourseSite, manner: Any, path: str) -> None:
        _page, (run, other) = make_contract_with(*make_courses(site), start=START, end=END)
        site.misbehave(manner, path=path, times=3, retry_after=60)
        with suppress(CourseSiteUnavailable):
            bring(run, site)
        if states(run) != ["there"]:
            assert run.lms_state in ("pending", "copying")
            assert describe_run_in_course_site(run) == run.lms_error != ""
        site.behave()
        close(Server.STUDIO)
        for _attempt in range(3):
            bring(run, site)
        assert states(run, other) == ["there", "pending"]
        assert (run.lms_error, copies(site)) == ("", [run.courseware_id])

    @pytest.mark.parametrize("manner", ["slow", "late"])
    @pytest.mark.parametrize("path", ["/clone/", "2025_C"])
    def test_an_answer_after_the_timeout_makes_no_second_run(self, site: CourseSite, manner: Any, path: str) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        site.misbehave(manner, path=path, seconds=1.2)
        with pytest.raises(CourseSiteAway):
            bring(run, site, timeout=0.3)
        site.is_over.wait(1.2)
        assert bring(run, site) == "made, with its dates"
        assert copies(site) == [run.courseware_id]
        assert site.state.runs[run.courseware_id].start == STARTS

    def test_a_token_that_expired_is_renewed(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        site.misbehave("unauthorized", path="/course_runs/")
        assert bring(run, site) == "made, with its dates"

    def test_a_conflict_is_with_a_request_that_ends(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        site.misbehave("conflict", path="/clone/")
        with pytest.raises(RunNotInStudioYet):
            bring(run, site)
        site.state.add_run(run.courseware_id, run.title)
        assert bring(run, site) == "made, with its dates"

    def test_rights_that_are_missing_are_said_and_tried_again_on_request(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        site.misbehave("forbidden", path="/clone/")
        deliver()
        assert states(run) == ["refused"]
        assert run.lms_error == "The course site refused: You do not have permission to perform this action."
        assert try_again(run_ids=[run.pk], now=clock.now()) == 1
        assert try_again(run_ids=[run.pk], now=clock.now()) == 0
        deliver()
        assert states(run) == ["there"]

    def test_a_source_that_studio_doesnt_know_is_refused_in_its_words(self, site: CourseSite) -> None:
        _page, (run, other) = make_contract_with(*make_courses(site), start=START, end=END)
        assert run.source_run is not None
        del site.state.runs[run.source_run.courseware_id]
        deliver()
        assert states(run, other) == ["refused", "there"]
        assert run.lms_error == "The course site refused: Source course does not exist."

    def test_a_wrong_secret_is_said_and_the_run_waits(self, site: CourseSite, settings: Any) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = "a-secret-of-yesterday"
        deliver()
        assert states(run) == ["pending"]
        assert "its secret is wrong" in describe_run_in_course_site(run)
        assert "yesterday" not in Delivery.objects.get(event_type="courses.events.RunRequested").last_error

    def test_busy_for_longer_than_a_worker_waits(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        site.misbehave("throttle", path="/course_runs/", times=9, retry_after=600)
        with pytest.raises(CourseSiteBusy):
            bring(run, site)
        assert states(run) == ["pending"]


class TestExistingKeys:
    def test_one_with_the_title_of_our_run_is_taken_over(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        site.state.add_run(run.courseware_id, f" {run.title.upper()} ")
        deliver()
        assert states(run) == ["there"]
        assert copies(site) == []
        assert site.state.runs[run.courseware_id].start == STARTS

    def test_one_with_the_sources_title_in_studio_is_taken_over(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        assert run.source_run is not None
        site.state.runs[run.source_run.courseware_id].title = "Ocean chemistry, newly named"
        site.state.add_run(run.courseware_id, "Ocean chemistry, newly named")
        deliver()
        assert states(run) == ["there"]

    def test_another_course_is_left_alone(self, site: CourseSite) -> None:
        _page, (run, other) = make_contract_with(*make_courses(site))
        theirs = site.state.add_run(run.courseware_id, "Something else entirely")
        deliver()
        assert states(run, other) == ["refused", "there"]
        assert run.lms_error == "Studio has another course with this key: “Something else entirely”."
        assert (theirs.start, run.is_made_by_us) == ("2030-01-01T00:00:00Z", False)

    def test_another_course_that_appears_meanwhile_is_left_alone_too(self, site: CourseSite) -> None:
        _page, (run,) = make_contract_with(make_courses(site)[0])
        site.state.add_run(run.courseware_id, "Something else entirely", polls_left=2)
        with pytest.raises(RunNotInStudioYet):
            bring(run, site)
        assert bring(run, site) == "refused"
        assert site.count(method="PATCH") == 0


class TestSources:
    def test_a_run_without_a_source_waits_and_says_so(self, site: CourseSite) -> None:
        course = make_source_course("course-v1:MITx+9.00", runs=())
        other = make_source_course("course-v1:MITx+9.01", runs=())
        _page, (run, second) = make_contract_with(course, other)
        deliver()
        assert states(run, second) == ["waiting_for_source"] * 2
        assert "The course has no run to copy yet" in describe_run_in_course_site(run)
        assert site.calls == []
        source = make_public_run(course, "SOURCE")
        site.state.add_run(source.courseware_id, course.title)
        sweep_course_runs()
        deliver()
        assert states(run, second) == ["there", "waiting_for_source"]
        assert run.source_run == source
        assert start_waiting(now=clock.now()) == 0

    def test_the_run_tagged_source_is_chosen(self, site: CourseSite) -> None:
        course = make_source_course("course-v1:MITx+9.00", runs=())
        _page, (run,) = make_contract_with(course)
        make_public_run(course, "1T2024")
        source = make_public_run(course, "SOURCE")
        start_waiting(now=clock.now())
        run.refresh_from_db()
        assert run.source_run == source

    def test_another_contracts_run_is_no_source(self, site: CourseSite) -> None:
        course = make_source_course("course-v1:MITx+9.00", runs=())
        make_contract_with(course, name="First")
        make_contract_with(course, name="Second")
        assert start_waiting(now=clock.now()) == 0


class TestChangedDates:
    def test_new_dates_of_the_contract_reach_studio(self, site: CourseSite) -> None:
        page, (run, other) = make_contract_with(*make_courses(site), start=START, end=END)
        deliver()
        calls = site.count(method="PATCH")
        change_terms(page, contract_end=date(2026, 12, 31))
        deliver()
        assert [site.state.runs[each.courseware_id].end for each in (run, other)] == ["2026-12-31T23:59:59Z"] * 2
        assert site.count(method="PATCH") == calls + 2
        assert states(run) == ["there"]
        assert run.synced_end == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)

    def test_dates_changed_before_it_was_made_are_the_ones_it_gets(self, site: CourseSite) -> None:
        page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        change_terms(page, contract_end=date(2026, 12, 31))
        deliver()
        assert site.state.runs[run.courseware_id].end == "2026-12-31T23:59:59Z"

    def test_a_removed_run_closes_in_studio(self, site: CourseSite) -> None:
        course, _other = make_courses(site)
        page, (run,) = make_contract_with(course, start=START, end=END)
        deliver()
        now = datetime(2026, 2, 1, 12, tzinfo=UTC)
        remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=course.readable_id), now=now)
        deliver()
        assert site.state.runs[run.courseware_id].enrollment_end == "2026-02-01T12:00:00Z"

    def test_runs_that_studio_didnt_make_for_us_are_left_alone(self, site: CourseSite) -> None:
        course, _other = make_courses(site)
        page, _runs = make_contract_with(start=START, end=END)
        add_to_contract(page, course.runs.get())
        change_terms(page, contract_end=date(2026, 12, 31))
        deliver()
        assert site.calls == []

    def test_refused_dates_are_said(self, site: CourseSite) -> None:
        page, (run,) = make_contract_with(make_courses(site)[0], start=START, end=END)
        deliver()
        site.misbehave("forbidden", path=run.courseware_id, method="PATCH")
        change_terms(page, contract_end=date(2026, 12, 31))
        deliver()
        assert states(run) == ["refused"]
        try_again(run_ids=[run.pk], now=clock.now())
        deliver()
        assert site.state.runs[run.courseware_id].end == "2026-12-31T23:59:59Z"


class TestLostRequests:
    def test_a_run_no_one_tried_for_hours_is_requested_again(self, site: CourseSite) -> None:
        _page, (run, other) = make_contract_with(*make_courses(site))
        forget_deliveries()
        assert ask_for_lost(now=clock.now()) == 2
        assert ask_for_lost(now=clock.now()) == 0
        forget_deliveries()
        CourseRun.all_objects.update(lms_tried_at=clock.now() - LOST_AFTER - timedelta(minutes=1))
        sweep_course_runs()
        deliver()
        assert states(run, other) == ["there", "there"]

    def test_dates_that_were_lost_are_sent(self, site: CourseSite) -> None:
        page, (run, _other) = make_contract_with(*make_courses(site), start=START, end=END)
        deliver()
        later = clock.now() + LOST_AFTER + timedelta(minutes=1)
        assert ask_for_lost(now=later) == 0
        change_terms(page, contract_end=date(2026, 12, 31))
        forget_deliveries()
        assert ask_for_lost(now=later) == 2
        deliver()
        assert site.state.runs[run.courseware_id].end == "2026-12-31T23:59:59Z"
        assert ask_for_lost(now=later + 2 * LOST_AFTER) == 0

    def test_an_open_end_that_studio_keeps_isnt_sent_for_ever(self, site: CourseSite) -> None:
        make_contract_with(*make_courses(site))
        deliver()
        assert ask_for_lost(now=clock.now() + LOST_AFTER + timedelta(minutes=1)) == 0


class TestWithoutCourseSite:
    def test_runs_wait_and_say_so_until_there_is_a_studio(self, course_site: CourseSite, settings: Any) -> None:
        _page, (run,) = make_contract_with(make_courses(course_site)[0])
        deliver()
        sweep_course_runs()
        assert states(run) == ["pending"]
        assert describe_run_in_course_site(run) == "Studio isn’t connected, so the run is only here for now."
        connect(course_site, settings)
        sweep_course_runs()
        deliver()
        assert states(run) == ["there"]


def test_an_unknown_state_and_a_refusal_without_a_reason_are_impossible(site: CourseSite) -> None:
    _page, (run,) = make_contract_with(make_courses(site)[0])
    for values in ({"lms_state": "sent"}, {"lms_state": "refused", "lms_error": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            CourseRun.all_objects.filter(pk=run.pk).update(**values)


def test_many_runs_are_one_request() -> None:
    courses = [make_source_course(f"course-v1:MITx+{number}x") for number in range(5)]
    page, _runs = make_contract_with(*courses, now=NOW)
    assert len(runs_of(page)) == 5
    requests = Delivery.objects.filter(event_type="courses.events.RunsRequested")
    assert [len(each.payload["run_ids"]) for each in requests] == [5]


def test_the_contracts_list_says_why_a_run_isnt_there(site: CourseSite, admin_client: Client) -> None:
    nameless = make_source_course("course-v1:MITx+9.00", runs=())
    page, _runs = make_contract_with(make_courses(site)[0], nameless)
    site.misbehave("forbidden", path="/clone/")
    deliver()
    text = admin_client.get(reverse("b2b_contracts:courseware", args=[page.pk])).content.decode()
    assert "The course site refused: You do not have permission to perform this action." in text
    assert "The course has no run to copy yet." in text
