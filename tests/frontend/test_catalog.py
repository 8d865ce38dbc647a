"""The catalog: listing, search, filters, counts and sorting, with a constant number of queries."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from cms.models import Instructor
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Course, CourseRun, Topic
from courses.services.enrollments import enroll
from ecommerce.models import Product
from frontend.pages.catalog import PAGE_SIZE, Catalog, CatalogQuery, catalog, soon_until
from frontend.pages.offers import course_offers
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    make_contract,
    make_contract_run,
    make_course,
    make_department,
    make_product,
    make_run,
    make_user,
)
from tests.factories.pages import block, make_course_page, make_home, make_program, make_program_page
from tests.frontend.conftest import SignIn
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def listed(
    title: str,
    *,
    department: str = "Computing",
    price: str | None = "249",
    starts: int | None = 30,
    self_paced: bool = False,
    level: str = "intro",
    **fields: Any,
) -> Course:
    """Make a course with a page and one run that starts this many days from noon; None makes no run."""
    course = make_course(title=title, department=make_department(department), level=level, **fields)
    make_course_page(course)
    if starts is not None:
        run = make_run(course, start_date=NOON + timedelta(days=starts), is_self_paced=self_paced)
        if price is not None:
            make_product(run, price=price)
    return course


def ask(address: str = "", *, now: datetime = NOON) -> Catalog:
    return catalog(QueryDict(address), path="/catalog/", now=now)


def titles(address: str = "", *, now: datetime = NOON) -> list[str]:
    return [card.title for card in ask(address, now=now).cards]


class TestWhatIsListed:
    def test_courses_with_a_public_page(self) -> None:
        listed("Programming")
        make_course(title="Without a page")
        hidden = listed("Draft")
        hidden.page.unpublish()
        assert titles() == ["Programming"]

    def test_contract_runs_and_their_products_never_count(self) -> None:
        course = listed("Statistics", price="199")
        run = make_contract_run(make_contract(), course).course_run
        run.start_date = NOON + timedelta(days=1)
        run.save()
        [card] = ask().cards
        assert (card.price_text, card.start_text) == ("$199", "Starts 1 Apr")
        assert [each.run_id for each in course_offers([course.pk], now=NOON)[course.pk].runs] == [
            CourseRun.objects.get(course=course).pk
        ]

    def test_source_runs_are_for_copying_not_for_taking(self) -> None:
        course = listed("Statistics", starts=None)
        make_run(course, tag="SOURCE")
        [card] = ask().cards
        assert (card.price_text, card.start_text, card.state) == ("", "", "closed")

    def test_a_run_whose_product_was_taken_off_sale_is_not_free_for_that(self) -> None:
        course = listed("Statistics", price="199")
        Product.objects.update(is_active=False)
        [card] = ask().cards
        assert (card.price_text, card.state) == ("", "closed")
        assert not course_offers([course.pk], now=NOON)[course.pk].runs

    def test_the_price_is_the_lowest_that_can_be_had_now(self) -> None:
        course = listed("Statistics", price="199")
        make_product(make_run(course), price="149")
        make_product(make_run(course, enrollment_start=NOON + timedelta(days=3)), price="99")
        make_product(make_run(course, enrollment_end=NOON - timedelta(days=3)), price="79")
        [card] = ask().cards
        assert card.price_text == "From $149"

    def test_a_course_that_costs_nothing_says_free(self) -> None:
        listed("Climate", price=None)
        listed("Ethics", price="0")
        assert [card.price_text for card in ask().cards] == ["Free", "Free"]

    def test_cents_are_shown_where_there_are_any(self) -> None:
        listed("Climate", price="199.20")
        [card] = ask().cards
        assert card.price_text == "$199.20"


@pytest.mark.parametrize(
    ("run", "text", "self_paced"),
    [
        ({"start_date": NOON + timedelta(days=30)}, "Starts 1 Apr", False),
        ({"start_date": NOON + timedelta(days=400)}, "Starts 6 Apr 2027", False),
        ({"start_date": NOON - timedelta(days=5)}, "Started 25 Feb", False),
        ({"start_date": NOON - timedelta(days=5), "is_self_paced": True}, "Start any time", True),
        ({"is_self_paced": True}, "Start any time", True),
        ({"is_self_paced": True, "enrollment_start": NOON + timedelta(days=9)}, "Opens 11 Mar", False),
        ({"start_date": NOON - timedelta(days=90), "end_date": NOON - timedelta(days=1)}, "", False),
    ],
)
def test_when_a_course_can_be_begun(run: dict[str, Any], text: str, self_paced: bool) -> None:
    course = listed("Course", starts=None)
    make_run(course, **run)
    [card] = ask().cards
    assert (card.start_text, card.self_paced) == (text, self_paced)


class TestSearch:
    @pytest.fixture(autouse=True)
    def courses(self) -> None:
        listed("Programming with Python, properly", summary="Write programs that others can read.")
        listed("Databases you can trust", summary="Design tables that refuse nonsense.")
        listed("Statistics for people who make decisions", department="Data & statistics")

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("python", ["Programming with Python, properly"]),
            ("PYTHON", ["Programming with Python, properly"]),
            ("pyth", ["Programming with Python, properly"]),
            ("program read", ["Programming with Python, properly"]),
            ("programmin", ["Programming with Python, properly"]),
            ("table", ["Databases you can trust"]),
            ("data & stat", ["Statistics for people who make decisions"]),
            ("statistic decision", ["Statistics for people who make decisions"]),
            ("databases -trust", []),
            ('"you can trust"', ["Databases you can trust"]),
            ("cooking", []),
            ("'; DROP TABLE courses; --", []),
            ("a:* & | ! (", []),
            ("%", []),
            ("\x00", None),
        ],
    )
    def test_search_finds_courses(self, text: str, found: Any) -> None:
        address = QueryDict(mutable=True)
        address["q"] = text
        everything = sorted(titles())
        assert sorted(titles(address.urlencode())) == (everything if found is None else sorted(found))

    def test_by_course_id(self) -> None:
        course = Course.objects.get(title__startswith="Databases")
        assert titles(f"q={course.readable_id.replace('+', '%2B')}") == ["Databases you can trust"]

    def test_title_matches_come_first(self) -> None:
        listed("Reading tables aloud")
        assert titles("q=table") == ["Reading tables aloud", "Databases you can trust"]

    def test_a_likelier_word_is_suggested_where_nothing_is_found(self) -> None:
        found = ask("q=pyhton")
        assert (found.found_count, found.suggestion, found.suggestion_url) == (0, "python", "/catalog/?q=python")
        assert ask("q=zzzzzz").suggestion == ""
        assert ask("q=python").suggestion == ""

    def test_only_what_finds_something_is_suggested(self, client: Client) -> None:
        # Each word is close to one of a title, but no course has both.
        assert ask("q=pyhton+databse").suggestion == ""
        assert "Did you mean" not in client.get("/catalog/?q=pyhton+databse").content.decode()
        assert (
            'Did you mean <a href="/catalog/?q=python">python</a>?'
            in client.get("/catalog/?q=pyhton&level=intro").content.decode()
        )

    def test_nothing_is_suggested_where_filters_are_the_reason(self) -> None:
        assert ask("q=python&level=advanced").suggestion == ""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("free", ["Ethics for free"]),
            ("free ethics", ["Ethics for free"]),
            ("ethics", ["Ethics for free"]),
            ("FREE statistics", ["Statistics for people who make decisions"]),
        ],
    )
    def test_free_is_a_price(self, text: str, found: list[str]) -> None:
        listed("Ethics for free", price=None)
        page = Course.objects.get(title__startswith="Statistics").page
        page.body = json.dumps([block("text", heading="", text="<p>Feel free to ask.</p>")])
        page.save_revision().publish()
        assert titles(f"q={text}") == found


class TestPrograms:
    @pytest.fixture(autouse=True)
    def courses(self) -> None:
        first, second = listed("Safety first"), listed("Budgets", department="Business")
        topic = Topic.objects.create(name="Risk", slug="risk")
        first.topics.set([topic])
        make_program_page(make_program("SAFE", title="Safer care", courses=[first, second]))
        make_program_page(make_program("LEAD", title="Leading teams", courses=[second]))

    def test_are_found_beside_courses(self, client: Client) -> None:
        found = ask("q=budgets")
        assert [card.title for card in found.cards] == ["Budgets"]
        assert {card.title for card in found.program_cards} == {"Safer care", "Leading teams"}
        assert not found.is_program_first
        assert "2 programs" in client.get("/catalog/?q=budgets").content.decode()

    def test_come_first_where_no_course_matches_as_well(self, client: Client) -> None:
        found = ask("q=safer+care")
        assert (found.found_count, found.is_program_first) == (0, True)
        assert [card.title for card in found.program_cards] == ["Safer care"]
        assert "No courses match" not in client.get("/catalog/?q=safer+care").content.decode()

    @pytest.mark.parametrize(
        ("filters", "number"),
        [("topic=risk", 1), ("department=business", 0), ("level=intro", 0), ("price=high", 0), ("", 2)],
    )
    def test_filters_apply_to_them(self, filters: str, number: int) -> None:
        assert ask(f"q=budgets&{filters}").program_count == number

    def test_are_not_listed_without_a_search(self) -> None:
        assert ask().program_count == 0


class TestFacetsOfEditors:
    @pytest.fixture(autouse=True)
    def courses(self) -> None:
        python, data = (
            Topic.objects.create(name="Python", slug="python"),
            Topic.objects.create(name="Data", slug="data"),
        )
        mirela, jonas = Instructor.objects.create(name="Mirela Radu"), Instructor.objects.create(name="Jonas Tveit")
        Instructor.objects.create(name="On no page")
        Topic.objects.create(name="On no course", slug="none")
        for title, language, country, topics, people in (
            ("First", "en", "IE", [python, data], [mirela]),
            ("Second", "es", "PT", [data], [mirela, jonas]),
            ("Third", "", "", [], []),
        ):
            course = make_course(title=title, language=language, country=country)
            make_course_page(course, body=[block("faculty", heading="", people=[each.pk for each in people])])
            course.topics.set(topics)

    def options(self, address: str = "") -> dict[str, dict[str, int]]:
        return {facet.name: {each.label: each.count for each in facet.options} for facet in ask(address).facets}

    def test_count_what_they_show(self) -> None:
        options = self.options()
        assert options["topic"] == {"Data": 2, "Python": 1}
        assert options["language"] == {"English": 1, "Spanish": 1}
        assert options["country"] == {"Ireland": 1, "Portugal": 1}
        assert options["instructor"] == {"Mirela Radu": 2, "Jonas Tveit": 1}

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("topic=python", ["First"]),
            ("topic=python&topic=data", ["First", "Second"]),
            ("language=es", ["Second"]),
            ("country=IE", ["First"]),
            ("country=IE&country=PT&language=es", ["Second"]),
            ("instructor=mirela-radu&language=en", ["First"]),
            ("instructor=jonas-tveit&topic=python", []),
            ("instructor=nobody&topic=nothing&language=zz", ["First", "Second", "Third"]),
        ],
    )
    def test_limit_the_list(self, address: str, found: list[str]) -> None:
        assert sorted(titles(address)) == found

    def test_are_there_where_editors_have_filled_them(self) -> None:
        Course.objects.exclude(title="First").update(language="en", country="IE")
        Topic.objects.all().delete()
        assert self.options().keys() == {"department", "start", "level", "price", "instructor"}

    def test_those_with_the_most_courses_are_shown_of_hundreds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("frontend.pages.catalog.LISTED_OPTIONS", 1)
        assert self.options()["instructor"] == {"Mirela Radu": 2}
        assert self.options("instructor=jonas-tveit")["instructor"] == {"Jonas Tveit": 1}

    def test_a_chip_and_the_filter_to_drop_are_named(self) -> None:
        found = ask("topic=python&language=es")
        assert [chip.label for chip in found.chips] == ["Python", "Spanish"]
        assert [(drop.label, drop.count, drop.url) for drop in found.drops] == [
            ("Python", 1, "/catalog/?language=es"),
            ("Spanish", 1, "/catalog/?topic=python"),
        ]


class TestTheOrder:
    def test_a_search_shows_the_best_match_first_until_another_order_is_chosen(self, client: Client) -> None:
        make_home()
        for address, value in (("", "start"), ("?q=python", "best")):
            text = client.get(f"/catalog/{address}").content.decode()
            chosen = re.search(r'<option value="([^"]*)" selected', text)
            assert chosen is not None
            assert chosen[1] == "", "the form leaves the order out"
            assert f'value="{value}"' not in text.partition('id="catalog-sort"')[2].partition("</select>")[0]

    def test_an_order_somebody_chose_stays(self, client: Client) -> None:
        make_home()
        text = client.get("/catalog/?q=python&sort=title").content.decode()
        assert '<option value="title" selected>' in text
        assert '<option value="">Best match' in text

    def test_the_plain_form_sends_no_order(self) -> None:
        listed("Statistics", starts=90)
        listed("Art", starts=10, summary="Statistics of art.")
        assert titles("q=statistics&sort=") == ["Statistics", "Art"]
        assert titles("q=&sort=") == ["Art", "Statistics"]


class TestFilters:
    @pytest.fixture(autouse=True)
    def courses(self) -> None:
        listed("Python", price="249", starts=30)
        listed("Databases", price="249", starts=90, level="intermediate")
        listed("Statistics", department="Data", price="199", starts=-3, self_paced=True)
        listed("Climate", department="Climate", price=None, starts=40)
        listed("Control", department="Engineering", price="340", starts=100, level="advanced")
        listed("Ethics", department="Humanities", starts=None, level="intermediate")

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("", ["Python", "Climate", "Databases", "Control", "Statistics", "Ethics"]),
            ("department=computing", ["Python", "Databases"]),
            ("department=computing&department=data", ["Python", "Databases", "Statistics"]),
            ("level=intro", ["Python", "Climate", "Statistics"]),
            ("price=free", ["Climate"]),
            ("price=low", ["Statistics"]),
            ("price=high", ["Python", "Databases", "Control"]),
            ("price=free&price=low", ["Climate", "Statistics"]),
            ("start=any", ["Statistics"]),
            ("start=soon", ["Python", "Climate", "Databases"]),
            ("start=later", ["Control"]),
            ("department=computing&level=intermediate&price=high&start=soon", ["Databases"]),
            ("department=data&price=free", []),
            ("q=python&department=data", []),
        ],
    )
    def test_filters_limit_the_list(self, address: str, found: Any) -> None:
        assert titles(address) == found

    @pytest.mark.parametrize(
        "address",
        [
            "department=nonsense",
            "department='%22%3C",
            "level=expert",
            "price=999",
            "start=never",
            "page=-3",
            "page=zz",
            "page=1e9",
            "sort=random",
            "sort=best",
            "q=",
            "unknown=1",
            "level=&price=",
            "page=%00&q=%00",
            "level=" + "x" * 5000,
        ],
    )
    def test_junk_is_left_out(self, client: Client, address: str) -> None:
        assert titles(address) == titles()
        assert client.get(f"/catalog/?{address}").status_code == 200

    @pytest.mark.parametrize("htmx", [{}, {"HX-Request": "true"}])
    def test_a_page_beyond_the_last_leads_to_the_last(self, client: Client, htmx: dict[str, str]) -> None:
        make_home()
        response = client.get("/catalog/?page=99&sort=price", headers=htmx)
        assert (response.status_code, response.headers["Location"]) == (302, "/catalog/?sort=price")
        for number in range(PAGE_SIZE):
            make_course_page(make_course(f"MORE-{number}"))
        response = client.get("/catalog/?page=99&sort=price", headers=htmx)
        assert (response.status_code, response.headers["Location"]) == (302, "/catalog/?sort=price&page=2")
        assert client.get("/catalog/?page=2&sort=price", headers=htmx).status_code == 200

    @pytest.mark.parametrize(
        ("sort", "found"),
        [
            ("start", ["Python", "Climate", "Databases", "Control", "Statistics", "Ethics"]),
            ("title", ["Climate", "Control", "Databases", "Ethics", "Python", "Statistics"]),
            ("price", ["Climate", "Statistics", "Databases", "Python", "Control", "Ethics"]),
        ],
    )
    def test_results_are_sorted(self, sort: str, found: Any) -> None:
        assert titles(f"sort={sort}") == found

    def test_new_courses_can_be_sorted_first(self) -> None:
        page = Course.objects.get(title="Databases").page
        type(page).objects.filter(pk=page.pk).update(first_published_at=NOON)
        assert titles("sort=newest")[0] == "Databases"

    def test_each_group_counts_what_it_would_show_together_with_the_others(self) -> None:
        counts = {
            facet.name: {option.value: option.count for option in facet.options}
            for facet in ask("level=intro&level=intermediate").facets
        }
        assert counts["level"] == {"intro": 3, "intermediate": 2, "advanced": 1}
        assert counts["department"] == {"computing": 2, "data": 1, "climate": 1, "engineering": 0, "humanities": 1}
        assert counts["price"] == {"free": 1, "low": 1, "high": 2}
        assert counts["start"] == {"any": 1, "soon": 3, "later": 0}

    def test_counts_match_the_results(self) -> None:
        for facet in ask().facets:
            for option in facet.options:
                assert ask(f"{facet.name}={option.value}").found_count == option.count, option

    def test_chips_take_one_filter_off_each(self) -> None:
        found = ask("q=a&level=intro&level=intermediate&price=high&sort=title&page=2")
        assert [(chip.label, chip.url) for chip in found.chips] == [
            ("Intro", "/catalog/?q=a&level=intermediate&price=high&sort=title"),
            ("Intermediate", "/catalog/?q=a&level=intro&price=high&sort=title"),
            ("Over $200", "/catalog/?q=a&level=intermediate&level=intro&sort=title"),
        ]
        assert found.clear_url == "/catalog/?q=a&sort=title"
        assert found.query.filter_count == 3

    def test_the_start_filter_says_until_when(self) -> None:
        labels = [option.label for option in ask().facets[1].options]
        assert labels == ["Any time", "By the end of May", "Later"]


@pytest.mark.parametrize(
    ("today", "until"),
    [
        (date(2025, 11, 21), date(2026, 1, 31)),
        (date(2025, 12, 31), date(2026, 2, 28)),
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2027, 12, 15), date(2028, 2, 29)),
    ],
)
def test_soon_is_until_the_end_of_the_month_two_months_on(today: date, until: date) -> None:
    assert soon_until(today) == until


def test_the_address_of_a_query_reads_as_the_same_query() -> None:
    address = "q=maps+%26+data&department=climate&department=data&start=any&level=advanced&price=low&sort=newest"
    query = CatalogQuery.from_params(QueryDict(address))
    assert query.to_query_string() == f"?{address}"
    assert CatalogQuery.from_params(QueryDict(query.to_query_string()[1:])) == query


class TestPages:
    def test_results_are_paginated(self) -> None:
        for number in range(PAGE_SIZE + 2):
            listed(f"Course {number:02d}")
        first, second = ask("sort=title"), ask("sort=title&page=2")
        assert (len(first.cards), len(second.cards)) == (PAGE_SIZE, 2)
        assert (first.page.paginator.num_pages, first.found_count, first.course_count) == (2, 11, 11)
        assert not {card.title for card in first.cards} & {card.title for card in second.cards}


class TestThePage:
    def test_is_whole_for_a_browser_and_the_list_alone_for_htmx(self, client: Client) -> None:
        listed("Python")
        whole = client.get("/catalog/?level=intro")
        part = client.get("/catalog/?level=intro", headers={"HX-Request": "true"})
        back = client.get("/catalog/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
        assert b"<html" in whole.content
        assert b"<html" in back.content
        assert b"<html" not in part.content
        assert b"Python" in part.content
        assert "HX-Request" in whole.headers["Vary"]

    def test_says_what_to_do_when_nothing_fits(self, client: Client) -> None:
        listed("Python")
        text = client.get("/catalog/?q=cooking").content.decode()
        assert "No courses match “cooking”." in text
        assert "Clear search" in text
        assert "filters." not in text

    @pytest.mark.parametrize("number", [1, 50])
    def test_costs_a_visitor_the_same_for_any_number_of_courses(self, client: Client, number: int) -> None:
        for _each in range(number):
            listed(f"Course {_each}")
        client.get("/catalog/")
        with queries(exactly=13):
            client.get("/catalog/?q=course&level=intro")

    def test_shows_a_learner_what_they_are_in(self, client: Client, learner: User, learners_client: Client) -> None:
        course = listed("Python")
        run = CourseRun.objects.get(course=course)
        enroll(
            user_id=learner.pk,
            run_id=run.pk,
            mode=EnrollmentMode.AUDIT,
            source=EnrollmentSource.FREE,
            now=clock.now(),
        )
        found = catalog(QueryDict(), user_id=learner.pk, now=NOON)
        assert [card.state for card in found.cards] == ["enrolled"]
        CourseRun.objects.filter(pk=run.pk).update(
            start_date=NOON - timedelta(days=9), end_date=NOON - timedelta(days=1)
        )
        found = catalog(QueryDict(), user_id=learner.pk, now=NOON)
        assert [card.state for card in found.cards] == ["closed"]
        CourseRun.objects.filter(pk=run.pk).update(end_date=None)
        assert "Enrolled" in learners_client.get("/catalog/").content.decode()
        assert "Enrolled" not in client.get("/catalog/").content.decode()


def test_an_empty_house_has_an_empty_catalog(client: Client, sign_in: SignIn) -> None:
    make_home()
    assert client.get("/catalog/").status_code == 200
    assert sign_in(make_user()).get("/").status_code == 200
