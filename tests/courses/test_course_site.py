"""Enrollments on the course site: whatever happens on the way, it ends up saying what the row says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from social_django.models import UserSocialAuth

from courses.enums import EnrollmentLmsState, EnrollmentMode, EnrollmentSource
from courses.errors import EnrollmentKeepsChanging, EnrollmentNotForceable, EnrollmentUnknown
from courses.gateways.openedx import client as client_module
from courses.gateways.openedx.client import OpenEdxClient, Server
from courses.gateways.openedx.enrollments import enroll as enroll_there
from courses.models import CourseRun, Enrollment
from courses.services import course_site as service
from courses.services.course_site import ask_about, ask_for_learner, force_enrollment, send_again, send_enrollment
from courses.services.enrollments import downgrade, enroll, revoke
from courses.tasks import sweep_enrollments
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import close
from mitxonline.users.closing import close_account
from mitxonline.users.models import User
from tests.courses.openedx import connect, said, work
from tests.factories import NOON, make_run, make_user
from tests.openedx.server import CourseSite, Manner
from tests.support.together import Together

pytestmark = pytest.mark.django_db

AUDIT, VERIFIED = EnrollmentMode.AUDIT, EnrollmentMode.VERIFIED
PENDING, WAITING = EnrollmentLmsState.PENDING, EnrollmentLmsState.WAITING
THERE, REFUSED = EnrollmentLmsState.THERE, EnrollmentLmsState.REFUSED
ENROLL = "/api/enrollment/v1/enrollment"
WORKER = "/api/"


@dataclass
class World:
    """Two learners whom the course site knows, and two runs that both sides have."""

    site: CourseSite
    ada: User
    bob: User
    run: CourseRun
    other: CourseRun


@pytest.fixture
def world(course_site: CourseSite, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    connect(course_site, settings)
    monkeypatch.setattr(client_module, "_PAUSES", (0.0, 0.0))
    made = World(
        site=course_site,
        ada=make_user("ada@mail.example"),
        bob=make_user("bob@mail.example"),
        run=make_run(),
        other=make_run(),
    )
    for name, user in (("ada", made.ada), ("bob", made.bob)):
        course_site.state.add_account(name, user.email)
    for run in (made.run, made.other):
        course_site.state.add_run(run.courseware_id, run.title)
    return made


def give(user: User, run: CourseRun, *, mode: str = AUDIT, reference: str = "TS-1") -> Enrollment:
    return enroll(
        user_id=user.pk, run_id=run.pk, mode=mode, source=EnrollmentSource.ORDER, reference=reference, now=clock.now()
    )


def take(user: User, run: CourseRun, *, reference: str = "TS-1") -> None:
    revoke(user_id=user.pk, run_id=run.pk, source=EnrollmentSource.ORDER, reference=reference, now=clock.now())


def state_of(row: Enrollment) -> tuple[str, str]:
    row.refresh_from_db()
    return row.lms_state, row.lms_error


def changes(site: CourseSite) -> list[tuple[str, str]]:
    return [(each.what, each.user) for each in site.state.changes]


def last_delivery() -> Delivery:
    return Delivery.objects.latest("pk")


# What is sent


def test_enrolling_changing_the_mode_and_leaving_follow_the_row(world: World) -> None:
    ada, bob = give(world.ada, world.run), give(world.bob, world.other, mode=VERIFIED)
    assert work() == ["enrolled, audit", "enrolled, verified"]
    assert (state_of(ada), state_of(bob)) == ((THERE, ""), (THERE, ""))
    assert (said(world.site, "ada", world.run), said(world.site, "bob", world.other)) == (
        ("audit", True),
        ("verified", True),
    )
    give(world.ada, world.run, mode=VERIFIED, reference="TS-2")
    assert state_of(ada) == (PENDING, "")
    assert work() == ["enrolled, verified"]
    downgrade(
        user_id=world.ada.pk, run_id=world.run.pk, source=EnrollmentSource.ORDER, reference="TS-2", now=clock.now()
    )
    assert work() == ["enrolled, audit"]
    take(world.ada, world.run)
    assert work() == [], "the second grant holds"
    revoke(user_id=world.ada.pk, run_id=world.run.pk, source=EnrollmentSource.ORDER, reference="TS-2", now=clock.now())
    assert work() == ["unenrolled"]
    assert said(world.site, "ada", world.run) == ("audit", False)
    assert said(world.site, "bob", world.other) == ("verified", True)
    give(world.ada, world.run, reference="TS-3")
    assert work() == ["enrolled, audit"]
    assert said(world.site, "ada", world.run) == ("audit", True)


def test_the_same_event_twice_is_one_effective_call(world: World) -> None:
    row = give(world.ada, world.run)
    first = last_delivery()
    work()
    Delivery.objects.filter(pk=first.pk).update(state=DeliveryState.PENDING, finished_at=None)
    assert work() == ["there already"]
    assert world.site.count(ENROLL, method="POST") == 1
    assert changes(world.site) == [("enrolled", "ada")]
    assert state_of(row) == (THERE, "")


def test_an_old_event_sends_what_the_row_says_now(world: World) -> None:
    give(world.ada, world.run)
    take(world.ada, world.run)
    assert work() == ["wasn’t enrolled there", "there already"]
    assert said(world.site, "ada", world.run) is None, "never enrolled, so never an e-mail about it"


def test_deliveries_of_one_enrollment_wait_for_each_other_and_not_for_others(world: World) -> None:
    give(world.ada, world.run)
    give(world.ada, world.run, mode=VERIFIED, reference="TS-2")
    give(world.ada, world.other)
    world.site.misbehave("error", path=ENROLL)
    failed, other = work()
    assert failed.startswith("courses.errors.CourseSiteAway")
    assert other == "enrolled, audit"
    assert said(world.site, "ada", world.run) is None
    assert work() == ["enrolled, verified", "there already"]


def test_people_connected_with_the_course_site_are_found_by_their_id_there(world: World, settings: Any) -> None:
    settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT = "https://lms.example"
    carl = make_user("carl@work.example", email_verified_at=None)
    world.site.state.add_account("carl", "carl@home.example")
    UserSocialAuth.objects.create(user=carl, provider="edx-oauth2", uid="https://lms.example#3")
    give(carl, world.run)
    assert work() == ["enrolled, audit"]
    assert said(world.site, "carl", world.run) == ("audit", True)


def test_losing_the_stronger_of_two_grants_changes_the_mode_there_too(world: World) -> None:
    row = give(world.ada, world.run)
    give(world.ada, world.run, mode=VERIFIED, reference="TS-2")
    work()
    take(world.ada, world.run, reference="TS-2")
    assert work() == ["enrolled, audit"]
    assert (said(world.site, "ada", world.run), state_of(row)) == (("audit", True), (THERE, ""))


def test_a_deleted_account_is_unenrolled_by_the_name_it_has_there(world: World) -> None:
    rows = [give(world.ada, world.run), give(world.ada, world.other), give(world.bob, world.run)]
    work()
    close_account(user_id=world.ada.pk, now=clock.now(), by_id=None)
    assert work() == ["unenrolled"] * 2
    assert [said(world.site, "ada", run) for run in (world.run, world.other)] == [("audit", False)] * 2
    assert said(world.site, "bob", world.run) == ("audit", True)
    rows[0].refresh_from_db()
    assert rows[0].lms_username == "", "nothing of the person stays"


def test_who_deletes_their_account_after_a_lost_answer_is_unenrolled_too(world: World) -> None:
    give(world.bob, world.run)
    work()
    world.site.misbehave("lost", path=ENROLL, times=3)
    row = give(world.ada, world.run)
    work()
    close(Server.LMS)
    assert said(world.site, "ada", world.run) == ("audit", True), "the work was done"
    assert state_of(row) == (PENDING, "")
    close_account(user_id=world.ada.pk, now=clock.now(), by_id=None)
    work()
    assert said(world.site, "ada", world.run) == ("audit", False)
    row.refresh_from_db()
    assert (row.lms_state, row.lms_username) == (THERE, "")
    assert said(world.site, "bob", world.run) == ("audit", True)


def test_whom_the_site_refused_isnt_kept_as_enrolled(world: World) -> None:
    world.site.misbehave("forbidden", path=ENROLL)
    row = give(world.ada, world.run)
    work()
    row.refresh_from_db()
    assert (row.lms_state, row.lms_username) == (REFUSED, "")


def test_who_deleted_their_account_and_came_back_stays_enrolled_there(world: World) -> None:
    old, other = give(world.ada, world.run), give(world.ada, world.other)
    work()
    close_account(user_id=world.ada.pk, now=clock.now(), by_id=None)
    again = make_user("ada@mail.example")
    new = give(again, world.run)
    send_enrollment(enrollment_id=new.pk, client=OpenEdxClient.from_settings(), now=clock.now())
    assert sorted(work()) == ["stays for another account here", "there already", "unenrolled"]
    assert (said(world.site, "ada", world.run), said(world.site, "ada", world.other)) == (
        ("audit", True),
        ("audit", False),
    )
    assert [state_of(row) for row in (old, other, new)] == [(THERE, "")] * 3
    take(again, world.run)
    assert work() == ["unenrolled"]


def test_a_learner_with_a_new_address_keeps_their_account_there(world: World) -> None:
    give(world.ada, world.run)
    work()
    User.objects.filter(pk=world.ada.pk).update(email="ada@new.example")
    give(world.ada, world.run, mode=VERIFIED, reference="TS-2")
    assert work() == ["enrolled, verified"]
    assert said(world.site, "ada", world.run) == ("verified", True)
    del world.site.state.accounts["ada"]
    world.site.state.add_account("ada2", "ada@new.example")
    take(world.ada, world.run, reference="TS-2")
    assert work() == ["enrolled, audit"]
    assert said(world.site, "ada2", world.run) == ("audit", True), "the old account is gone"


# What goes wrong on the way


@pytest.mark.parametrize("manner", ["throttle", "bad_gateway", "unavailable", "gateway_timeout", "drop", "lost"])
@pytest.mark.parametrize("path", ["/oauth2/access_token", "/api/user", ENROLL])
def test_what_passes_costs_no_attempt(world: World, manner: Manner, path: str) -> None:
    world.site.misbehave(manner, path=path, times=2, retry_after=0)
    row = give(world.ada, world.run)
    give(world.bob, world.other)
    assert work() == ["enrolled, audit", "enrolled, audit"]
    assert state_of(row) == (THERE, "")
    assert changes(world.site) == [("enrolled", "ada"), ("enrolled", "bob")]


@pytest.mark.parametrize("manner", ["error", "malformed", "html", "conflict", "slow", "late"])
def test_what_lasts_is_tried_again_later(world: World, manner: Manner, settings: Any) -> None:
    settings.OPENEDX_TIMEOUT = 1
    world.site.misbehave(manner, path=ENROLL, times=1, seconds=2)
    row = give(world.ada, world.run)
    assert "CourseSite" in work()[0]
    assert state_of(row) == (PENDING, "")
    assert work() == ["enrolled, audit"]
    assert changes(world.site) == [("enrolled", "ada")], "also where the work was done before the answer was lost"


def test_failing_for_a_while_opens_the_breaker_and_loses_nothing(world: World) -> None:
    world.site.misbehave("error", path=WORKER, times=3)
    rows = [give(user, run) for user in (world.ada, world.bob) for run in (world.run, world.other)]
    assert len([result for result in work() if "CourseSiteAway" in result]) == 4
    assert world.site.count(WORKER) == 3, "the fourth wasn't made"
    close(Server.LMS)
    assert work() == ["enrolled, audit"] * 4
    assert {state_of(row) for row in rows} == {(THERE, "")}


def test_a_token_that_is_refused_once_is_renewed(world: World) -> None:
    world.site.misbehave("unauthorized", path=ENROLL)
    give(world.ada, world.run)
    assert work() == ["enrolled, audit"]


def test_a_wrong_secret_leaves_everything_waiting(world: World, settings: Any) -> None:
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = "another"
    row = give(world.ada, world.run)
    assert "CourseSiteSecretWrong" in work()[0]
    assert state_of(row) == (PENDING, "")


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda site, run: site.misbehave("forbidden", path=ENROLL), "You do not have permission"),
        (lambda site, run: site.misbehave("forbidden", path="/api/user"), "You do not have permission"),
        (lambda site, run: site.state.runs.pop(run.courseware_id), "No course"),
        (lambda site, run: setattr(site.state.runs[run.courseware_id], "modes", ("honor",)), "The [audit] course mode"),
    ],
)
def test_a_refusal_keeps_the_sites_own_sentence(world: World, prepare: Any, sentence: str) -> None:
    prepare(world.site, world.run)
    row, other = give(world.ada, world.run), give(world.bob, world.other)
    results = work()
    assert results[0].startswith(f"refused: {sentence}")
    assert results[1] == "enrolled, audit"
    state, error = state_of(row)
    assert (state, error.startswith(sentence)) == (REFUSED, True)
    assert state_of(other) == (THERE, "")
    assert Delivery.objects.exclude(state=DeliveryState.DONE).count() == 0, "trying again wouldn't help"


def test_a_refused_enrollment_that_ends_is_no_longer_refused(world: World) -> None:
    world.site.misbehave("forbidden", path=ENROLL)
    row = give(world.ada, world.run)
    work()
    take(world.ada, world.run)
    assert state_of(row) == (PENDING, "")
    assert work() == ["wasn’t enrolled there"]
    assert state_of(row) == (THERE, "")


def test_a_site_that_does_something_else_is_not_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.site.state.add_enrollment("ada", world.run.courseware_id, "verified")
    monkeypatch.setattr(type(world.site.state), "_change", lambda *_args: None)
    row = give(world.ada, world.run)
    work()
    assert state_of(row) == (REFUSED, "It left the learner verified, without a reason.")


# Learners the course site doesn't know


def test_an_unknown_learner_waits_and_is_sent_at_the_next_sign_in(world: World) -> None:
    carl, dora = make_user("carl@mail.example"), make_user("dora@mail.example")
    rows = [give(carl, world.run), give(carl, world.other), give(dora, world.run)]
    assert work() == ["waits for the learner: the course site doesn’t know them"] * 3
    assert {state_of(row) for row in rows} == {(WAITING, "")}
    world.site.state.add_account("carl", "carl@mail.example")
    Client().force_login(carl)
    assert work() == ["enrolled, audit"] * 2
    assert [state_of(row)[0] for row in rows] == [THERE, THERE, WAITING]


def test_an_account_there_that_was_never_activated_is_no_ones(world: World) -> None:
    """Anyone can register there with the learner's address; only the learner can open the mail that activates it."""
    carl, dora = make_user("carl@mail.example"), make_user("dora@mail.example")
    squatted = world.site.state.add_account("carl", "carl@mail.example", is_active=False)
    world.site.state.add_account("dora", "dora@mail.example")
    rows = [give(carl, world.run), give(dora, world.run)]
    assert work() == [
        "waits for the learner: their account on the course site isn’t activated",
        "enrolled, audit",
    ]
    assert [state_of(row)[0] for row in rows] == [WAITING, THERE]
    assert said(world.site, "carl", world.run) is None
    squatted.is_active = True
    Client().force_login(carl)
    assert work() == ["enrolled, audit"]


