"""A refund from the buyer's request to finance's approval and the receipt."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from playwright.sync_api import Page, expect

from cms.services.groups import FINANCE
from courses.models import Enrollment
from ecommerce.enums import OrderState
from ecommerce.models import Order
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor, Visitor
from tests.browser.walking import assert_fits, stops
from tests.factories import PASSWORD, make_product, make_user
from tests.factories.orders import make_paid_order

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@pytest.fixture
def site(live_server: Any, settings: Any) -> None:
    settings.SITE_BASE_URL = live_server.url
    call_command("configure_wagtail", verbosity=0)


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def signs_in(visitor: Visitor, user: User, then: str) -> None:
    visitor.opens(f"/login/?next={then}")
    visitor.page.get_by_label("Email").fill(user.email)
    visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    visitor.page.get_by_role("button", name="Sign in", exact=True).click()


def bought_today(buyer: User) -> Order:
    order = make_paid_order(make_product(), make_product(price="149.00"), buyer=buyer)
    Order.objects.update(placed_at=clock.now(), fulfilled_at=clock.now())
    return order


def looks(visitor: Visitor) -> None:
    """Run axe and walk with Tab; without scripts do neither."""
    if visitor.scripts:
        assert_accessible(visitor.page)
        stops(visitor.page)
        assert_fits(visitor.page)


@with_and_without_scripts
def test_a_buyer_gets_the_money_of_one_course_back(site: None, open_visitor: OpenVisitor, scripts: bool) -> None:
    buyer = with_password(make_user("amara.okafor@northgate.example"))
    order = bought_today(buyer)
    visitor = open_visitor(scripts=scripts, width=390)
    asks(visitor, buyer, order)
    approves(open_visitor(), order)
    page = visitor.page
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Part of this order was refunded")).to_be_visible()
    expect(page.get_by_text("−$149.00")).to_be_visible()
    expect(page.get_by_text("$249.00").last).to_be_visible()
    looks(visitor)
    assert Order.objects.get().state == OrderState.PARTIALLY_REFUNDED
    assert Enrollment.objects.active().count() == 1


def asks(visitor: Visitor, buyer: User, order: Order) -> None:
    """Go from the list of orders to the request, forgetting a field on the first try."""
    page = visitor.page
    signs_in(visitor, buyer, "/orders/history/")
    page.get_by_role("link", name=f"Receipt {order.number}").click()
    looks(visitor)
    page.get_by_role("link", name="request a refund").click()
    looks(visitor)
    page.get_by_role("checkbox", name="$249.00").uncheck()
    page.get_by_label("In your own words").fill("My shifts changed.")
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("Choose why you’re requesting a refund.").first).to_be_visible()
    expect(page.get_by_label("In your own words")).to_have_value("My shifts changed.")
    expect(page.get_by_role("checkbox", name="$249.00")).not_to_be_checked()
    looks(visitor)
    page.get_by_role("radio", name="I don’t have the time").check()
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("You requested a refund on")).to_be_visible()
    expect(page.get_by_role("link", name="request a refund")).to_have_count(0)
    looks(visitor)


def approves(visitor: Visitor, order: Order) -> None:
    """Finance finds the request, reviews the refund and confirms it."""
    finance = with_password(make_user("farah.kassem@staff.example", name="Farah Kassem"))
    finance.groups.add(Group.objects.get(name=FINANCE))
    page = visitor.page
    signs_in(visitor, finance, "/cms/orders/?attention=request")
    page.get_by_role("link", name=order.number).click()
    expect(page.get_by_text("My shifts changed.").first).to_be_visible()
    settled(page)
    page.get_by_role("link", name="Approve and refund").click()
    expect(page.locator("[type=radio]:checked")).to_have_count(0)
    page.get_by_role("radio", name="The full price of the courses chosen below").check()
    page.get_by_role("checkbox", name="$149.00").check()
    page.get_by_role("radio", name="Remove the course").check()
    settled(page)
    page.get_by_role("button", name="See what will happen").click()
    expect(page.get_by_role("heading", name="Refund $149.00 to amara.okafor@northgate.example")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Refund $149.00").click()
    expect(page.get_by_text("$149.00 was refunded.")).to_be_visible()
    settled(page)


def settled(page: Page) -> None:
    """Run axe once Wagtail's messages have finished sliding in."""
    page.evaluate(
        """() => Promise.all(document.getAnimations()
          .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
          .map((each) => each.finished.catch(() => null)))"""
    )
    assert_accessible(page)


def test_the_pdf_is_downloaded(site: None, open_visitor: OpenVisitor) -> None:
    buyer = with_password(make_user("amara.okafor@northgate.example"))
    order = bought_today(buyer)
    visitor = open_visitor()
    signs_in(visitor, buyer, f"/checkout/receipt/?order_number={order.number}")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download PDF").click()
    assert download.value.suggested_filename == f"{order.number}.pdf"
