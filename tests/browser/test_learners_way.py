"""A learner goes from an exported link to the course on the dashboard, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import MakeContract, OpenVisitor, Visitor
from tests.factories import PASSWORD, make_product, make_run, make_user

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

TITLE = "Statistics for people who make decisions"
WRONG = "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"
UNKNOWN = "We can’t find this code. Check it against the message you got it in. Capitals and dashes don’t matter."

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@with_and_without_scripts
def test_from_the_product_link_to_the_dashboard(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    line = make_contract().first
    visitor = open_visitor(scripts=scripts)
    visitor.opens(line.product_url)
    page = visitor.page
    sees_cart_without_code(visitor)

    enters_code(page, WRONG)
    expect(page.get_by_text(UNKNOWN).last).to_be_visible()
    expect(page.get_by_label("Enrollment or discount code")).to_have_value(WRONG)
    expect(page).to_have_title("Error: Your cart · Tessera")
    if scripts:
        expect(page.get_by_label("Enrollment or discount code")).to_be_focused()
    sees_cart_without_code(visitor)

    enters_code(page, line.code)
    sees_free_cart(visitor)

    page.get_by_role("button", name="Check out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    expect(page.get_by_text("Sign in to check out. We’ll keep your cart.")).to_be_visible()
    looks(visitor)
    registers(visitor, name="Amara Okafor", email="amara.okafor@northgate.example")

    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()
    expect(page.get_by_role("main").get_by_text("amara.okafor@northgate.example").first).to_be_visible()
    looks(visitor)
    page.get_by_role("link", name="Go to my dashboard").click()
    sees_course_on_dashboard(visitor)
    visitor.opens("/orders/history/")
    expect(page.get_by_role("link", name="Receipt TS-")).to_be_visible()
    looks(visitor)


def test_signing_in_keeps_both_carts(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    learner = with_password(make_user("amara.okafor@northgate.example"))
    line, ordinary = make_contract().first, make_product(make_run())
    visitor = open_visitor()
    page = visitor.page
    visitor.opens(f"/cart/add/?product_id={ordinary.pk}")
    visitor.opens(line.product_url)
    enters_code(page, line.code)
    page.get_by_role("button", name="Check out").click()
    signs_in(visitor, learner)
    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()
    visitor.opens("/cart/")
    expect(page.get_by_role("heading", level=2, name=ordinary.title)).to_be_visible()
    expect(page.get_by_role("heading", level=2, name=TITLE)).to_have_count(0)
    looks(visitor)


@with_and_without_scripts
def test_from_the_redeem_link_to_the_dashboard(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    line = make_contract().first
    visitor = open_visitor(scripts=scripts, width=390)
    page = visitor.page
    visitor.opens(line.redeem_url)
    expect(page.get_by_role("heading", level=1, name="Your seat is ready")).to_be_visible()
    expect(page.get_by_role("heading", level=2, name=TITLE)).to_be_visible()
    looks(visitor)
    page.get_by_role("link", name="Sign in to take my seat").click()
    registers(visitor, name="Amara Okafor", email="amara.okafor@northgate.example")
    expect(page.get_by_role("heading", level=1, name="Your seat is ready, Amara")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Take my seat and enroll").click()
    expect(page.get_by_text("You’re in, Amara. Your course is on your dashboard.")).to_be_visible()
    sees_course_on_dashboard(visitor)
    page.get_by_role("link", name="Northgate Health").click()
    expect(page.get_by_role("heading", level=1, name="Northgate Health")).to_be_visible()
    looks(visitor)


@with_and_without_scripts
def test_the_second_learner_with_a_one_time_code_is_refused(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    line = make_contract("--max-learners", "3").first
    first = open_visitor(scripts=scripts)
    first.opens("/login/")
    signs_in(first, with_password(make_user("amara.okafor@northgate.example")))
    first.opens(line.redeem_url)
    first.page.get_by_role("button", name="Take my seat and enroll").click()
    expect(first.page).to_have_url(f"{first.base}/dashboard/")

    second = open_visitor(scripts=scripts)
    second.opens("/login/")
    signs_in(second, with_password(make_user("ben.sato@northgate.example", name="Ben Sato")))
    second.opens(line.redeem_url)
    expect(second.page.get_by_role("heading", name="Someone else has already used this code")).to_be_visible()
    expect(second.page.get_by_text("Ask Northgate Health for a new one.")).to_be_visible()
    looks(second)
    second.opens(line.product_url)
    enters_code(second.page, line.code)
    refusal = "Someone else has already used this code. Ask Northgate Health for a new one."
    expect(second.page.get_by_text(refusal).last).to_be_visible()
    expect(second.page.get_by_role("heading", level=2, name=TITLE)).to_be_visible()
    expect(second.page.get_by_role("button", name="Check out")).to_have_count(0)
    looks(second)


@with_and_without_scripts
def test_a_contract_with_a_price_is_paid_in_the_sandbox(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    line = make_contract("--price", "49").first
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    visitor.opens("/login/")
    signs_in(visitor, with_password(make_user("amara.okafor@northgate.example")))
    visitor.opens(line.redeem_url)
    page.get_by_role("button", name="Continue to payment: $49.00").click()
    expect(page.get_by_role("heading", level=1, name="Ready to start")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Check out").click()
    expect(page.get_by_text("Sandbox: no money moves")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Decline the card").click()
    expect(page.get_by_text("Your payment was declined. You weren’t charged.")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("button", name="Accept the payment").click()
    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()
    expect(page.get_by_text("$49.00").last).to_be_visible()
    looks(visitor)


def test_empty_pages_say_what_to_do(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    make_contract()
    visitor = open_visitor()
    visitor.opens("/cart/")
    expect(visitor.page.get_by_text("Your cart is empty.")).to_be_visible()
    looks(visitor)
    visitor.opens("/redeem/")
    looks(visitor)
    visitor.page.get_by_label("Your code").fill("wrong")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_text(UNKNOWN).last).to_be_visible()
    looks(visitor)
    visitor.opens("/login/")
    signs_in(visitor, with_password(make_user()))
    expect(visitor.page.get_by_text("No courses yet.")).to_be_visible()
    looks(visitor)
    visitor.opens("/orders/history/")
    expect(visitor.page.get_by_text("No orders yet.")).to_be_visible()
    looks(visitor)
    visitor.opens("/checkout/receipt/?order_number=TS-1")
    looks(visitor)


def test_the_keyboard_is_enough(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    line = make_contract().first
    visitor = open_visitor()
    page = visitor.page
    visitor.opens("/login/")
    signs_in(visitor, with_password(make_user("amara.okafor@northgate.example")))
    visitor.opens(line.product_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=f"Remove {TITLE}")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Enrollment or discount code")).to_be_focused()
    page.keyboard.type(line.code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Ready to start")).to_be_focused()
    expect(page.locator("#live")).to_have_text("Ready to start. Total: $0.00.")
    for _control in ("remove code", "remove", "check out"):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check out")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="You’re in, Amara")).to_be_visible()


def looks(visitor: Visitor) -> None:
    """Run axe on the page; without scripts it can't run."""
    if visitor.scripts:
        assert_accessible(visitor.page)