def test_a_learner_unknown_only_when_enrolled_waits_too(world: World) -> None:
    world.site.misbehave("unknown_learner", path=ENROLL)
    row = give(world.ada, world.run)
    work()
    assert state_of(row) == (WAITING, "")


def test_an_unknown_learner_who_leaves_has_nothing_to_end(world: World) -> None:
    carl = make_user("carl@mail.example")
    row = give(carl, world.run)
    work()
    take(carl, world.run)
    assert work() == ["nothing to end: the course site doesn’t know them"]
    assert state_of(row) == (THERE, "")


def test_an_address_that_isnt_confirmed_opens_no_ones_account(world: World) -> None:
    world.site.state.add_account("eve", "eve@mail.example")
    stranger = make_user("eve@mail.example", email_verified_at=None)
    row = give(stranger, world.run)
    assert work() == ["waits for the learner: their address isn’t confirmed"]
    assert world.site.count(WORKER) == 0
    stranger.email_verified_at = clock.now()
    stranger.save()
    sweep_enrollments()
    assert work() == ["enrolled, audit"], "as soon as it is"
    assert state_of(row) == (THERE, "")


def test_signing_in_costs_one_query_if_nothing_waits_and_asks_once(world: World, settings: Any) -> None:
    give(world.ada, world.run)
    work()
    with CaptureQueriesContext(connection) as queries:
        assert ask_for_learner(user_id=world.ada.pk, now=clock.now()) == 0
    assert len(queries) == 1
    carl = make_user("carl@mail.example")
    give(carl, world.run)
    work()
    assert [ask_for_learner(user_id=carl.pk, now=clock.now()) for _ in range(2)] == [1, 0]
    settings.OPENEDX_API_BASE_URL = ""
    with CaptureQueriesContext(connection) as queries:
        Client().force_login(carl)
    assert [each for each in queries if "courses_enrollment" in each["sql"]] == []


