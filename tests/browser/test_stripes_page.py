"""To Stripe's payment page and back in a browser, under the content security policy."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from playwright.sync_api import expect

from ecommerce.enums import OrderState
from ecommerce.models import Order, Product
from mitxonline.users.models import User
from tests.browser.conftest import OpenVisitor, Visitor
from tests.browser.paying import goes_to_pay
from tests.factories import PASSWORD, make_product, make_user
from tests.support.stripe import StripeServer

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
def stripes_page(stripe_api: StripeServer, settings: Any, live_server: Any) -> StripeServer:
    """Stripe's page on a site of its own, which the policy lets the cart's button lead to."""
    stripe_api.page_origin = stripe_api.url
    settings.SITE_BASE_URL = live_server.url
    allow(settings, stripe_api.url)
    return stripe_api


def allow(settings: Any, *origins: str) -> None:
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"] = ["'self'", *origins]
    settings.CONTENT_SECURITY_POLICY = policy


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_to_stripes_page_and_back_to_the_course(
    open_visitor: OpenVisitor, stripes_page: StripeServer, learner: User, product: Product, *, scripts: bool
) -> None:
    page = goes_to_pay(open_visitor(scripts=scripts), product)
    expect(page.get_by_role("heading", name="Pay 24900 usd")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_text("You canceled the payment. You weren’t charged").first).to_be_visible()
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()
    # Leaving the page gave the first order up, with its page; checking out again placed another.
    states = list(Order.objects.order_by("pk").values_list("state", flat=True))
    assert states == [OrderState.CANCELED, OrderState.FULFILLED]
    assert [session["status"] for session in stripes_page.sessions.values()] == ["expired", "complete"]


def test_without_a_word_in_the_policy_the_button_would_lead_nowhere(
    browser: Any, live_server: Any, stripes_page: StripeServer, learner: User, product: Product, settings: Any
) -> None:
    """The control: the browser stops a form that leads to another site."""
    allow(settings)
    context = browser.new_context()
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    goes_to_pay(Visitor(page=page, base=live_server.url, scripts=True), product)
    page.wait_for_function("() => true")
    expect(page.get_by_role("heading", level=1, name="Your cart")).to_be_visible()
    assert any("form-action" in complaint for complaint in complaints)
    context.close()
