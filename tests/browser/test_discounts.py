"""Carts with discounts in a browser: with and without scripts, and on a cached page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Route, expect

from cms.services.groups import FINANCE
from ecommerce.models import Discount
from tests.browser.axe import assert_accessible
from tests.browser.conftest import MakeContract, OpenVisitor
from tests.browser.walking import assert_fits, stops
from tests.factories import PASSWORD, make_code, make_course, make_discount, make_product, make_run, make_user

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@pytest.fixture(autouse=True)
def _site(make_contract: MakeContract) -> None:
    """Set the site up, without a contract."""


@with_and_without_scripts
def test_a_cart_with_a_code_and_something_kept_for_later(open_visitor: OpenVisitor, scripts: bool) -> None:
    one, other = (make_product(make_run(make_course(title=title)), price="249") for title in ("Databases", "Networks"))
    make_code(make_discount(amount="20"), text="AUTUMN20")
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    link = f"/cart/add/?sku={one.sku.replace('+', '%2B')}&sku={other.sku.replace('+', '%2B')}"
    for _click in range(2):
        visitor.opens(link)
    cart = page.get_by_role("link", name="Cart, 2 courses, $498.00")
    expect(cart).to_be_visible()

    page.get_by_label("Enrollment or discount code").fill("autumn-20")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="Cart, 2 courses, $398.40")).to_be_visible()
    expect(page.get_by_text("20% off").first).to_be_visible()

    page.get_by_role("button", name="Save for later Networks").click()
    expect(page.get_by_role("heading", name="Saved for later")).to_be_visible()
    expect(page.get_by_role("link", name="Cart, 1 course, $199.20")).to_be_visible()
    if scripts:
        assert_accessible(page)
        assert_fits(page)
        assert "button Move to cart Networks" in stops(page)
    page.get_by_role("button", name="Move to cart Networks").click()
    expect(page.get_by_role("link", name="Cart, 2 courses, $398.40")).to_be_visible()
    visitor.opens("/redeem/")
    expect(page.get_by_role("link", name="Cart, 2 courses, $398.40")).to_be_visible()


def test_a_page_that_a_cache_kept_shows_todays_cart(open_visitor: OpenVisitor) -> None:
    product = make_product(price="249")
    visitor = open_visitor()
    page = visitor.page
    visitor.opens("/redeem/")
    expect(page.get_by_role("link", name="Cart", exact=True)).to_be_visible()
    kept = page.request.get(f"{visitor.base}/redeem/").text()

    def from_the_cache(route: Route) -> None:
        route.fulfill(body=kept, content_type="text/html; charset=utf-8")

    page.route("**/redeem/", from_the_cache)
    visitor.opens(f"/cart/add/?product_id={product.pk}")
    visitor.opens("/redeem/")
    expect(page.get_by_role("link", name="Cart, 1 course, $249.00")).to_be_visible()
    visitor.opens("/cart/")
    page.get_by_role("button", name="Remove").click()
    visitor.opens("/redeem/")
    expect(page.get_by_role("link", name="Cart", exact=True)).to_be_visible()


def test_finance_makes_a_discount(open_visitor: OpenVisitor) -> None:
    finance = make_user("fiona@tessera.example", name="Fiona Finance")
    finance.set_password(PASSWORD)
    finance.save()
    finance.groups.add(Group.objects.get(name=FINANCE))
    visitor = open_visitor()
    page = visitor.page
    visitor.opens("/cms/login/?next=/cms/shop/discounts/")
    page.get_by_label("Email").fill(finance.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Create discount").first.click()
    page.get_by_role("textbox", name="Name").fill("Autumn")
    page.get_by_role("spinbutton", name="Amount").fill("120")
    page.get_by_role("textbox", name="Code", exact=True).fill("AUTUMN20")
    page.get_by_role("radio", name="All products").check()
    page.get_by_role("button", name="Create discount").click()
    expect(page.get_by_text("A percentage is more than 0 and at most 100.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Code", exact=True)).to_have_value("AUTUMN20")
    page.get_by_role("spinbutton", name="Amount").fill("20")
    page.get_by_role("button", name="Create discount").click()
    expect(page.get_by_text("Created “Autumn” with 1 code.")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("“Autumn” is paused")).to_be_visible()
    assert not Discount.objects.get().is_active
