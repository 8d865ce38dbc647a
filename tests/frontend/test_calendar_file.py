"""A run's dates for calendars: who gets them, and what the file says."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.test import Client
from icalendar import Calendar

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun
from courses.services.enrollments import enroll
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import make_contract, make_contract_run, make_course, make_product, make_run
from tests.factories.pages import make_course_page

pytestmark = pytest.mark.django_db

TITLE = "Naïve; Bayes, and a title so long that it has to be folded over two lines of the file, 統計 and all"


def address(run: CourseRun) -> str:
    return f"/calendar/{run.pk}.ics"


def days(content: bytes) -> dict[str, tuple[date, date]]:
    calendar = Calendar.from_ical(content)
    events = calendar.walk("VEVENT")
    return {str(each["summary"]): (each.decoded("dtstart"), each.decoded("dtend")) for each in events}


def test_the_file_has_the_first_and_the_last_day(client: Client) -> None:
    starts, ends = clock.now() + timedelta(days=30), clock.now() + timedelta(days=60)
    run = make_run(make_course(title=TITLE), start_date=starts, end_date=ends)
    CourseRun.objects.filter(pk=run.pk).update(title=TITLE)

    response = client.get(address(run))

    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    first, last = clock.date_of(starts), clock.date_of(ends)
    assert days(response.content) == {
        f"{TITLE} starts": (first, first + timedelta(days=1)),
        f"{TITLE} ends": (last, last + timedelta(days=1)),
    }
    lines = response.content.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines), "RFC 5545, 3.1"
    assert b"\n" not in response.content.replace(b"\r\n", b"")
    assert f"DTSTART;VALUE=DATE:{first:%Y%m%d}".encode() in lines
    assert {"UID", "DTSTAMP", "SUMMARY"} <= {line.partition(b":")[0].decode() for line in lines}


def test_each_start_of_a_course_has_a_file_of_its_own(client: Client) -> None:
    course = make_course()
    early = make_run(course, start_date=clock.now() + timedelta(days=9))
    late = make_run(course, start_date=clock.now() + timedelta(days=90))
    any_time = make_run(course, is_self_paced=True)
    for run in (early, late, any_time):
        make_product(run, price="249")
    page = client.get(make_course_page(course).url).content.decode()
    assert [address(run) in page for run in (early, late, any_time)] == [True, True, False]
    assert days(client.get(address(early)).content) != days(client.get(address(late)).content)
    assert client.get(address(any_time)).status_code == 404


def test_only_who_is_enrolled_gets_the_dates_of_a_contracts_run(learner: User, learners_client: Client) -> None:
    run = make_contract_run(make_contract()).course_run
    CourseRun.all_objects.filter(pk=run.pk).update(start_date=clock.now() + timedelta(days=9))
    assert learners_client.get(address(run)).status_code == 404
    enroll(
        user_id=learner.pk,
        run_id=run.pk,
        mode=EnrollmentMode.AUDIT,
        source=EnrollmentSource.CONTRACT,
        now=clock.now(),
    )
    assert learners_client.get(address(run)).status_code == 200
    assert Client().get(address(run)).status_code == 404
    assert address(run) in learners_client.get("/dashboard/").content.decode()


def test_a_run_that_is_over_or_unknown_has_no_file(client: Client) -> None:
    over = make_run(start_date=clock.now() - timedelta(days=90), end_date=clock.now() - timedelta(days=9))
    assert client.get(address(over)).status_code == 404
    assert client.get("/calendar/0.ics").status_code == 404
    assert client.post(address(over)).status_code == 405