def test_the_sweep_asks_new_learners_often_and_others_daily(world: World) -> None:
    new, old = (give(make_user(f"{name}@mail.example"), world.run) for name in ("new", "old"))
    work()
    now = clock.now()
    Enrollment.objects.filter(pk=old.pk).update(changed_at=now - timedelta(days=3))

    def swept(after: timedelta) -> int:
        return service.sweep_enrollments(now=now + after)

    assert swept(timedelta(minutes=5)) == 0
    assert swept(timedelta(minutes=20)) == 1
    assert work() == ["waits for the learner: the course site doesn’t know them"]
    Enrollment.objects.update(lms_asked_at=now)
    assert swept(timedelta(days=1, minutes=1)) == 2
    assert swept(timedelta(days=1, minutes=1)) == 0, "both have a delivery by now"
    assert {state_of(row)[0] for row in (new, old)} == {PENDING}


def test_the_sweep_is_bounded_and_needs_as_many_reads_for_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def count_reads(learners: int) -> int:
        for number in range(learners):
            give(make_user(f"of{learners}-{number}@mail.example"), world.run)
        work(at_most=50)
        Enrollment.objects.filter(lms_state=WAITING).update(lms_asked_at=NOON - timedelta(days=9))
        with CaptureQueriesContext(connection) as queries:
            assert service.sweep_enrollments(now=clock.now()) == learners
        work(at_most=50)
        Enrollment.objects.all().update(lms_state=THERE)
        return len([each for each in queries if "INSERT" not in each["sql"] and "SAVEPOINT" not in each["sql"]])

    assert count_reads(2) == count_reads(9)
    monkeypatch.setattr(service, "BATCH", 1)
    Enrollment.objects.all().update(lms_state=WAITING, lms_asked_at=NOON - timedelta(days=9))
    assert service.sweep_enrollments(now=clock.now()) == 1


