"""What staff and learners see of the course site, and what staff do about it."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courses.enums import EnrollmentLmsState, EnrollmentSource
from courses.models import Enrollment
from courses.selectors.course_address import course_address
from courses.services.enrollments import enroll
from frontend.pages.course_site import course_door
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.courses.openedx import connect, work
from tests.factories import make_run, make_user
from tests.openedx.server import CourseSite

pytestmark = pytest.mark.django_db

LEARNING = "https://apps.lms.example/learning"
ENROLL = "/api/enrollment/v1/enrollment"
INDEX = "/cms/enrollments/"


@pytest.fixture
def site(course_site: CourseSite, settings: Any) -> CourseSite:
    connect(course_site, settings)
    settings.OPENEDX_LEARNING_BASE_URL = LEARNING
    return course_site


def staff(*names: str) -> Client:
    user = make_user(is_staff=True)
    wanted = ["access_admin", *names]
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk() -> Client:
    return staff("view_enrollment", "change_enrollment")


def make_refused(site: CourseSite, count: int = 2) -> list[Enrollment]:
    """Enroll as many learners, each in a run of their own that the course site doesn't have."""
    rows = []
    for number in range(count):
        learner = make_user(f"learner{number}@mail.example", name=f"Learner {number}")
        site.state.add_account(f"learner{number}", learner.email)
        rows.append(enter(learner))
    work()
    return rows


def enter(learner: User, **run: Any) -> Enrollment:
    return enroll(
        user_id=learner.pk, run_id=make_run(**run).pk, mode="audit", source=EnrollmentSource.FREE, now=clock.now()
    )


def text_of(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def test_refused_ones_are_counted_on_the_first_page_and_listed_with_the_reason(site: CourseSite, desk: Client) -> None:
    make_refused(site)
    there = make_user("there@mail.example", name="There Already")
    site.state.add_account("there", there.email)
    site.state.add_run(enter(there).run.courseware_id, "There")
    work()
    first = text_of(desk, "/cms/")
    assert f"{INDEX}?lms_state=refused" in first
    listed = text_of(desk, f"{INDEX}?lms_state=refused")
    assert listed.count("No course &#x27;course-v1:") == 2
    assert "There Already" not in listed
    assert "There Already" in text_of(desk, f"{INDEX}?lms_state=there")
    assert f'"url": "{INDEX}"' in first, "in the menu too"
    others = text_of(staff(), "/cms/")
    assert "Enrollments refused" not in others
    assert INDEX not in others


def test_the_list_costs_the_same_for_any_number(site: CourseSite, desk: Client) -> None:
    make_refused(site, 1)
    desk.get(INDEX)
    with CaptureQueriesContext(connection) as few:
        desk.get(INDEX)
    for number in range(5):
        enter(make_user(f"more{number}@mail.example"))
    with CaptureQueriesContext(connection) as many:
        desk.get(INDEX)
    assert len(many) == len(few)


def test_staff_try_one_again(site: CourseSite, desk: Client) -> None:
    row, other = make_refused(site)
    site.state.add_run(row.run.courseware_id, row.run.title)
    answer = desk.post(reverse("enrollments:send", args=[row.pk]), follow=True)
    assert "is being sent" in answer.content.decode()
    work()
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.lms_state, other.lms_state) == (EnrollmentLmsState.THERE, EnrollmentLmsState.REFUSED)
    again = desk.post(reverse("enrollments:send", args=[row.pk]), follow=True)
    assert "There is nothing to send" in again.content.decode()


def test_staff_try_several_again(site: CourseSite, desk: Client) -> None:
    rows = make_refused(site, 3)
    for row in rows:
        site.state.add_run(row.run.courseware_id, row.run.title)
    chosen = "&".join(f"id={row.pk}" for row in rows[:2])
    url = f"/cms/bulk/courses/enrollment/send_again/?{chosen}&next={INDEX}"
    asked = text_of(desk, url)
    assert "2 enrollments will be sent" in asked
    assert "Learner 0" in asked
    answer = desk.post(url, follow=True)
    assert "2 enrollments are being sent" in answer.content.decode()
    work()
    states = [Enrollment.objects.get(pk=row.pk).lms_state for row in rows]
    assert states == ["there", "there", "refused"]


def test_all_of_the_list_are_those_that_its_filters_show(site: CourseSite, desk: Client) -> None:
    refused, waiting, ended, there = make_refused(site, 4)
    Enrollment.objects.filter(pk=waiting.pk).update(lms_state="waiting", lms_error="")
    Enrollment.objects.filter(pk=ended.pk).update(active=False)
    Enrollment.objects.filter(pk=there.pk).update(lms_state="there", lms_error="")
    bulk = f"/cms/bulk/courses/enrollment/send_again/?id=all&next={INDEX}"
    assert "3 enrollments will be sent" in text_of(desk, bulk)
    assert "Learner 0" in text_of(desk, f"{bulk}&lms_state=refused&active=true")
    assert "1 enrollment will be sent" in text_of(desk, f"{bulk}&lms_state=refused&active=true")
    assert "1 enrollment will be sent" in text_of(desk, f"{bulk}&q=Learner+1")
    assert "Learner 2" in text_of(desk, f"{INDEX}?active=false")
    assert "Learner 0" not in text_of(desk, f"{INDEX}?active=false")
    answer = desk.post(f"{bulk}&lms_state=refused&active=true", follow=True)
    assert "1 enrollment is being sent" in answer.content.decode()
    assert Enrollment.objects.get(pk=refused.pk).lms_state == "pending"
    assert Enrollment.objects.get(pk=ended.pk).lms_state == "refused"


