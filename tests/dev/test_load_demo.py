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

from b2b.enums import ManagedCodeState, MembershipSource
from b2b.models import ContractMembership, ContractPage, ContractTerms, SeatRequest
from b2b.selectors.lots import ContractLot
from b2b.selectors.managers import count_codes, managed_contracts
from b2b.selectors.needs import ContractNeed, contracts_needing, failed_mails
from b2b.selectors.seats import organizations_of, waiting_codes
from cms.models import CoursePage, ProgramPage
from cms.selectors.needs import PageNeed, pages_needing
from courses.models import Course, CourseRun, Department
from courses.selectors.dashboard import dashboard_for
from dev.demo.calendar import contract_dates, next_monday
from dev.demo.load import load_demo
from dev.demo.people import ACCOUNTS, AMARA, CONTRACTS, DANA, EDITOR, JONAS, LEA, PASSWORD, SAM
from dev.demo.specs import demo_spec
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import DiscountCode, Order, PaymentAttempt, Product
from ecommerce.selectors.audit import find_discrepancies
from ecommerce.selectors.order_desk import Attention, orders_needing, sales_of_day
from ecommerce.selectors.unpriced import runs_without_price
from frontend.pages.catalog import catalog_rows
from frontend.site.site_setup import configure
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql
from mitxonline.users.models import User
from tests.support.databases import ProcessDatabase

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("demo")]

NOW = clock.start_of_day(date(2025, 11, 21)) + timedelta(hours=10)
COUNTED = ("courses", "ecommerce", "b2b", "cms", "reports", "users", "coordinator", "wagtailcore", "wagtailimages")


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
    assert ContractPage.objects.live().count() == 6
    names = set(ContractPage.objects.values_list("name", flat=True))
    assert names == {
        "Clinical skills 2026",
        "Leading teams 2026",
        "Campus",
        "Service design",
        "Patient safety",
        "Accessible services",
    }
    skills = ContractTerms.objects.get(page__name="Clinical skills 2026")
    assert (skills.max_learners, skills.end) == (200, date(2026, 6, 30))
    assert ContractMembership.objects.filter(contract_id=skills.pk).count() == 128
    assert DiscountCode.objects.filter(assigned_email__gt="").count() == 27

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
    assert ContractPage.objects.count() == 6
    assert ContractTerms.objects.get(page__name="Clinical skills 2026").is_valid_on(clock.date_of(later))


def test_every_role_has_something_to_look_at(loaded: None) -> None:
    for need in (Attention.REVIEW, Attention.DISPUTE, Attention.REQUEST, Attention.TWICE):
        assert orders_needing(need).count() == 1, need
    assert Order.objects.filter(state=OrderState.PARTIALLY_REFUNDED).count() == 1
    assert PaymentAttempt.objects.filter(state=AttemptState.PROCESSING).count() == 1
    assert sales_of_day(clock.date_of(NOW) - timedelta(days=1)).orders == 2
    assert runs_without_price(NOW).count() == 1
    assert {product.price for product in Product.objects.public().filter(course_run__title="Leading a small team")} == {
        180,
        149,
    }
    editor, staff, today = User.objects.get(email=EDITOR.email), User.objects.get(email=CONTRACTS.email), NOW.date()
    # The scheduled page is published at once here: Wagtail reads the real clock, by which its day is over.
    for page_need in (PageNeed.DRAFT, PageNeed.APPROVAL):
        assert pages_needing(page_need, user=editor, now=NOW).count() == 1, page_need
    for contract_need in (ContractNeed.FULL, ContractNeed.ENDING, ContractNeed.DRAFT):
        assert contracts_needing(contract_need, user=staff, today=today).count() == 1, contract_need
    assert failed_mails(staff, now=NOW, today=today).count() == 1
    assert SeatRequest.objects.open().count() == 1
    assert Delivery.objects.filter(state=DeliveryState.DEAD).count() == 1


def test_members_add_up_with_their_codes(loaded: None) -> None:
    """Everyone who joined by a code has used one, so that the numbers of both lists are the same."""
    by_code = ContractMembership.objects.filter(source=MembershipSource.CODE)
    assert not by_code.filter(code_use=None).exists()
    for contract in managed_contracts(ContractPage.objects.get(name="Clinical skills 2026").get_parent().pk, now=NOW):
        used = count_codes(ContractLot(contract.terms.pk), now=NOW)[ManagedCodeState.JOINED.value]
        assert used == by_code.filter(contract=contract.terms.pk).count()
        assert contract.seats.joined == ContractMembership.objects.filter(contract=contract.terms.pk).count()
    assert list(find_discrepancies()) == []


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
