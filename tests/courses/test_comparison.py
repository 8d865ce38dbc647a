"""`compare_enrollments`: who is enrolled on one side only, or in another mode, and the repair of it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courses.enums import EnrollmentLmsState
from courses.gateways.openedx.client import OpenEdxClient
from courses.models import CourseRun, Enrollment, EnrollmentComparison, EnrollmentDifference
from courses.services import comparison
from courses.services.enrollments import enroll, revoke
from courses.tasks import compare_enrollments
from mitxonline.users.closing import close_account
from mitxonline.users.models import User
from tests.courses.openedx import connect
from tests.factories import NOON, make_course, make_run, make_user
from tests.openedx.server import CourseSite
from tests.openedx.worlds import deliver
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(course_site: CourseSite, settings: Any) -> CourseSite:
    connect(course_site, settings)
    return course_site


class World:
    """Two runs and three learners, all enrolled on both sides: Ada and Ben in both runs, Cleo in the first."""

    def __init__(self, site: CourseSite) -> None:
        self.site = site
        course = make_course("OC101")
        self.first, self.second = make_run(course, tag="T1"), make_run(course, tag="T2")
        self.ada, self.ben, self.cleo = (make_user(f"{name}@mail.example") for name in ("ada", "ben", "cleo"))
        for run in (self.first, self.second):
            site.state.add_run(run.courseware_id, run.title)
        for user in (self.ada, self.ben, self.cleo):
            site.state.add_account(user.email.partition("@")[0], user.email.title())
        for user, run in ((self.ada, self.first), (self.ada, self.second), (self.ben, self.first)):
            self.enroll(user, run)
        self.enroll(self.ben, self.second)
        self.enroll(self.cleo, self.first)
        deliver(event="courses.events.Learner")
        site.calls.clear()
        site.state.changes.clear()

    def enroll(self, user: User, run: CourseRun, mode: str = "audit") -> Enrollment:
        return enroll(user_id=user.pk, run_id=run.pk, mode=mode, source="free", now=NOON)

    def there(self, name: str, run: CourseRun) -> Any:
        return self.site.state.enrollments[name, run.courseware_id]


@pytest.fixture
def world(site: CourseSite) -> World:
    return World(site)


def compare(*arguments: str) -> set[tuple[str, str, str]]:
    out = StringIO()
    call_command("compare_enrollments", *arguments, "--format", "json", stdout=out, stderr=StringIO())
    return {(row["kind"], row["key"][-2:], row["learner"] or row["username"]) for row in json.loads(out.getvalue())}


def test_two_equal_sides_have_no_difference(world: World) -> None:
    assert compare() == set()
    last = EnrollmentComparison.objects.get()
    assert (last.runs, last.enrollments, last.differences, last.error) == (2, 5, 0, "")


def test_differences_are_listed_by_kind(world: World) -> None:
    del world.site.state.enrollments["ada", world.first.courseware_id]
    world.there("ben", world.first).is_active = False
    world.there("ada", world.second).mode = "verified"
    world.site.state.add_enrollment("cleo", world.second.courseware_id)
    world.site.state.add_account("dora", "dora@mail.example")
    world.site.state.add_enrollment("dora", world.second.courseware_id)
    expected = {
        ("missing", "T1", "ada@mail.example"),
        ("missing", "T1", "ben@mail.example"),
        ("mode", "T2", "ada@mail.example"),
        ("extra", "T2", "cleo@mail.example"),
        ("extra", "T2", "dora"),
    }
    assert compare() == expected
    assert compare() == expected
    assert EnrollmentDifference.objects.count() == len(expected)
    assert compare("--course", world.first.courseware_id) == {each for each in expected if each[1] == "T1"}


@pytest.mark.django_db(transaction=True)
def test_two_comparisons_at_once_find_each_difference_once(world: World, together: Together, meet_at: MeetAt) -> None:
    world.there("ben", world.first).is_active = False
    world.there("ada", world.second).mode = "verified"
    meeting = meet_at(comparison, "_compare_run", parties=2, before=True)
    client = OpenEdxClient.from_settings()
    # The later one of the clock may be the first to come.
    moments = [NOON, NOON + timedelta(seconds=1)]
    together(*[lambda now=now: comparison.compare_enrollments(client=client, now=now) for now in moments])
    assert meeting.happened
    found = list(EnrollmentDifference.objects.order_by("kind").values_list("kind", "run"))
    assert found == [("missing", world.first.pk), ("mode", world.second.pk)]


def test_a_repair_goes_the_usual_way(world: World) -> None:
    del world.site.state.enrollments["ada", world.first.courseware_id]
    world.there("ben", world.first).is_active = False
    world.there("ada", world.second).mode = "verified"
    revoke(user_id=world.ben.pk, run_id=world.second.pk, source="free", reference="", now=NOON)
    deliver(event="courses.events.Learner")
    world.there("ben", world.second).is_active = True
    world.site.state.add_enrollment("cleo", world.second.courseware_id)
    assert len(compare("--fix")) == 5
    deliver(event="courses.events.Enrollment")
    assert compare() == {("extra", "T2", "cleo@mail.example")}
    assert world.there("ada", world.first).is_active
    assert world.there("ada", world.second).mode == "audit"
    assert not world.there("ben", world.second).is_active
    assert world.there("cleo", world.second).is_active


def test_whom_it_enrolled_counts_before_whose_address_it_is(world: World) -> None:
    User.objects.filter(pk=world.ada.pk).update(email="ada@new.example")
    assert compare() == set()
    # Someone else who has the old address here by now, and was in the run.
    eve = make_user("ada@mail.example")
    world.enroll(eve, world.first)
    revoke(user_id=eve.pk, run_id=world.first.pk, source="free", reference="", now=NOON)
    Enrollment.objects.filter(user=eve).update(lms_state=EnrollmentLmsState.THERE)
    assert compare("--fix") == set()
    deliver(event="courses.events.Enrollment")
    assert world.there("ada", world.first).is_active


def test_who_deleted_their_account_is_unenrolled_by_a_repair(world: World) -> None:
    world.site.misbehave("forbidden", path="/enrollment/v1/enrollment", times=2)
    close_account(user_id=world.ben.pk, now=NOON, by_id=None)
    deliver(event="courses.events.Learner")
    world.ben.refresh_from_db()
    assert compare("--fix") == {("extra", key, world.ben.email) for key in ("T1", "T2")}
    deliver(event="courses.events.Enrollment")
    assert not world.there("ben", world.first).is_active
    assert compare() == set()


def test_an_account_there_that_was_never_activated_is_no_ones(world: World) -> None:
    """The same rule as for enrolling: anyone can register there with a learner's address."""
    dora, fred = make_user("dora@mail.example"), make_user("fred@mail.example")
    squatted = world.site.state.add_account("dora", dora.email, is_active=False)
    world.site.state.add_account("fred", fred.email)
    for user in (dora, fred):
        world.enroll(user, world.first)
        world.site.state.add_enrollment(user.email.partition("@")[0], world.first.courseware_id)
    deliver(event="courses.events.Learner")
    assert compare() == {("missing", "T1", dora.email), ("extra", "T1", "dora")}
    notes = set(EnrollmentDifference.objects.values_list("kind", "note"))
    assert ("extra", "Its account was never activated.") in notes
    squatted.is_active = True
    assert compare() == set()


