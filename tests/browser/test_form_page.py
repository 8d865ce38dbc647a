"""To a payment page by a signed form and back by its answer, from another site, under the content security policy."""

from __future__ import annotations

import os
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ecommerce.enums import OrderState
from ecommerce.models import Order, Product
from mitxonline.users.models import User
from tests.browser.conftest import OpenVisitor
from tests.browser.paying import goes_to_pay
from tests.factories import PASSWORD, make_product, make_user
from tests.support.cybersource import CyberSourceServer

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def learner() -> User:
    user = make_user("amara.okafor@northgate.example", name="Amara Okafor")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def product() -> Product:
    return make_product(price="249.00")


@pytest.fixture
def page_of_theirs(cybersource_api: CyberSourceServer, settings: Any, live_server: Any) -> CyberSourceServer:
    """The payment page on a host of its own, so that browsers keep our cookies from what it posts."""
    settings.SITE_BASE_URL = live_server.url
    assert "//localhost:" in live_server.url
    assert "//127.0.0.1:" in settings.CYBERSOURCE_PAGE_BASE
    return cybersource_api


def look(page: Page, name: str) -> None:
    """Take pictures of a page for people, where a folder for them is named."""
    folder = os.environ.get("PICTURES")
    for width in (390, 1280) if folder else ():
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png")


def decide(page: Page, *, scripts: bool, name: str) -> None:
    if not scripts:
        expect(page.get_by_role("heading", level=1, name="Pay $249.00")).to_be_visible()
        look(page, "hand-over")
        page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("heading", name="Pay 249.00 USD")).to_be_visible()
    page.get_by_role("button", name=name, exact=True).click()
    if not scripts:
        page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_to_their_page_and_back_to_the_course(
    open_visitor: OpenVisitor, page_of_theirs: CyberSourceServer, learner: User, product: Product, *, scripts: bool
) -> None:
    page = goes_to_pay(open_visitor(scripts=scripts), product)
    decide(page, scripts=scripts, name="Decline")
    expect(page.get_by_text("Your payment was declined. You weren’t charged").first).to_be_visible()
    look(page, "declined")
    page.get_by_role("button", name="Check out").click()
    decide(page, scripts=scripts, name="Cancel")
    expect(page.get_by_text("You canceled the payment. You weren’t charged").first).to_be_visible()
    page.get_by_role("button", name="Check out").click()
    decide(page, scripts=scripts, name="Pay")
    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()
    look(page, "paid")
    assert Order.objects.latest("pk").state == OrderState.FULFILLED
    assert sum(each["kind"] == "payment" for each in page_of_theirs.transactions.values()) == 2


def test_a_payment_in_review_and_the_way_back(
    open_visitor: OpenVisitor, page_of_theirs: CyberSourceServer, learner: User, product: Product
) -> None:
    page = goes_to_pay(open_visitor(scripts=True), product)
    expect(page.get_by_role("heading", name="Pay 249.00 USD")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Check out").click()  # the page that only passes on isn't in the way back
    page.get_by_role("button", name="Review", exact=True).click()
    expect(page.get_by_text("bank").first).to_be_visible()
    look(page, "review")
    assert Order.objects.latest("pk").state == OrderState.PENDING
