"""The public pages: keyboard, narrow phones, both writing directions, axe."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import FloatRect, Locator, Page, expect

from cms.models import ContentPage, CoursePage, HomePage, ProductIndexPage, ProductPage, ProgramPage
from ecommerce.models import Product
from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor
from tests.browser.walking import assert_fits, stops
from tests.factories import PASSWORD
from tests.support.databases import ProcessDatabase

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("demo"),  # one process loads it, for all of them
    pytest.mark.timeout(300),  # many pages, each looked at in many ways
]


def load_demo() -> None:
    call_command("configure_wagtail", verbosity=0)
    call_command("load_demo", verbosity=0)


@pytest.fixture
def addresses(live_server: Any, settings: Any, process_database: ProcessDatabase) -> dict[str, str]:
    """The demonstration's public pages."""
    settings.SITE_BASE_URL = live_server.url
    process_database.provide("demo", load_demo)
    course = CoursePage.objects.visible().filter(course__readable_id="course-v1:Tessera+PY101").get()
    return {
        "home": "/",
        "catalog": "/catalog/",
        "found": "/catalog/?department=computing&q=python",
        "nothing found": "/catalog/?q=zzzz",
        "course": course.url,
        "programs": "/programs/",
        "program": ProgramPage.objects.visible()[0].url,
        "plain": "/help/",
        "cart": "/cart/",
        "code": "/enrollmentcode/",
        "sign in": "/login/",
    }


def test_public_pages_pass_axe(open_visitor: OpenVisitor, addresses: dict[str, str]) -> None:
    visitor = open_visitor()
    page = visitor.page
    for address in addresses.values():
        visitor.opens(address)
        assert_accessible(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_keyboard_focus_is_always_visible(open_visitor: OpenVisitor, addresses: dict[str, str], width: int) -> None:
    visitor = open_visitor(width=width)
    for name in ("home", "catalog", "course", "cart"):
        visitor.opens(addresses[name])
        assert stops(visitor.page)[0] == "a Skip to content"


def test_the_filters_of_a_phone_keep_the_focus(open_visitor: OpenVisitor, addresses: dict[str, str]) -> None:
    visitor = open_visitor(width=390)
    page = visitor.page
    visitor.opens(addresses["catalog"])

    opens_filters(page)
    inside = stops(page)
    assert inside[1] == "input department"
    assert inside[-1] == "a Show 20 courses"

    page.get_by_role("checkbox", name="Computing").check()
    expect(page.get_by_role("link", name="Show 3 courses")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Computing")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Filters 1")).to_be_focused()
    expect(page.get_by_role("checkbox", name="Computing")).to_be_hidden()


def test_back_leads_past_the_sheet_of_filters(open_visitor: OpenVisitor, addresses: dict[str, str]) -> None:
    """Two filters, then a course: Back shows the filtered list, and Back again the whole one, without the sheet."""
    visitor = open_visitor(width=390)
    page = visitor.page
    visitor.opens(addresses["catalog"])
    opens_filters(page)
    page.get_by_role("checkbox", name="Computing").check()
    expect(page.get_by_role("link", name="Show 3 courses")).to_be_visible()
    page.get_by_role("checkbox", name="Intermediate").check()
    page.get_by_role("link", name="Show 1 course", exact=True).click()
    sheet = page.get_by_role("heading", name="Filters")
    expect(sheet).to_be_hidden()
    expect(page.get_by_role("link", name="Filters 2")).to_be_focused()
    page.locator(".results article a").first.click()
    expect(page.locator(".course-head")).to_be_visible()

    page.go_back()
    expect(page.get_by_role("link", name="Filters 2")).to_be_visible()
    expect(sheet).to_be_hidden()
    page.go_back()
    expect(page.get_by_text("20 courses of 20")).to_be_visible()
    expect(sheet).to_be_hidden()

    opens_filters(page)
    page.go_back()
    expect(sheet).to_be_hidden()


def test_the_narrowest_phone_shows_everything(open_visitor: OpenVisitor, addresses: dict[str, str]) -> None:
    visitor = open_visitor(width=320)
    for address in addresses.values():
        visitor.opens(address)
        assert_fits(visitor.page)


def test_an_editor_edits_from_the_page_itself(open_visitor: OpenVisitor, addresses: dict[str, str]) -> None:
    editor = User.objects.get(email="editor@tessera.example")
    editor.set_password(PASSWORD)
    editor.save()
    visitor = open_visitor()
    page = visitor.page
    visitor.opens(f"/login/?next={addresses['plain']}")
    page.get_by_label("Email").fill(editor.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("button", name="View Wagtail quick actions").click()
    # By keyboard: while the menu slides in, a click may land beside it, and that closes it.
    page.get_by_role("menuitem", name="Edit this page").press("Enter")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/cms/pages/" in page.url


@pytest.mark.parametrize("width", [1280, 390])
def test_blocks_stand_in_line_with_each_other_on_every_page(
    open_visitor: OpenVisitor, addresses: dict[str, str], width: int
) -> None:
    featured = {"heading": "Courses", "courses": [page.pk for page in CoursePage.objects.visible()[:3]]}
    body = [
        {"type": "text", "value": {"heading": "Words", "text": "<p>Some words.</p>"}},
        {"type": "featured_courses", "value": featured},
        {"type": "contact", "value": {"heading": "Talk to us", "text": "", "label": "Write"}},
    ]
    course = CoursePage.objects.visible().filter(course__readable_id="course-v1:Tessera+PY101").get()
    program, offer = ProgramPage.objects.visible()[0], offer_page(course)
    for written in (HomePage.objects.get(), ContentPage.objects.get(slug="help"), course, program, offer):
        written.body = json.dumps(body)
        written.save_revision().publish()
    visitor = open_visitor(width=width)
    for name, address in (addresses | {"product": offer.url}).items():
        if name not in ("home", "plain", "course", "program", "product"):
            continue
        visitor.opens(address)
        edges = [box["x"] for box in map(box_of, featured_and_plain(visitor.page))]
        assert edges[0] >= 16, f"{name}: at the very edge"
        assert len(set(edges)) == 1, f"{name}: {edges}"
        assert box_of(visitor.page.locator(".course-list li, .course-list article").first)["width"] >= 200


def offer_page(course: CoursePage) -> ProductPage:
    """A page for the product of a course."""
    product = Product.objects.filter(requires_code=False, course_run__course=course.course).first()
    page = ProductPage(title="An offer", slug="an-offer", product=product)
    ProductIndexPage.objects.get().add_child(instance=page)
    return page


def featured_and_plain(page: Page) -> list[Locator]:
    return [page.get_by_role("heading", name="Words"), page.get_by_role("heading", name="Courses", exact=True)]


def box_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


def opens_filters(page: Page) -> None:
    page.get_by_role("link", name="Filters").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Filters")).to_be_visible()