def test_an_unconfirmed_address_is_no_proof_of_who_it_is(world: World) -> None:
    eve = make_user("eve@mail.example", email_verified_at=None)
    world.enroll(eve, world.first)
    Enrollment.objects.filter(user=eve).update(lms_state=EnrollmentLmsState.THERE)
    world.site.state.add_account("eve", "eve@mail.example")
    world.site.state.add_enrollment("eve", world.first.courseware_id)
    assert compare() == {("extra", "T1", "eve"), ("missing", "T1", "eve@mail.example")}


def test_what_is_on_its_way_is_no_difference(world: World) -> None:
    world.enroll(make_user("new@mail.example"), world.first)
    assert compare() == set()


def test_the_list_is_read_by_pages_and_the_queries_by_them(world: World) -> None:
    world.site.state.page_size = 20
    counted = []
    for first, last in ((0, 35), (35, 75)):
        for number in range(first, last):
            user = make_user(f"many{number}@mail.example")
            world.site.state.add_account(f"many{number}", user.email)
            world.site.state.add_enrollment(f"many{number}", world.first.courseware_id)
            world.enroll(user, world.first)
        Enrollment.objects.update(lms_state=EnrollmentLmsState.THERE)
        world.site.calls.clear()
        with CaptureQueriesContext(connection) as queries:
            assert compare("--course", world.first.courseware_id) == set()
        counted.append((world.site.count("/enrollments"), len(queries)))
    (few, some), (more, most) = counted
    assert (few, more) == (2, 4)
    assert (most - some) / (more - few) <= 3


