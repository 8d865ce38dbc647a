"""The way to a payment page, in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from ecommerce.models import Product
from tests.browser.conftest import Visitor
from tests.factories import PASSWORD


def goes_to_pay(visitor: Visitor, product: Product) -> Page:
    page = visitor.page
    visitor.opens("/login/")
    page.get_by_label("Email").fill("amara.okafor@northgate.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
    visitor.opens(f"/cart/add/?product_id={product.pk}")
    page.get_by_role("button", name="Check out").click()
    return page
