"""Staff's forms in a browser: days stay days, only what belongs to the choice is shown, and conflicts are explained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from courses.models import CourseRun
from ecommerce.models import Discount, Product
from tests.browser.conftest import OpenVisitor
from tests.factories import make_discount, make_product, make_run, make_user
from tests.support.forms import open_form, send_form

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("chromium")]


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user("anna@x.example", name="Anna Lind", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def page(open_visitor: OpenVisitor, live_server: Any, staff: Client) -> Page:
    visitor = open_visitor()
    cookie = staff.cookies["sessionid"].value
    visitor.page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    return visitor.page


def test_a_day_typed_into_a_discount_is_a_whole_day(page: Page, live_server: Any) -> None:
    discount = make_discount(amount="20", name="Autumn")
    page.goto(live_server.url + reverse("discounts:edit", args=[discount.pk]))
    field = page.get_by_label("Valid until")
    field.fill("2090-06-30")
    field.press("Tab")
    expect(field).to_have_value("2090-06-30")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/discounts/*/")
    assert Discount.objects.get().expires_at == datetime(2090, 6, 30, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize("typed", ["31.12.2090", "soon", "2090-02-31"])
def test_a_date_that_cannot_be_read_is_refused_and_never_replaced(page: Page, live_server: Any, typed: str) -> None:
    """The picker wrote today's date over it."""
    discount = make_discount(amount="20", name="Autumn")
    page.goto(live_server.url + reverse("discounts:edit", args=[discount.pk]))
    field = page.get_by_label("Valid until")
    field.fill(typed)
    field.press("Tab")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Enter a day like 2027-06-30.")).to_be_visible()
    expect(page.get_by_label("Valid until")).to_have_value(typed)
    assert Discount.objects.get().expires_at is None


def test_moments_and_days_of_pages_keep_what_was_typed(page: Page, live_server: Any) -> None:
    run = make_run(title="Statistics")
    page.goto(live_server.url + reverse(CourseRun.snippet_viewset.get_url_name("edit"), args=[run.pk]))  # type: ignore[attr-defined]
    for name in ("start_date", "end_date"):
        field = page.locator(f"[name={name}]")
        field.fill("12/31/90 noon")
        field.press("Tab")
        expect(field).to_have_value("12/31/90 noon")


def test_only_the_fields_of_the_chosen_way_are_shown(page: Page, live_server: Any) -> None:
    page.goto(live_server.url + reverse("discounts:add"))
    code, count = page.locator("[name=code]"), page.locator("[name=count]")
    expect(code).to_be_visible()
    expect(count).to_be_hidden()
    expect(page.locator("[name=people]")).to_be_hidden()
    code.fill("AUTUMN20")
    page.get_by_label("Several generated codes").check()
    expect(count).to_be_visible()
    expect(code).to_be_hidden()
    page.locator("[name=name]").fill("Autumn")
    page.locator("[name=amount]").fill("20")
    page.get_by_label("All products").check()
    count.fill("3")
    page.get_by_role("button", name="Create discount").click()
    expect(page.get_by_text("Created “Autumn” with 3 codes.")).to_be_visible()


def test_a_conflict_shows_what_changed_and_keeps_what_was_typed(page: Page, live_server: Any) -> None:
    product = make_product(price="777")
    url = reverse(Product.snippet_viewset.get_url_name("edit"), args=[product.pk])  # type: ignore[attr-defined]
    page.goto(live_server.url + url)
    other = Client()
    other.force_login(make_user("bert@x.example", name="Bert Moser", is_superuser=True))
    send_form(other, url, open_form(other, url), price="555")
    page.get_by_label("Description").fill("Eight weeks")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Bert Moser changed this while you had it open").first).to_be_visible()
    expect(page.get_by_text("Changed from “777” to “555”.").first).to_be_visible()
    expect(page.locator("[name=price]")).to_have_value("555.00")
    expect(page.get_by_label("Description")).to_have_value("Eight weeks")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/product/")
    product.refresh_from_db()
    assert (product.price, product.description) == (555, "Eight weeks")
