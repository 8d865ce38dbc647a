"""Pages of a person who is signed in: long addresses and codes, and times in their zone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from ecommerce.models import Order
from mitxonline.kernel.dates import format_moment
from mitxonline.users.models import User
from tests.browser.conftest import OpenVisitor, Visitor
from tests.browser.walking import assert_fits
from tests.factories import PASSWORD, codes_of, make_contract, make_contract_run, make_course, make_product, make_run
from tests.factories import make_user as make_plain_user
from tests.factories.orders import make_paid_order

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

LONG_ADDRESS = f"{'wilhelminavanderbergschoonhoven' * 2}@northgatehealth.org"
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


@pytest.fixture(autouse=True)
def _site(live_server: Any, settings: Any) -> None:
    settings.SITE_BASE_URL = live_server.url
    call_command("configure_wagtail", verbosity=0)


def make_user(**fields: Any) -> User:
    user = make_plain_user(LONG_ADDRESS, **fields)
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(visitor: Visitor, user: User, *, then: str) -> None:
    visitor.opens(f"/login/?next={then}")
    visitor.page.get_by_label("Email").fill(user.email)
    visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()


def make_order(user: User) -> Order:
    return make_paid_order(make_product(make_run(make_course(title=LONG_WORD))), buyer=user)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_long_addresses_and_codes_never_widen_a_page(open_visitor: OpenVisitor, width: int) -> None:
    assert len(LONG_ADDRESS) > 80
    user = make_user(name=LONG_WORD)
    order = make_order(user)
    free = make_contract_run(make_contract(), make_course(title=f"Nursing, {LONG_WORD}"), codes=1)
    visitor = open_visitor(width=width)
    sign_in(visitor, user, then="/account/")
    ordinary = make_product(make_run(make_course(title=f"Further {LONG_WORD}")))
    addresses = [
        "/account/",
        f"/cart/add/?product_id={ordinary.pk}",
        f"/cart/add/?product_id={free.product_id}",
        f"/enrollmentcode/{codes_of(free)[0].text}/",
        "/enrollmentcode/nosuchcode-0000-1111-2222-333344445555666677778888/",
        "/enrollmentcode/",
        f"/checkout/receipt/?order_number={order.number}",
        f"/orders/refund/?order_number={order.number}",
        "/orders/history/",
        "/dashboard/",
    ]
    for address in addresses:
        visitor.opens(address)
        assert_fits(visitor.page)
    visitor.opens(f"/cart/add/?product_id={free.product_id}")
    visitor.page.get_by_label("Enrollment or discount code").fill(codes_of(free)[0].text)
    visitor.page.get_by_role("button", name="Apply").click()
    expect(visitor.page.get_by_role("main").get_by_text(LONG_ADDRESS)).to_be_visible()
    assert_fits(visitor.page)


@pytest.mark.parametrize(
    ("scripts", "chosen", "expected"),
    [
        (True, "", "2 March 2026, 07:00 EST"),
        (False, "", "2 March 2026, 12:00 UTC"),
        (True, "Asia/Tokyo", "2 March 2026, 21:00 JST"),
        (False, "Asia/Tokyo", "2 March 2026, 21:00 JST"),
    ],
)
def test_times_are_in_the_readers_zone(open_visitor: OpenVisitor, scripts: bool, chosen: str, expected: str) -> None:
    user = make_user(time_zone=chosen)
    order = make_order(user)
    visitor = open_visitor(scripts=scripts, zone="America/New_York")
    sign_in(visitor, user, then=f"/checkout/receipt/?order_number={order.number}")
    assert order.fulfilled_at is not None
    assert format_moment(order.fulfilled_at) == "2 March 2026, 12:00 UTC"
    expect(visitor.page.locator("time").first).to_have_text(expected)
