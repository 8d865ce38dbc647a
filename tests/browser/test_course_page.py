"""A course page in a browser: what belongs to the chosen start, the order of focus, and the bar on phones."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from cms.models import CoursePage, ProgramPage
from ecommerce.models import Product
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_deadline
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor
from tests.browser.walking import assert_fits
from tests.factories import make_course, make_product, make_program_product, make_run
from tests.factories.pages import make_course_page, make_program_page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

# Where each stop of the Tab key is: beside the content (the panel on wide screens) or in it, and how far down.
_STOP = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const box = (at.closest("label") ?? at).getBoundingClientRect();
  return { inSide: Boolean(at.closest(".course-side")), inMain: Boolean(at.closest("main")),
           isFixed: Boolean(at.closest(".enroll-bar")), top: box.top + scrollY };
}"""


def make_program_with_two_choices() -> ProgramPage:
    """A program of two courses; one starts in 60 or 70 days, the other in 20 or 90."""
    courses = [make_course(title=title) for title in ("Python", "Statistics")]
    for course, days in zip(courses, ((60, 70), (20, 90)), strict=True):
        for each in days:
            make_run(course, start_date=clock.now() + timedelta(days=each))
    return make_program_page(make_program_product(*courses).program)


def make_page_with_two_starts() -> tuple[CoursePage, Product, Product]:
    course = make_course(title="Management for people who make things")
    dated = make_product(make_run(course, start_date=clock.now() + timedelta(days=60)), price="180")
    any_time = make_product(make_run(course, is_self_paced=True), price="99")
    body = [
        {"type": "text", "value": {"heading": "What you learn", "text": '<p><a href="/help/">Help</a></p>' * 20}},
        {
            "type": "questions",
            "value": {"heading": "Questions", "items": [{"question": "Why?", "answer": "<p>So.</p>"}]},
        },
    ]
    return make_course_page(course, body=body), dated, any_time


def make_program_on_sale(course_page: CoursePage) -> ProgramPage:
    """A program with the course of this page and its text."""
    product = make_program_product(course_page.subject)
    return make_program_page(product.program, body=course_page.body)


def deadline(days: int) -> str:
    last = clock.date_of(clock.now() + timedelta(days=days))
    return f"Full refund until {format_deadline(last, today=clock.today())}"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_programs_refund_follows_the_first_of_the_chosen_starts(open_visitor: OpenVisitor, scripts: bool) -> None:
    program_page = make_program_with_two_choices()
    visitor = open_visitor(scripts=scripts)
    visitor.opens(program_page.url)
    panel = visitor.page.get_by_role("region", name="Price and enrollment")
    first, second = panel.get_by_label("Python"), panel.get_by_label("Statistics")
    for chosen_first, chosen_second, days in ((0, 0, 34), (0, 1, 74), (1, 1, 84), (1, 0, 34)):
        first.select_option(index=chosen_first)
        second.select_option(index=chosen_second)
        expect(panel.get_by_text("Full refund until").filter(visible=True)).to_have_text(deadline(days))
    panel.get_by_role("button", name="Enroll").click()
    expect(visitor.page.get_by_text(deadline(34))).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_price_and_refund_follow_the_chosen_start(open_visitor: OpenVisitor, scripts: bool) -> None:
    course_page, *_ = make_page_with_two_starts()
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    visitor.opens(course_page.url)
    panel = page.get_by_role("region", name="Price and enrollment")
    price = panel.locator(".price-lg")

    expect(price).to_contain_text("$180", use_inner_text=True)
    expect(panel.get_by_role("button", name="Enroll for $180")).to_be_visible()
    expect(panel.get_by_text(deadline(74))).to_be_visible()

    panel.get_by_text("Start any time").click()
    assert price.inner_text() == "$99"
    expect(panel.get_by_role("button", name="Enroll for $99")).to_be_visible()
    expect(panel.get_by_text(deadline(14))).to_be_visible()
    expect(panel.get_by_text(deadline(74))).to_be_hidden()

    panel.get_by_role("button", name="Enroll for $99").click()
    visitor.opens("/cart/")
    expect(page.get_by_role("main")).to_contain_text("$99.00")
    expect(page.get_by_text(deadline(14))).to_be_visible()


def test_the_bar_of_a_phone_follows_the_chosen_start(open_visitor: OpenVisitor) -> None:
    course_page, *_ = make_page_with_two_starts()
    visitor = open_visitor(width=390)
    page = visitor.page
    visitor.opens(course_page.url)
    page.get_by_text("Start any time").first.click()
    page.get_by_role("link", name="Help").last.scroll_into_view_if_needed()
    bar = page.locator(".enroll-bar")
    expect(bar).to_be_visible()
    assert bar.inner_text().split("\n")[:2] == ["$99", "Start any time"]
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize("kind", ["course", "program"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_focus_follows_the_page(open_visitor: OpenVisitor, width: int, kind: str) -> None:
    course_page, *_ = make_page_with_two_starts()
    opened = course_page if kind == "course" else make_program_on_sale(course_page)
    visitor = open_visitor(width=width)
    page = visitor.page
    visitor.opens(opened.url)
    found = list(stops_in_main(page))
    assert len(found) > 20
    sides = [stop["inSide"] for stop in found]
    first, last = sides.index(True), len(sides) - sides[::-1].index(True)
    assert all(sides[first:last]), "the panel is left and entered again"
    assert first <= 3, "the panel comes right after the head"
    # Beside each other on wide screens, below each other on phones: within each, focus only goes down.
    columns = [found[:first] + found[last:], found[first:last]] if width == 1280 else [found]
    for column in columns:
        tops = [stop["top"] for stop in column]
        assert all(later >= earlier - 24 for earlier, later in pairwise(tops)), tops


def stops_in_main(page: Page) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        stop = page.evaluate(_STOP)
        if stop is None:
            return found
        if stop["inMain"] and not stop["isFixed"]:
            found.append(stop)
    raise AssertionError("The page has no end.")
