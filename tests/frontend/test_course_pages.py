"""Course, program and home pages: content and query counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from cms.models import HomePage, Instructor, ProgramPage
from courses.models import Course, CourseRun
from ecommerce.models import Product
from frontend.pages.courses import build_course_page
from frontend.pages.programs import build_program_page, program_cards
from mitxonline.kernel import clock
from tests.factories import NOON, make_contract, make_contract_run, make_course, make_department, make_product, make_run
from tests.factories.pages import block, make_course_page, make_home, make_program, make_program_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def course_on_sale(title: str, price: str, *, department: str = "Computing", weeks: int = 6) -> Course:
    course = make_course(title=title, department=make_department(department), duration_weeks=weeks)
    make_course_page(course)
    make_product(make_run(course, start_date=NOON + timedelta(days=30)), price=price)
    return course


class TestCoursePage:
    def test_says_the_facts_that_are_known(self) -> None:
        course = course_on_sale("Python", "249", weeks=8)
        course.hours_per_week_min, course.hours_per_week_max = 4, 6
        course.page.prerequisites = "No experience needed"
        view = build_course_page(course.page, user_id=None, now=NOON)
        assert view is not None
        assert [(fact.title, fact.note) for fact in view.facts] == [
            ("1 Apr", "Next start"),
            ("8 weeks", "4–6 hours a week"),
            ("Intro", "No experience needed"),
            ("Certificate", "Earned when you pass"),
        ]

    def test_says_nothing_it_doesn_t_know(self) -> None:
        page = make_course_page(make_course())
        view = build_course_page(page, user_id=None, now=NOON)
        assert view is not None
        assert [fact.icon for fact in view.facts] == ["level"]

    def test_leads_back_through_its_department(self) -> None:
        view = build_course_page(course_on_sale("Python", "249").page, user_id=None, now=NOON)
        assert view is not None
        assert [(crumb.title, crumb.url) for crumb in view.breadcrumb] == [
            ("Catalog", "/catalog/"),
            ("Computing", "/catalog/?department=computing"),
            ("Python", ""),
        ]

    def test_names_the_programs_it_belongs_to_that_can_be_opened(self) -> None:
        course = course_on_sale("Python", "249")
        make_program_page(make_program("A", courses=[course], title="Shown"))
        make_program_page(make_program("B", courses=[course], title="Draft")).unpublish()
        make_program_page(make_program("C", title="Another course's"))
        view = build_course_page(course.page, user_id=None, now=NOON)
        assert view is not None
        assert [(link.title, link.url) for link in view.programs] == [("Shown", "/programs/program-v1:TesseraX+A/")]
        assert [tile.title for tile in view.programs[0].courses] == ["Python"]

    def test_people_also_take_what_is_in_the_same_program_then_the_same_department(self) -> None:
        course = course_on_sale("Python", "249")
        mate = course_on_sale("Writing", "95", department="Humanities")
        course_on_sale("Databases", "249")
        course_on_sale("Bridges", "195", department="Engineering")
        make_program(courses=[course, mate])
        view = build_course_page(course.page, user_id=None, now=NOON)
        assert view is not None
        assert [card.title for card in view.related] == ["Writing", "Databases", "Bridges"]

    def test_never_shows_a_contracts_run(self, client: Client) -> None:
        course = course_on_sale("Python", "249")
        run = make_contract_run(make_contract(), course)
        text = client.get(course.page.url).content.decode()
        assert run.course_run.courseware_id not in text
        assert f'value="{run.product_id}"' not in text
        assert "Northgate" not in text

    @pytest.mark.parametrize("number", [1, 20])
    def test_costs_a_visitor_the_same_whatever_is_around_it(self, client: Client, number: int) -> None:
        course = make_course()
        teachers = [Instructor.objects.create(name=f"Teacher {each}") for each in range(number)]
        page = make_course_page(
            course,
            body=[block("faculty", heading="Instructors", people=[teacher.pk for teacher in teachers])],
        )
        courses = [course] + [course_on_sale(f"Course {each}", "100") for each in range(number)]
        for each in range(number):
            make_product(make_run(course, start_date=clock.now() + timedelta(days=each + 1)), price="249")
            make_program_page(make_program(f"P{each}", courses=courses))
        client.get(page.url)
        with queries(exactly=11):
            client.get(page.url)


class TestPrograms:
    def three(self) -> list[Course]:
        return [
            course_on_sale("Infection", "180", weeks=5),
            course_on_sale("Statistics", "199", weeks=6),
            course_on_sale("Interface", "210", weeks=6),
        ]

    def page(self, courses: list[Course], *, at_least: int | None = None, price: str = "520") -> ProgramPage:
        page = make_program_page(make_program(courses=courses, at_least=at_least))
        if price:
            Product.objects.create(program=page.program, sku="SCBR", price=Decimal(price), currency="USD")
        return page

    def test_a_card_says_what_the_courses_would_cost_one_by_one(self) -> None:
        [card] = program_cards([self.page(self.three())], now=NOON)
        assert (card.price_text, card.was_text, card.count_text) == ("$520", "$589", "3 courses")
        assert [tile.title for tile in card.courses] == ["Infection", "Statistics", "Interface"]

    @pytest.mark.parametrize(
        ("at_least", "price", "free", "expected"),
        [
            (2, "520", False, ("$520", "")),
            (None, "600", False, ("$600", "")),
            (None, "", False, ("", "")),
            (None, "520", True, ("$520", "")),
        ],
    )
    def test_no_crossed_out_price_that_was_never_charged(
        self, at_least: int | None, price: str, free: bool, expected: Any
    ) -> None:
        courses = self.three()
        if free:
            courses.append(make_course(title="Free"))
        [card] = program_cards([self.page(courses, at_least=at_least, price=price)], now=NOON)
        assert (card.price_text, card.was_text) == expected

    def test_a_page_shows_what_is_asked_for_with_cards_where_there_are_pages(self) -> None:
        courses = [*self.three(), make_course(title="Without a page")]
        view = build_program_page(self.page(courses), user_id=None, now=NOON)
        assert view is not None
        [group] = view.program.steps
        assert group.is_group
        assert (group.title, group.text) == ("", "")
        assert [(step.title, step.card is not None) for step in group.steps] == [
            ("Infection", True),
            ("Statistics", True),
            ("Interface", True),
            ("Without a page", False),
        ]
        panel = view.program.panel
        assert (panel.button_text, panel.can_buy) == ("Enroll for $520", True)

    def test_a_program_without_a_product_says_what_to_do(self, client: Client) -> None:
        page = self.page(self.three(), price="")
        assert "These courses are sold individually." in client.get(page.url).content.decode()

    def test_a_program_none_of_whose_courses_is_open_can_t_be_bought(self, client: Client) -> None:
        page = self.page(self.three())
        CourseRun.objects.update(enrollment_end=clock.now() - timedelta(days=1))
        text = client.get(page.url).content.decode()
        assert "None of these courses is open for enrollment right now." in text
        assert "Enroll for" not in text

    @pytest.mark.parametrize("number", [1, 12])
    def test_a_page_costs_the_same_for_any_number_of_courses(self, client: Client, number: int) -> None:
        page = self.page([course_on_sale(f"Course {each}", "100") for each in range(number)])
        client.get(page.url)
        with queries(exactly=13):
            client.get(page.url)


class TestHome:
    def home(self) -> HomePage:
        home = make_home()
        home.body = [
            ("departments", {"heading": ""}),
            ("starting_soon", {"heading": "Starting soon", "how_many": 4}),
            ("programs", {"heading": "Programs", "programs": []}),
        ]
        home.save()
        return home

    def test_fills_itself_from_the_catalog(self, client: Client) -> None:
        self.home()
        course_on_sale("Later", "100")
        course = course_on_sale("Sooner", "249", department="Data & statistics")
        course.runs.update(start_date=clock.now() + timedelta(days=2))
        make_program_page(make_program(courses=[course]))
        text = client.get("/").content.decode()
        assert text.index("Sooner") < text.index("Later")
        for words in (escape("Data & statistics"), "Computing", "See all 2 courses", "Data Foundations"):
            assert words in text

    @pytest.mark.parametrize("number", [1, 20])
    def test_costs_the_same_for_any_number_of_courses(self, client: Client, number: int) -> None:
        self.home()
        courses = [course_on_sale(f"Course {each}", "100") for each in range(number)]
        make_program_page(make_program(courses=courses))
        client.get("/")
        with queries(exactly=12):
            client.get("/")