# No course site


def test_without_a_course_site_everything_sells_and_is_sent_once_there_is_one(world: World, settings: Any) -> None:
    settings.OPENEDX_API_BASE_URL = ""
    row = give(world.ada, world.run)
    assert work() == ["no course site"]
    assert last_delivery().state == DeliveryState.DONE
    assert state_of(row) == (PENDING, "")
    sweep_enrollments()
    assert Delivery.objects.count() == 1
    connect(world.site, settings)
    Enrollment.objects.update(changed_at=clock.now() - timedelta(hours=1))
    sweep_enrollments()
    assert work() == ["enrolled, audit"]
    assert state_of(row) == (THERE, "")


# Staff


def refused(world: World) -> Enrollment:
    world.site.misbehave("forbidden", path=ENROLL)
    row = give(world.ada, world.run)
    work()
    return row


def test_who_is_there_already_isnt_refused_because_the_run_has_closed(world: World) -> None:
    row, other = give(world.ada, world.run), give(world.bob, world.run)
    world.site.misbehave("lost", path=ENROLL, times=1)
    work()
    world.site.state.runs[world.run.courseware_id].enrollment_end = "2026-01-01T00:00:00Z"
    ask_about([row.pk, other.pk], now=clock.now())
    assert set(work()) == {"enrolled, audit"}
    assert state_of(row) == state_of(other) == (THERE, "")
    row.refresh_from_db()
    assert row.lms_username == "ada"
    late = give(make_user("late@mail.example"), world.run)
    world.site.state.add_account("late", "late@mail.example")
    ask_about([late.pk], now=clock.now())
    work()
    assert state_of(late)[0] == REFUSED


