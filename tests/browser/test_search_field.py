"""The search field as a combobox, the page of an instructor and the change of one's address, in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect

from cms.models import HomePage, Instructor
from courses.models import Topic
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor
from tests.browser.walking import assert_fits
from tests.factories import PASSWORD, make_course, make_user
from tests.factories.pages import block, make_course_page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def world(live_server: Any, settings: Any) -> dict[str, str]:
    """Two courses, two instructors and a topic that begin alike."""
    settings.SITE_BASE_URL = live_server.url
    call_command("configure_wagtail", verbosity=0)
    people = [Instructor.objects.create(name=name) for name in ("Pytor Radu", "Mirela Radu")]
    faculty = [block("faculty", heading="", people=[each.pk for each in people])]
    course = make_course("PY101", title="Pythons and other snakes")
    make_course_page(course, body=faculty)
    make_course_page(make_course("PY102", title="Python for analysts"), body=faculty)
    course.topics.set([Topic.objects.create(name="Python", slug="python")])
    return {"home": str(HomePage.objects.get().url), "catalog": "/catalog/"}


def options(page: Page) -> Locator:
    """The suggestions; the list of orders of the catalog has options too."""
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def type_in_field(page: Page, text: str) -> Locator:
    field = page.get_by_role("main").get_by_role("combobox", name="Search courses")
    field.press_sequentially(text)
    expect(options(page).first).to_be_visible()
    return field


def chosen(page: Page) -> Locator:
    return page.locator("[role=option][aria-selected=true]")


@pytest.mark.parametrize("where", ["home", "catalog"])
def test_the_search_field_is_a_combobox(open_visitor: OpenVisitor, world: dict[str, str], where: str) -> None:
    visitor = open_visitor()
    page = visitor.page
    visitor.opens(world[where])
    field = page.get_by_role("main").get_by_role("combobox", name="Search courses")
    expect(field).to_have_attribute("aria-expanded", "false")

    type_in_field(page, "pyt")
    count = options(page).count()
    assert count >= len(["two courses", "an instructor", "a topic"])
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#live")).to_have_text(f"{count} suggestions")
    expect(chosen(page)).to_have_count(0)
    assert_accessible(page)

    for index in (0, 1):
        field.press("ArrowDown")
        option = options(page).nth(index)
        expect(option).to_have_attribute("aria-selected", "true")
        expect(chosen(page)).to_have_count(1)
        expect(field).to_have_attribute("aria-activedescendant", str(option.get_attribute("id")))
        expect(field).to_be_focused()
    assert_accessible(page)
    for _to_the_field in range(2):
        field.press("ArrowUp")
    expect(chosen(page)).to_have_count(0)
    assert field.get_attribute("aria-activedescendant") is None
    field.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")

    field.press("Escape")
    expect(page.get_by_role("listbox", name="Suggestions")).to_be_hidden()
    expect(field).to_have_attribute("aria-expanded", "false")
    assert field.get_attribute("aria-activedescendant") is None
    expect(field).to_have_value("pyt")

    field.press("ArrowDown")
    address = str(options(page).first.get_attribute("href"))
    field.press("Enter")
    page.wait_for_url(f"**{address}")


@pytest.mark.parametrize("width", [390, 1280])
def test_suggestions_are_seen_whole(open_visitor: OpenVisitor, world: dict[str, str], width: int) -> None:
    visitor = open_visitor(width=width)
    page = visitor.page
    for address in world.values():
        visitor.opens(address)
        type_in_field(page, "pyt")
        for option in options(page).all():
            option.scroll_into_view_if_needed()
            assert option.evaluate(
                """option => {
                  const { left, right, top, bottom } = option.getBoundingClientRect();
                  const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
                  return option.contains(at) && left >= 0 && right <= innerWidth;
                }"""
            ), f"{option.inner_text()} is covered on {address}"


def test_enter_without_a_choice_searches(open_visitor: OpenVisitor, world: dict[str, str]) -> None:
    visitor = open_visitor()
    visitor.opens(world["home"])
    type_in_field(visitor.page, "pyth").press("Enter")
    visitor.page.wait_for_url("**/catalog/?**q=pyth**")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_page_of_an_instructor(open_visitor: OpenVisitor, scripts: bool) -> None:
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    visitor.opens("/instructors/mirela-radu/")
    expect(page.get_by_role("heading", level=1, name="Mirela Radu")).to_be_visible()
    expect(page.get_by_role("heading", level=2, name="2 courses")).to_be_visible()
    if scripts:
        assert_accessible(page)
        assert_fits(page)


def test_the_change_of_an_address(open_visitor: OpenVisitor) -> None:
    user = make_user("ada@example.org")
    user.set_password(PASSWORD)
    user.save()
    visitor = open_visitor(width=390)
    page = visitor.page
    visitor.opens("/login/?next=/account/email/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1, name="Change your e-mail address")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.get_by_role("button", name="Send the links").click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    assert_accessible(page)

    page.locator("[name=new_email]").fill("ada@new.example.org")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Send the links").click()
    expect(page.get_by_role("heading", level=1, name="Check both inboxes")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
