"""One page for a course, and next year's run copied from last year's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from courses.errors import RunKeyTaken
from courses.models import CourseRun
from courses.services.copies import DATES, OWN, copy_run
from ecommerce.models import PriceChange, Product
from mitxonline.kernel import clock
from tests.b2b.admin_people import sign_in_as
from tests.b2b.worlds import make_source_course, publish_contract, take_seat
from tests.factories import make_course, make_discount, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def moment(year: int, month: int, day: int, hour: int = 9) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def make_last_years_run(**fields: Any) -> CourseRun:
    return make_run(
        make_course("PY101"),
        tag="2026W05",
        title="Python, winter",
        **{
            "start_date": moment(2026, 1, 26),
            "end_date": moment(2026, 4, 6, 21),
            "enrollment_start": moment(2025, 11, 1),
            "enrollment_end": moment(2026, 2, 9, 22),
            "upgrade_deadline": moment(2026, 3, 1),
            "certificate_available_date": moment(2026, 4, 20),
            **fields,
        },
    )


class TestOnePage:
    def make_world(self, size: int) -> Any:
        course = make_source_course(title="Safer care")
        make_course_page(course)
        for number in range(size):
            run = make_run(course, tag=f"R{number}")
            make_paid_order(make_product(run, price="120"))
            contract = publish_contract(course, cap=3, name=f"Contract {number}")
            take_seat(contract, make_user())
            make_discount(name=f"Discount {number}")
        make_product(make_run(make_course(), tag="ELSEWHERE"))
        return course

    def test_it_has_the_page_runs_prices_contracts_enrollments_and_discounts(self) -> None:
        course = self.make_world(2)
        html = sign_in_as("superuser").get(f"/cms/courses/{course.pk}/").content.decode().replace("<wbr>", "")
        for words in ("R0", "R1", "$120.00", "Contract 0", "Contract 1", "1 of 3", "Discount 1", "Live", "Safer care"):
            assert words in html, words
        assert "ELSEWHERE" not in html
        assert re.search(r"<td>1</td>", html)  # the learners of a run

    @pytest.mark.parametrize(
        ("who", "shown", "hidden"),
        [
            ("editor", ("runs", "prices"), ("contracts", "discounts")),
            ("manager", ("runs", "contracts"), ("prices", "discounts")),
            ("finance", ("runs", "prices", "discounts"), ("contracts",)),
        ],
    )
    def test_each_role_sees_what_it_may(self, who: str, shown: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        course = self.make_world(1)
        html = sign_in_as(who).get(f"/cms/courses/{course.pk}/").content.decode().replace("<wbr>", "")
        assert [name for name in shown if f'id="section-{name}"' not in html] == []
        assert [name for name in hidden if f'id="section-{name}"' in html] == []

    @pytest.mark.parametrize("size", [1, 4])
    def test_it_costs_the_same_for_any_number(self, size: int) -> None:
        course = self.make_world(size)
        client = sign_in_as("superuser")
        client.get(f"/cms/courses/{course.pk}/")
        with queries(exactly=18):
            client.get(f"/cms/courses/{course.pk}/")


class TestCopies:
    @pytest.fixture
    def admin(self) -> Client:
        return sign_in_as("superuser")

    def url(self, run: CourseRun) -> str:
        return f"/cms/courses/runs/{run.pk}/copy/"

    def test_the_plan_comes_first_then_the_run_with_every_date_moved(self, admin: Client) -> None:
        run = make_last_years_run()
        make_product(run, price="249")
        form = {"tag": "2027W05", "start": "2027-02-01", "prices": "copy"}
        plan = admin.post(self.url(run), form).content.decode()
        assert "course-v1:" in plan
        assert "Feb. 1, 2027" in plan or "February 1, 2027" in plan or "1 February 2027" in plan
        assert CourseRun.objects.count() == 1
        admin.post(self.url(run), {**form, "confirmed": "1"})
        copy = CourseRun.objects.get(run_tag="2027W05")
        days = (date(2027, 2, 1) - date(2026, 1, 26)).days
        for name in DATES:
            before, after = getattr(run, name), getattr(copy, name)
            assert clock.date_of(after) - clock.date_of(before) == timedelta(days=days), name
            assert after.time() == before.time(), name
        assert not copy.live
        for field in CourseRun._meta.concrete_fields:
            if field.name not in OWN and field.name not in DATES:
                assert getattr(copy, field.attname) == getattr(run, field.attname), field.name
        product = Product.objects.get(course_run=copy)
        assert (product.money.formatted(), product.is_active) == ("$249.00", True)
        assert PriceChange.objects.filter(product=product).count() == 1
        run.refresh_from_db()
        assert run.start_date == moment(2026, 1, 26)

    def test_the_price_is_copied_only_if_chosen(self, admin: Client) -> None:
        run = make_last_years_run()
        make_product(run, price="249")
        form = {"tag": "2027W05", "start": "2027-02-01", "confirmed": "1"}
        answer = admin.post(self.url(run), form)
        assert answer.status_code == 422
        assert "Choose whether the new run is sold at the same price." in answer.content.decode()
        admin.post(self.url(run), {**form, "prices": "leave"})
        assert not Product.objects.filter(course_run__run_tag="2027W05").exists()

    @pytest.mark.parametrize(
        ("tag", "start", "sentence"),
        [
            ("2026W05", "2027-02-01", "already"),
            ("20 27", "2027-02-01", "A tag has only letters"),
            ("a+b", "2027-02-01", "A tag has only letters"),
            ("SOURCE", "2027-02-01", "copied from"),
            ("", "2027-02-01", "Enter a tag"),
            ("2027W05", "", "Choose the day"),
            ("2027W05", "31/31/2027", "valid date"),
            ("2027W05", "9999-12-31", "Check the year"),
            ("2027W05", "0001-01-01", "Check the year"),
        ],
    )
    def test_bad_input_gets_a_sentence_and_copies_nothing(
        self, admin: Client, tag: str, start: str, sentence: str
    ) -> None:
        run = make_last_years_run()
        answer = admin.post(self.url(run), {"tag": tag, "start": start, "confirmed": "1"})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
        assert CourseRun.objects.count() == 1

    def test_an_editor_copies_the_run_without_its_price(self) -> None:
        run = make_last_years_run()
        make_product(run)
        editor = sign_in_as("editor")
        assert "wait for finance" in editor.get(self.url(run)).content.decode()
        editor.post(self.url(run), {"tag": "2027W05", "start": "2027-02-01", "prices": "copy", "confirmed": "1"})
        copy = CourseRun.objects.get(run_tag="2027W05")
        assert not Product.objects.filter(course_run=copy).exists()

    def test_two_at_once_make_one_run(self) -> None:
        run = make_last_years_run()
        copy_run(run_id=run.pk, tag="2027W05", start=date(2027, 2, 1))
        with pytest.raises(RunKeyTaken):
            copy_run(run_id=run.pk, tag="2027W05", start=date(2027, 3, 1))
        assert CourseRun.objects.count() == 2

    def test_a_run_without_dates_gets_none_but_a_start(self) -> None:
        run = make_last_years_run(**dict.fromkeys(DATES))
        copy = copy_run(run_id=run.pk, tag="2027W05", start=date(2027, 2, 1))
        assert [name for name in DATES if getattr(copy, name)] == ["start_date"]

    def test_the_plan_of_a_run_without_dates_shows_its_first_day(self, admin: Client) -> None:
        run = make_last_years_run(**dict.fromkeys(DATES))
        form = {"tag": "2027W05", "start": "2027-02-01"}
        plan = admin.post(self.url(run), form).content.decode()
        assert "Feb. 1, 2027" in plan or "February 1, 2027" in plan or "1 February 2027" in plan
        admin.post(self.url(run), {**form, "confirmed": "1"})
        assert CourseRun.objects.get(run_tag="2027W05").start_date == moment(2027, 2, 1, 0)

    def test_a_run_at_ones_own_pace_without_dates_asks_for_no_first_day(self, admin: Client) -> None:
        run = make_last_years_run(**dict.fromkeys(DATES), is_self_paced=True)
        assert 'name="start"' not in admin.get(self.url(run)).content.decode()
        assert "can be taken at any time" in admin.post(self.url(run), {"tag": "2027"}).content.decode()
        admin.post(self.url(run), {"tag": "2027", "confirmed": "1"})
        copy = CourseRun.objects.get(run_tag="2027")
        assert [name for name in DATES if getattr(copy, name)] == []

    def test_a_run_at_ones_own_pace_with_dates_moves_them(self, admin: Client) -> None:
        dates = {name: None for name in DATES if name != "enrollment_start"}
        run = make_last_years_run(**dates, is_self_paced=True)
        assert run.enrollment_start is not None
        days = date(2027, 2, 1) - clock.date_of(run.enrollment_start)
        admin.post(self.url(run), {"tag": "2027", "start": "2027-02-01", "confirmed": "1"})
        copy = CourseRun.objects.get(run_tag="2027")
        assert (copy.start_date, copy.enrollment_start) == (None, run.enrollment_start + days)


def test_the_list_of_runs_begins_with_what_is_current() -> None:
    now = clock.now()
    course = make_course("PY101")
    for tag, start, end in (
        ("SOURCE", None, None),
        ("OLD", now - timedelta(days=300), now - timedelta(days=200)),
        ("OLDER", now - timedelta(days=600), now - timedelta(days=500)),
        ("LATER", now + timedelta(days=200), now + timedelta(days=300)),
        ("NEXT", now + timedelta(days=20), now + timedelta(days=100)),
        ("RUNNING", now - timedelta(days=10), now + timedelta(days=50)),
    ):
        make_run(course, tag=tag, start_date=start, end_date=end)
    make_run(course, tag="OWNPACE", is_self_paced=True, start_date=None, end_date=None)
    rows = sign_in_as("editor").get("/cms/snippets/courses/courserun/").context["object_list"]
    assert [run.run_tag for run in rows] == ["RUNNING", "NEXT", "LATER", "OWNPACE", "OLD", "OLDER", "SOURCE"]


def test_course_pages_are_found_by_a_part_of_the_course_id() -> None:
    page, other = make_course_page(make_course("OC101")), make_course_page(make_course("OC202"))
    editor = sign_in_as("editor")
    for url in ("/cms/course_pages/", f"/cms/pages/{page.get_parent().pk}/"):
        listed = editor.get(url, {"q": "OC101"}).context["object_list"]
        assert [found.pk for found in listed] == [page.pk], url
    assert other.pk != page.pk