def test_refused_ones_are_sent_again_by_staff(world: World) -> None:
    row, other = refused(world), give(world.bob, world.other)
    work()
    staff = make_user(is_staff=True)
    assert send_again(ids=[row.pk, other.pk], by_id=staff.pk, now=clock.now()) == 1, "the other is there"
    assert state_of(row) == (PENDING, "")
    assert work() == ["enrolled, audit"]


def test_trying_again_replays_a_dead_delivery_instead_of_waiting_behind_it(world: World) -> None:
    row = give(world.ada, world.run)
    dead = last_delivery()
    Delivery.objects.filter(pk=dead.pk).update(state=DeliveryState.DEAD, finished_at=NOON)
    assert send_again(ids=[row.pk], by_id=None, now=clock.now()) == 1
    assert Delivery.objects.count() == 1
    assert work() == ["enrolled, audit"]


def test_staff_enroll_someone_in_a_run_that_is_closed_there(world: World) -> None:
    for run in (world.run, world.other):
        world.site.state.runs[run.courseware_id].enrollment_end = "2026-01-01T00:00:00Z"
    row, other = give(world.ada, world.run), give(world.bob, world.other)
    work()
    assert state_of(row)[0] == state_of(other)[0] == REFUSED
    force_enrollment(enrollment_id=row.pk, by_id=None, reason="Paid in time", now=clock.now())
    assert work() == ["enrolled, audit"]
    row.refresh_from_db()
    assert (row.lms_state, row.forced_reason) == (THERE, "Paid in time")
    assert state_of(other)[0] == REFUSED
    with pytest.raises(EnrollmentNotForceable):
        force_enrollment(enrollment_id=row.pk, by_id=None, reason="Again", now=clock.now())
    with pytest.raises(EnrollmentUnknown):
        force_enrollment(enrollment_id=0, by_id=None, reason="No one", now=clock.now())
    take(world.ada, world.run)
    row.refresh_from_db()
    assert (row.forced_at, row.forced_reason) == (None, ""), "coming back later isn't forced"
    work()


