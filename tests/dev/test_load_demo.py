"""`load_demo` fills the site, keeps it current and changes nothing when run twice."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client

from b2b.models import ContractMembership, ContractPage, ContractTerms
from b2b.selectors.seats import organizations_of, waiting_codes
from cms.models import CoursePage, ProgramPage
from courses.models import Course, CourseRun, Department
from courses.selectors.dashboard import dashboard_for
from dev.demo.calendar import contract_dates, next_monday
from dev.demo.load import load_demo
from dev.demo.people import ACCOUNTS, AMARA, DANA, JONAS, LEA, PASSWORD, SAM
from dev.demo.specs import demo_spec
from ecommerce.models import DiscountCode, Order, Product
from frontend.pages.catalog import catalog_rows
from frontend.site.site_setup import configure
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql
from mitxonline.users.models import User
from tests.support.databases import ProcessDatabase

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("demo")]

NOW = clock.start_of_day(date(2025, 11, 21)) + timedelta(hours=10)
COUNTED = ("courses", "ecommerce", "b2b", "cms", "users", "coordinator", "wagtailcore", "wagtailimages")


def load(now: datetime = NOW) -> bool:
    return load_demo(now=now, report=lambda _step: None).is_changed


def everything() -> dict[str, str]:
    """Every row of ours by table, as it stands."""
    tables = [model._meta.db_table for label in COUNTED for model in apps.get_app_config(label).get_models()]
    whole = "SELECT md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM {} row"
    return {table: fetch_sql(whole.format(table))[0][0] for table in tables}


@pytest.fixture
def loaded(process_database: ProcessDatabase) -> None:
    def build() -> None:
        configure(base_url="http://testserver")
        load()

    process_database.provide("demo in November 2025", build)


def test_the_demonstration_is_complete_and_loads_only_once(loaded: None, client: Client) -> None:
    """One loading, looked at from all sides: it takes a second or two."""
    assert Department.objects.count() == 8
    assert 16 <= Course.objects.count() <= 20
    assert CoursePage.objects.live().count() == Course.objects.count()
    assert ProgramPage.objects.live().count() >= 2
    assert ContractPage.objects.live().count() == 4
    names = set(ContractPage.objects.values_list("name", flat=True))
    assert {"Clinical skills 2026", "Leading teams 2026", "Campus", "Service design"} == names
    skills = ContractTerms.objects.get(page__name="Clinical skills 2026")
    assert (skills.max_learners, skills.end) == (200, date(2026, 6, 30))
    assert ContractMembership.objects.filter(contract_id=skills.pk).count() == 128
    assert DiscountCode.objects.filter(assigned_email__gt="").count() == 23

    kinds = {row.title: row.offer for row in catalog_rows(now=NOW)}
    assert kinds["Programming with Python, properly"].next_start == clock.start_of_day(date(2026, 1, 12))
    assert kinds["Reading a changing climate"].is_free
    assert kinds["Statistics for people who make decisions"].any_time
    assert kinds["Secure by habit: software security for teams"].opens_at is not None
    assert not kinds["Ethics when machines decide"].runs

    amara = User.objects.get(email=AMARA.email)
    dashboard = dashboard_for(amara.pk, now=NOW)
    assert {run.title for run in dashboard.in_progress} == {
        "Programming with Python, properly",
        "Writing clearly at work",
    }
    assert [run.title for run in dashboard.upcoming] == ["Reading a changing climate"]
    assert {run.title for run in dashboard.finished} == {
        "Negotiation without the theater",
        "Interface design for accessible services",
    }
    assert [code.contract_run.course_run.title for code in waiting_codes(amara)] == ["Databases you can trust"]
    assert [code.given_by for code in waiting_codes(User.objects.get(email=JONAS.email))] == [DANA.name]
    [northgate] = organizations_of(User.objects.get(email=DANA.email).pk, now=NOW)
    assert northgate.is_manager
    assert [each.organization.name for each in organizations_of(User.objects.get(email=SAM.email).pk, now=NOW)] == [
        "Larkfield University"
    ]
    assert Order.objects.of(User.objects.get(email=LEA.email).pk).count() == 1

    for account in ACCOUNTS:
        assert client.login(username=account.email, password=PASSWORD), account
        assert client.get("/dashboard/").status_code == 200
        assert client.get("/cms/").status_code == (200 if account.group or account.is_superuser else 302)
    for page in [*CoursePage.objects.live(), *ProgramPage.objects.live()]:
        assert Client().get(page.url).status_code == 200, page
    for address in ("/", "/catalog/", "/programs/", "/products/writing-for-teams/"):
        assert Client().get(address).status_code == 200

    before = everything()
    assert not load()
    assert everything() == before


def test_an_editors_changes_stay_and_time_goes_on(loaded: None) -> None:
    course = Course.objects.get(readable_id="course-v1:Tessera+PY101")
    course.title = "Python, renamed"
    course.save()
    Product.objects.filter(sku="WR101-ANY").update(price=80)
    runs = CourseRun.objects.count()
    assert not load(NOW + timedelta(days=3))

    later = NOW + timedelta(weeks=40)
    assert load(later)
    course.refresh_from_db()
    assert course.title == "Python, renamed"
    assert Product.objects.get(sku="WR101-ANY").price == 80
    assert CourseRun.objects.count() > runs
    offers = {row.course_id: row.offer for row in catalog_rows(now=later)}
    assert any(start > later for start in offers[course.pk].dates)
    assert ContractPage.objects.count() == 4
    assert ContractTerms.objects.get(page__name="Clinical skills 2026").is_valid_on(clock.date_of(later))


class TestTheCommand:
    def test_accounts_can_be_printed_without_loading(self) -> None:
        out = StringIO()
        call_command("load_demo", accounts=True, format="json", stdout=out)
        rows = json.loads(out.getvalue())
        assert {row["email"] for row in rows} == {account.email for account in ACCOUNTS}
        assert not User.objects.exists()
        assert all(row["email"].endswith(".example") for row in rows)

    def test_refuses_on_a_real_site_with_a_reason(self, settings: Any) -> None:
        settings.SANDBOX_PAYMENTS = False
        with pytest.raises(CommandError, match="an administrator whose password everyone knows"):
            call_command("load_demo")
        assert not User.objects.exists()


@pytest.mark.parametrize(
    ("today", "start", "end", "next_start"),
    [
        (date(2025, 11, 21), date(2025, 10, 1), date(2026, 6, 30), date(2026, 1, 1)),
        (date(2026, 1, 5), date(2025, 12, 1), date(2026, 6, 30), date(2027, 1, 1)),
        (date(2026, 2, 1), date(2026, 1, 1), date(2027, 6, 30), date(2027, 1, 1)),
        (date(2026, 12, 31), date(2026, 11, 1), date(2027, 6, 30), date(2027, 1, 1)),
    ],
)
def test_contracts_run_for_a_while_from_any_day(today: date, start: date, end: date, next_start: date) -> None:
    dates = contract_dates(today)
    assert (dates.start, dates.end, dates.next_start) == (start, end, next_start)
    assert dates.start < today < dates.end
    assert today < dates.next_start <= dates.next_end


def test_weeks_begin_on_the_monday_after_today() -> None:
    assert [next_monday(date(2025, 11, 21) + timedelta(days=day)) for day in (0, 2, 3, 4)] == [
        date(2025, 11, 24),
        date(2025, 11, 24),
        date(2025, 12, 1),
        date(2025, 12, 1),
    ]


def test_every_course_says_enough() -> None:
    spec = demo_spec()
    assert len({course.number for course in spec.courses}) == len(spec.courses)
    for course in spec.courses:
        assert len(course.summary) <= 255, course.number
        assert course.outcomes, course.number
        assert course.syllabus, course.number
        assert course.questions, course.number
        assert all(name in spec.instructors for name in course.instructors), course.number
    numbers = {course.number for course in spec.courses}
    assert all(number in numbers for program in spec.programs for group in program.groups for number in group.courses)