def test_a_run_that_the_course_site_doesnt_list_is_named(world: World) -> None:
    world.site.misbehave("forbidden", path="/enrollments")
    with pytest.raises(CommandError, match="You do not have permission"):
        compare()
    last = EnrollmentComparison.objects.first()
    assert last is not None
    assert (last.runs, "You do not have permission" in last.error) == (1, True)


@pytest.mark.parametrize("manner", ["drop", "bad_gateway", "unauthorized", "throttle"])
@pytest.mark.parametrize("path", ["/enrollments", "/accounts"])
def test_trouble_that_passes_is_waited_for(world: World, manner: Any, path: str) -> None:
    world.site.misbehave(manner, path=path, retry_after=1)
    assert compare() == set()


@pytest.mark.parametrize("manner", ["error", "malformed", "html", "slow"])
def test_trouble_that_stays_keeps_what_was_known(world: World, settings: Any, manner: Any) -> None:
    del world.site.state.enrollments["ada", world.first.courseware_id]
    assert len(compare()) == 1
    settings.OPENEDX_TIMEOUT = 1
    world.site.misbehave(manner, path="/accounts", times=9, seconds=2)
    with pytest.raises(CommandError, match="course site"):
        compare()
    assert EnrollmentDifference.objects.count() == 1
    last = EnrollmentComparison.objects.first()
    assert last is not None
    assert last.error


def test_the_nightly_task_records_and_logs_without_addresses(world: World, caplog: Any) -> None:
    del world.site.state.enrollments["ada", world.first.courseware_id]
    with caplog.at_level(logging.INFO):
        compare_enrollments()
    assert EnrollmentDifference.objects.count() == 1
    assert "enrollments differ from the course site" in caplog.text
    assert "@" not in caplog.text


def test_staff_see_and_repair_the_differences(world: World, admin_client: Client) -> None:
    del world.site.state.enrollments["ada", world.first.courseware_id]
    compare_enrollments()
    text = admin_client.get(reverse("wagtailadmin_home")).content.decode()
    assert "Enrollments that differ from the course site" in text
    page = admin_client.get(reverse("enrollment_differences:index")).content.decode().replace("<wbr>", "")
    assert world.first.courseware_id in page
    number = EnrollmentDifference.objects.get().pk
    for _click in range(2):
        admin_client.post(reverse("enrollment_differences:repair"), {"difference": str(number)})
    deliver(event="courses.events.Enrollment")
    assert world.there("ada", world.first).is_active
    admin_client.post(reverse("enrollment_differences:repair"), {"difference": "x"})


def test_bad_input_gets_a_sentence(site: CourseSite) -> None:
    with pytest.raises(CommandError, match="There is no course or run nonsense here"):
        compare("--course", "nonsense")


def test_without_a_course_site() -> None:
    compare_enrollments()
    assert not EnrollmentComparison.objects.exists()
    with pytest.raises(CommandError, match="OPENEDX_API_BASE_URL"):
        compare()
