"""Every address of the storefront: who gets what. An address that isn't in the table fails the first test."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern

from frontend.covers import VERSION
from frontend.urls import urlpatterns
from mitxonline.users.models import User
from tests.factories import make_product, make_user
from tests.frontend.conftest import SignIn, northgate
from tests.frontend.test_orders import make_order

pytestmark = pytest.mark.django_db

LOGIN = "login"
NOBODYS = "00000000-0000-4000-8000-000000000000"

# name: (address, signed out, a learner whose it isn't, staff, signed-out POST); a number is the status of the answer,
# LOGIN the way to the sign-in page.
ADDRESSES: dict[str, tuple[str, int | str, int, int, int | str]] = {
    "cart": ("/cart/", 200, 200, 200, 405),
    "cart-add": ("/cart/add/", 303, 303, 303, 303),
    "basket-add": ("/basket/add/", 303, 303, 303, 303),
    "cart-remove": ("/cart/remove/", 405, 405, 405, 302),
    "cart-code": ("/cart/code/", 405, 405, 405, 422),
    "cart-code-remove": ("/cart/code/remove/", 405, 405, 405, 302),
    "cart-keep": ("/cart/keep/", 405, 405, 405, 302),
    "cart-back": ("/cart/back/", 405, 405, 405, 302),
    "cart-header": ("/cart/header/", 200, 200, 200, 405),
    "cart-leave": ("/cart/leave/", 405, 405, 405, 302),
    "checkout": ("/checkout/", 302, 302, 302, LOGIN),
    "receipt": ("/checkout/receipt/?order_number={number}", LOGIN, 404, 404, LOGIN),
    "orders": ("/orders/history/", LOGIN, 200, 200, LOGIN),
    "redeem": ("/redeem/", 200, 200, 200, 422),
    "enrollment-code-entry": ("/enrollmentcode/", 200, 200, 200, 422),
    "enrollment-code": ("/enrollmentcode/{code}/", 200, 200, 200, LOGIN),
    "dashboard": ("/dashboard/", LOGIN, 200, 200, LOGIN),
    "dashboard-start": ("/dashboard/start/", LOGIN, 405, 405, LOGIN),
    "enroll": ("/enroll/", 405, 405, 405, LOGIN),
    "organization": ("/organizations/{slug}/", LOGIN, 404, 404, LOGIN),
    "manage-seats": ("/manage-seats/", LOGIN, 200, 200, LOGIN),
    "manage": ("/organizations/{slug}/manage/", LOGIN, 404, 404, LOGIN),
    "manage-codes": ("/organizations/{slug}/manage/{contract}/", LOGIN, 404, 404, LOGIN),
    "manage-hand-out": ("/organizations/{slug}/manage/{contract}/hand-out/", LOGIN, 404, 404, LOGIN),
    "manage-selected": ("/organizations/{slug}/manage/{contract}/selected/", LOGIN, 405, 405, LOGIN),
    "manage-replace": ("/organizations/{slug}/manage/{contract}/replace/1/", LOGIN, 404, 404, LOGIN),
    "manage-codes-file": ("/organizations/{slug}/manage/{contract}/codes.csv", LOGIN, 404, 404, LOGIN),
    "manage-redemptions": ("/organizations/{slug}/manage/{contract}/redemptions.xlsx", LOGIN, 404, 404, LOGIN),
    "sandbox-payment": (f"/payment/sandbox/{NOBODYS}/", LOGIN, 404, 404, LOGIN),
    "cover": (f"/covers/{VERSION}/card/computing-00000000.svg", 200, 200, 200, 405),
    "brand-stylesheet": ("/brand.css", 200, 200, 200, 405),
    "social-card": (f"/covers/{VERSION}/social/computing-00000000.png", 200, 200, 200, 405),
    "brand-mark": ("/brand-mark.svg", 200, 200, 200, 405),
    "favicon": ("/favicon.ico", 200, 200, 200, 405),
    "phone-icon": ("/apple-touch-icon.png", 200, 200, 200, 405),
    "robots": ("/robots.txt", 200, 200, 200, 405),
    "style-guide": ("/style-guide/", 200, 200, 200, 302),
}


def test_no_address_is_forgotten() -> None:
    assert {each.name for each in urlpatterns if isinstance(each, URLPattern)} == set(ADDRESSES)


@pytest.mark.parametrize("name", list(ADDRESSES))
def test_who_gets_what(name: str, learner: User, sign_in: SignIn) -> None:
    address, signed_out, stranger, staff, posted = ADDRESSES[name]
    contract, order = northgate(), make_order(learner, make_product())
    address = address.format(
        code=contract.code, slug=contract.organization.slug, number=order.number, contract=contract.contract.pk
    )
    answers = {
        "signed out": Client().get(address),
        "stranger": sign_in(make_user()).get(address),
        "staff": sign_in(make_user(is_staff=True, is_superuser=True)).get(address),
        "signed-out POST": Client().post(address),
    }
    got = {
        who: LOGIN if answer.status_code == 302 and answer["Location"].startswith("/login/") else answer.status_code
        for who, answer in answers.items()
    }
    assert got == {"signed out": signed_out, "stranger": stranger, "staff": staff, "signed-out POST": posted}


@pytest.mark.parametrize("name", [name for name, row in ADDRESSES.items() if row[4] not in (404, 405)])
def test_a_post_needs_its_token(name: str) -> None:
    address = ADDRESSES[name][0].format(code="code", slug="slug", number="number", contract=1)
    assert Client(enforce_csrf_checks=True).post(address).status_code == 403


def test_every_personal_page_is_kept_by_nobody(learners_client: Client) -> None:
    for address in ("/cart/", "/dashboard/", "/orders/history/", "/redeem/"):
        response = learners_client.get(address)
        assert "no-store" in response["Cache-Control"]
        assert response["X-Robots-Tag"] == "noindex"


def test_junk_in_an_address_ends_in_a_page(client: Client) -> None:
    for address in ("/payment/sandbox/abc/", "/cart/nothing/", "/enrollmentcode/%00/", "/organizations/%00/x/"):
        assert client.get(address).status_code in {302, 404}