@pytest.mark.parametrize(
    "values",
    [{"lms_state": "sent"}, {"lms_state": REFUSED}, {"forced_at": NOON}, {"forced_reason": "why"}],
)
def test_the_database_keeps_states_and_reasons_together(world: World, values: dict[str, Any]) -> None:
    row = give(world.ada, world.run)
    with pytest.raises(IntegrityError), transaction.atomic():
        Enrollment.objects.filter(pk=row.pk).update(**values)


# Two at once


def cross(world: World, monkeypatch: pytest.MonkeyPatch) -> Enrollment:
    """Unenroll while the call that enrolls is on its way, so that it arrives last."""
    row = give(world.ada, world.run)
    real = enroll_there

    def arrive_late(client: OpenEdxClient, **wanted: Any) -> Any:
        monkeypatch.setattr(service, "enroll", real)
        take(world.ada, world.run)
        send_enrollment(enrollment_id=row.pk, client=OpenEdxClient.from_settings(), now=clock.now())
        return real(client, **wanted)

    monkeypatch.setattr(service, "enroll", arrive_late)
    send_enrollment(enrollment_id=row.pk, client=OpenEdxClient.from_settings(), now=clock.now())
    return row


def test_a_call_that_arrives_late_is_followed_by_what_the_row_says(world: World, monkeypatch: Any) -> None:
    row = cross(world, monkeypatch)
    assert said(world.site, "ada", world.run) == ("audit", False)
    assert state_of(row) == (THERE, "")


def test_without_comparing_the_late_call_would_win(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "_record", lambda *_args, **_options: True)
    cross(world, monkeypatch)
    assert said(world.site, "ada", world.run) == ("audit", True), "the control: this harness can lose"


def test_a_row_that_never_rests_is_left_to_the_next_attempt(world: World, monkeypatch: Any) -> None:
    row = give(world.ada, world.run)
    monkeypatch.setattr(service, "_record", lambda *_args, **_options: False)
    with pytest.raises(EnrollmentKeepsChanging):
        send_enrollment(enrollment_id=row.pk, client=OpenEdxClient.from_settings(), now=clock.now())


@pytest.mark.django_db(transaction=True)
def test_enrolling_and_leaving_at_once_end_in_what_the_row_says(world: World, together: Together) -> None:
    for user, run in ((world.ada, world.run), (world.bob, world.other)):
        give(user, run, reference="TS-0")
    for _ in range(3):
        together(
            lambda: give(world.ada, world.run, mode=VERIFIED, reference="TS-1"),
            lambda: take(world.ada, world.run, reference="TS-0"),
            lambda: take(world.bob, world.other, reference="TS-0"),
            work,
            work,
        )
        work()
        together(
            lambda: take(world.ada, world.run, reference="TS-1"),
            lambda: give(world.ada, world.run, reference="TS-0"),
            lambda: give(world.bob, world.other, reference="TS-0"),
            work,
            work,
        )
        work()
        for name, run, user in (("ada", world.run, world.ada), ("bob", world.other, world.bob)):
            row = Enrollment.objects.get(user=user, run=run)
            assert said(world.site, name, run) == (row.mode, row.active)
            assert row.lms_state == THERE