def test_looking_is_not_enough_to_send(site: CourseSite) -> None:
    (row,) = make_refused(site, 1)
    before = Delivery.objects.count()
    viewer = staff("view_enrollment")
    page = text_of(viewer, reverse("enrollments:enrollment", args=[row.pk]))
    assert "No course" in page
    assert "Try again" not in page
    viewer.post(reverse("enrollments:send", args=[row.pk]))
    viewer.post(reverse("enrollments:enrollment", args=[row.pk]), {"reason": "because"})
    viewer.post(f"/cms/bulk/courses/enrollment/send_again/?id={row.pk}&next={INDEX}")
    assert Delivery.objects.count() == before
    row.refresh_from_db()
    assert (row.lms_state, row.forced_at) == ("refused", None)


def test_enrolling_anyway_needs_a_reason_and_keeps_it(site: CourseSite, desk: Client) -> None:
    row, _other = make_refused(site)
    url = reverse("enrollments:enrollment", args=[row.pk])
    refused = desk.post(url, {"reason": " "})
    assert refused.status_code == 422
    assert "Enter a reason" in refused.content.decode()
    site.state.add_run(row.run.courseware_id, row.run.title, enrollment_end="2026-01-01T00:00:00Z")
    desk.post(url, {"reason": "Paid in time"})
    work()
    row.refresh_from_db()
    assert (row.lms_state, row.forced_reason) == ("there", "Paid in time")
    assert "Paid in time" in text_of(desk, url)


def test_without_a_course_site_staff_pages_say_so_and_offer_nothing(settings: Any, desk: Client) -> None:
    row = enter(make_user())
    page = text_of(desk, reverse("enrollments:enrollment", args=[row.pk]))
    assert "No course site is connected" in page
    assert "Try again" not in page
    assert "Not connected" in text_of(desk, "/cms/")


# Learners


def dashboard(learner: User) -> str:
    client = Client()
    client.force_login(learner)
    return text_of(client, reverse("dashboard"))


def test_continue_opens_the_course_there(site: CourseSite) -> None:
    learner = make_user("ada@mail.example")
    site.state.add_account("ada", learner.email)
    rows = [enter(learner, start_date=clock.now() - timedelta(days=days)) for days in (3, 2)]
    for row in rows:
        site.state.add_run(row.run.courseware_id, row.run.title)
    work()
    page = dashboard(learner)
    for row in rows:
        assert f'href="{LEARNING}/course/{row.run.courseware_id}/home"' in page
    assert page.count("Continue<") == 2


@pytest.mark.parametrize(
    ("state", "verified", "sentence"),
    [
        ("pending", True, "We’re enrolling you on the course site."),
        ("waiting", True, "Sign in there once as ada@mail.example"),
        ("waiting", False, "Confirm your e-mail address"),
        ("refused", True, "We’re looking into it"),
    ],
)
def test_until_then_the_dashboard_says_why(site: CourseSite, state: str, verified: bool, sentence: str) -> None:
    learner = make_user("ada@mail.example", email_verified_at=clock.now() if verified else None)
    row = enter(learner)
    Enrollment.objects.filter(pk=row.pk).update(
        lms_state=state, lms_error="its own words" if state == "refused" else ""
    )
    page = dashboard(learner)
    assert sentence in page
    assert "its own words" not in page, "they are for staff"
    assert "/home" not in page


def test_without_a_course_site_the_dashboard_says_so() -> None:
    learner = make_user()
    enter(learner)
    assert "once this shop is connected to a course site" in dashboard(learner)


def test_a_run_to_come_opens_when_it_starts(site: CourseSite) -> None:
    learner, now = make_user(), clock.now()
    run = make_run(start_date=now + timedelta(days=2), end_date=now + timedelta(days=9))
    assert not course_door(run, EnrollmentLmsState.THERE, user=learner, now=now).is_open
    assert course_door(run, EnrollmentLmsState.THERE, user=learner, now=now + timedelta(days=3)).is_open


def test_the_way_leads_through_the_sign_in_that_the_site_has(site: CourseSite, settings: Any) -> None:
    key = "course-v1:TesseraX+OC101+2026_T1"
    lms = settings.OPENEDX_BASE_REDIRECT_URL = "https://lms.example"
    assert course_address(key) == f"{LEARNING}/course/{key}/home"
    settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT, settings.SOCIAL_AUTH_EDX_OAUTH2_KEY = lms, "sso"
    settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = "secret"
    escaped = "https%3A%2F%2Fapps.lms.example%2Flearning%2Fcourse%2Fcourse-v1%3ATesseraX%2BOC101%2B2026_T1%2Fhome"
    assert course_address(key) == f"{lms}/login?next={escaped}"
    settings.OPENEDX_SIGN_IN_PATH = "/auth/login/oidc/?auth_entry=login"
    assert course_address(key) == f"{lms}/auth/login/oidc/?auth_entry=login&next={escaped}"
    settings.OPENEDX_LEARNING_BASE_URL = settings.OPENEDX_SIGN_IN_PATH = ""
    settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = ""
    assert course_address(key) == f"{lms}/courses/{key}/course/"
    settings.OPENEDX_API_BASE_URL = ""
    assert course_address(key) == ""


@pytest.mark.parametrize(
    "kind", ["courses/enrollment/send_again", "ecommerce/discount/pause", "coordinator/delivery/replay"]
)
def test_ids_that_only_look_like_numbers_choose_nothing(admin_client: Client, kind: str) -> None:
    answer = admin_client.get(f"/cms/bulk/{kind}/?id=²&next=/cms/")
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