def enters_code(page: Page, code: str) -> None:
    page.get_by_label("Enrollment or discount code").fill(code)
    page.get_by_role("button", name="Apply").click()


def sees_cart_without_code(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.get_by_role("heading", level=1, name="Your cart")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("heading", level=2, name=TITLE)).to_be_visible()
    expect(page.get_by_label("Enrollment or discount code")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    expect(page.get_by_role("button", name="Check out")).to_have_count(0)
    looks(visitor)


def sees_free_cart(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.get_by_role("heading", level=1, name="Ready to start")).to_be_visible()
    expect(page.get_by_text("Your code works. There’s nothing to pay.")).to_be_visible()
    expect(page.locator(".sums-total")).to_have_text(re.compile(r"^\s*Total\s*\$0\.00\s*$"))
    expect(page.get_by_role("button", name="Check out")).to_be_visible()
    looks(visitor)


def sees_course_on_dashboard(visitor: Visitor) -> None:
    expect(visitor.page).to_have_url(f"{visitor.base}/dashboard/")
    expect(visitor.page.get_by_role("heading", level=2, name=TITLE)).to_be_visible()
    looks(visitor)


def registers(visitor: Visitor, *, name: str, email: str) -> None:
    page = visitor.page
    page.get_by_role("link", name="Create an account").last.click()
    expect(page.get_by_role("heading", level=1, name="Create an account")).to_be_visible()
    looks(visitor)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create").click()


def signs_in(visitor: Visitor, user: User) -> None:
    page = visitor.page
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def test_a_receipt_can_be_printed(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    line = make_contract().first
    visitor = open_visitor()
    page = visitor.page
    visitor.opens("/login/")
    signs_in(visitor, with_password(make_user("amara.okafor@northgate.example")))
    visitor.opens(line.product_url)
    enters_code(page, line.code)
    page.get_by_role("button", name="Check out").click()
    page.evaluate("window.print = () => { document.title = 'printing' }")
    page.get_by_role("button", name="Print").click()
    expect(page).to_have_title("printing")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", level=2, name="Receipt")).to_be_visible()
    expect(page.get_by_role("link", name="Go to my dashboard")).to_be_hidden()
