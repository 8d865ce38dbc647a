"""From the cart to the receipt, free and through the sandbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from bs4 import Tag
from django.test import Client

from b2b.models import ContractMembership
from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import CodeUse, Order, PaymentAttempt, Product
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import PASSWORD, make_contract_run, make_course, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.frontend.conftest import SignIn, make_northgate
from tests.support.counting import queries
from tests.support.reading import Page, read

pytestmark = pytest.mark.django_db


def check_out(client: Client, *, total: str = "") -> Page:
    """Post the cart's checkout form."""
    shown = read(client.get("/cart/")).select("input[name=expected_total]")
    return read(client.post("/checkout/", {"expected_total": total or str(shown[0]["value"])}, follow=True))


def shown(page: Page) -> dict[str, str]:
    """What the cart's checkout form would post."""
    return {str(field["name"]): str(field["value"]) for field in page.select("form[action='/checkout/'] input[name]")}


def with_code(client: Client, **terms: object) -> None:
    contract = make_northgate(**terms)  # type: ignore[arg-type]
    client.get(contract.link)
    client.post("/cart/code/", {"code": contract.code})


def test_nothing_to_pay_enrolls_at_once(learners_client: Client, learner: User) -> None:
    with_code(learners_client)
    page = check_out(learners_client)
    order = Order.objects.get()
    assert page.title == f"Receipt {order.number} · Tessera"
    assert page.h1 == "You’re in, Amara"
    assert "Your course is on your dashboard." in page.text
    assert "Total paid $0.00" in page.text
    assert "Statistics for people who make decisions" in page.text
    assert (order.state, order.total) == (OrderState.FULFILLED, 0)
    assert Enrollment.objects.get().user_id == learner.pk
    assert ContractMembership.objects.get().state == "active"
    assert CodeUse.objects.get().state == "confirmed"
    assert "Your cart is empty." in read(learners_client.get("/cart/")).text
    assert "Statistics for people who make decisions" in read(learners_client.get("/dashboard/")).text


def registered(client: Client, response: Any) -> Any:
    """Follow a redirect to the sign-in page, create an account there, and return the last response."""
    sign_in = read(client.get(response["Location"]))
    assert "Sign in to check out. We’ll keep your cart." in sign_in.text
    address = sign_in.links()["Create an account"]
    form = read(client.get(address))
    assert "Create an account to check out. We’ll keep your cart." in form.text
    new = {"name": "Amara Okafor", "email": "amara@northgate.example", "next": str(form.one("[name=next]")["value"])}
    return client.post(address, new | {"password": PASSWORD})


def test_signed_out_the_button_leads_through_registering_to_the_order(client: Client) -> None:
    with_code(client)
    response = client.post("/checkout/", shown(read(client.get("/cart/"))))
    assert response["Location"] == "/login/?next=/checkout/"
    response = registered(client, response)
    assert (response.status_code, response["Location"]) == (302, "/checkout/")
    assert not Order.objects.exists()
    response = client.get("/checkout/")
    order = Order.objects.get()
    assert response["Location"] == f"/checkout/receipt/?order_number={order.number}"
    assert order.purchaser.email == "amara@northgate.example"
    assert client.get("/checkout/")["Location"] == "/cart/"  # the press is used up
    assert Order.objects.count() == 1


def test_after_signing_in_a_price_leads_to_the_payment_page(client: Client, learner: User) -> None:
    client.get("/cart/add/", {"product_id": [make_product().pk, make_product(price="20").pk]})
    client.post("/checkout/", shown(read(client.get("/cart/"))))
    client.force_login(learner)
    assert client.get("/checkout/")["Location"].startswith("/payment/sandbox/")
    order = Order.objects.get()
    assert client.get("/checkout/")["Location"] == "/cart/"
    client.post("/checkout/", shown(read(client.get("/cart/"))))
    assert Order.objects.get() == order  # the button in another window pays the same order


def test_no_link_places_an_order_after_signing_in(client: Client, learner: User) -> None:
    client.get("/cart/add/", {"product_id": make_product().pk})
    client.force_login(learner)
    assert client.get("/checkout/?expected_total=249.00+USD")["Location"] == "/cart/"
    assert not Order.objects.exists()


def test_a_press_without_what_was_seen_leads_to_the_cart(client: Client, learner: User) -> None:
    client.get("/cart/add/", {"product_id": make_product().pk})
    client.post("/checkout/", {})
    client.force_login(learner)
    assert client.get("/checkout/")["Location"] == "/cart/"
    assert not Order.objects.exists()


@pytest.mark.parametrize("how", ["late", "back at the cart", "Sec-Purpose", "Purpose", "X-Moz", "head"])
def test_a_press_from_before_signing_in_does_not_last(
    client: Client, learner: User, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/cart/add/", {"product_id": make_product().pk})
    client.post("/checkout/", shown(read(client.get("/cart/"))))
    if how == "back at the cart":
        client.get("/cart/")
    client.force_login(learner)
    if how == "late":
        later = clock.now() + timedelta(minutes=31)
        monkeypatch.setattr(clock, "now", lambda: later)
    headers = {how: "prefetch"} if how in {"Sec-Purpose", "Purpose", "X-Moz"} else {}
    response = (client.head if how == "head" else client.get)("/checkout/", headers=headers)
    assert response["Location"] == "/cart/"
    assert not Order.objects.exists()


def test_a_cart_that_changed_at_sign_in_is_shown_first(client: Client, sign_in: SignIn, learner: User) -> None:
    sign_in(learner).get("/cart/add/", {"product_id": make_product(price="10").pk})
    client.get("/cart/add/", {"product_id": make_product().pk})
    client.post("/checkout/", shown(read(client.get("/cart/"))))
    learner.set_password(PASSWORD)
    learner.save()
    response = client.post("/login/", {"username": learner.email, "password": PASSWORD, "next": "/checkout/"})
    assert response["Location"] == "/checkout/"
    page = read(client.get("/checkout/", follow=True))
    assert page.h1 == "Your cart"
    assert "The total was $249.00 and is now $259.00." in page.text
    assert not Order.objects.exists()


def test_an_owned_course_is_told_once_after_signing_in(client: Client, learner: User) -> None:
    mine, other = make_product(), make_product(price="20")
    make_paid_order(mine, buyer=learner)
    client.get("/cart/add/", {"product_id": [mine.pk, other.pk]})
    client.post("/checkout/", shown(read(client.get("/cart/"))))
    client.force_login(learner)
    page = read(client.get("/checkout/", follow=True))
    assert page.text.count("You already have") == 1
    assert "The total was" not in page.text
    assert "Check out" in page.buttons()
    assert Order.objects.count() == 1


@pytest.mark.parametrize("address", ["/cart/code/", "/cart/code/remove/", "/dashboard/start/"])
def test_a_lost_session_is_told_to_scripts(client: Client, address: str) -> None:
    response = Client().post(address, {"code": "SUMMER15"}, headers={"HX-Request": "true"})
    assert (response.status_code, response.content) == (403, b"")
    toasts = read(client.get("/cart/")).one("#toasts")
    assert toasts["data-signed-out"] == "You’ve been signed out. Reload the page."


def test_looking_at_the_address_leads_to_the_cart(client: Client, learners_client: Client) -> None:
    for visitor in (client, learners_client):
        assert visitor.get("/checkout/")["Location"] == "/cart/"


def test_a_total_that_changed_is_shown_before_it_is_bought(learners_client: Client) -> None:
    product = make_product(price="249.00")
    learners_client.get(f"/cart/add/?product_id={product.pk}")
    Product.objects.update(price=260)
    page = check_out(learners_client, total="249.00 USD")
    assert "The total was $249.00 and is now $260.00." in page.text
    assert "Total $260.00" in page.text
    assert not Order.objects.exists()


def test_an_empty_cart_is_not_bought(learners_client: Client) -> None:
    page = read(learners_client.post("/checkout/", follow=True))
    assert "Your cart is empty. Browse courses, or redeem a code from your organization." in page.text


def test_pressing_twice_leads_to_the_same_receipt(learners_client: Client, sign_in: SignIn) -> None:
    with_code(learners_client)
    form = {str(field["name"]): str(field["value"]) for field in _checkout_form(learners_client)}
    first, second = (learners_client.post("/checkout/", form) for _press in range(2))
    assert first["Location"] == second["Location"] == f"/checkout/receipt/?order_number={Order.objects.get().number}"
    for junk in ("", "abc", "0", "9" * 40):
        assert learners_client.post("/checkout/", form | {"basket": junk})["Location"] == "/cart/"
    assert sign_in(make_user()).post("/checkout/", form)["Location"] == "/cart/"


def _checkout_form(client: Client) -> list[Tag]:
    return read(client.get("/cart/")).select("form[action='/checkout/'] input[type=hidden]")


def test_without_its_code_a_contract_course_is_not_bought(learners_client: Client) -> None:
    learners_client.get(make_northgate().link)
    page = read(learners_client.post("/checkout/", {"expected_total": "0.00 USD"}, follow=True))
    assert page.h1 == "Your cart"
    assert "needs its enrollment code" in page.text
    assert not Order.objects.exists()


@pytest.mark.parametrize("total", ["", "abc", "1", "9" * 60, "NaN USD", "1e999 USD", "0.00", "1.00 XXX", "\0"])
def test_junk_for_a_total_ends_in_a_page(learners_client: Client, total: str) -> None:
    with_code(learners_client)
    assert learners_client.post("/checkout/", {"expected_total": total}, follow=True).status_code == 200


def test_the_second_learner_with_the_same_code_is_refused(sign_in: SignIn, learner: User) -> None:
    contract = make_northgate()
    first, second = sign_in(learner), sign_in(make_user())
    for visitor in (first, second):
        visitor.get(contract.link)
        visitor.post("/cart/code/", {"code": contract.code})
    assert check_out(first).h1 == "You’re in, Amara"
    page = read(second.get("/cart/"))
    assert "Someone else has already used this code. Ask Northgate Health for a new one." in page.text
    assert "Check out" not in page.buttons()
    page = read(second.post("/checkout/", {"expected_total": "0.00 USD"}, follow=True))
    assert page.headings(2)[0] == "Statistics for people who make decisions"
    assert Order.objects.count() == 1


def test_a_price_leads_to_the_sandbox_page_and_in(learners_client: Client) -> None:
    with_code(learners_client, price="49.00")
    page = check_out(learners_client)
    assert page.h1 == "Pay $49.00"
    assert "Sandbox: no money moves" in page.text
    assert page.buttons() == [
        "Accept the payment",
        "Leave it pending",
        "Decline the card",
        "Abandon the payment",
    ]
    attempt = PaymentAttempt.objects.get()
    assert not Enrollment.objects.exists()
    page = read(learners_client.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "accept"}, follow=True))
    assert page.h1 == "You’re in, Amara"
    assert "Total paid $49.00" in page.text
    assert "Paid with Sandbox (no real payment)" in page.text
    assert Enrollment.objects.count() == 1
    page = read(learners_client.get(f"/payment/sandbox/{attempt.reference}/"))
    assert "This payment has ended." in page.text


def test_a_declined_card_loses_nothing(learners_client: Client) -> None:
    with_code(learners_client, price="49.00")
    check_out(learners_client)
    attempt = PaymentAttempt.objects.get()
    page = read(learners_client.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "decline"}, follow=True))
    assert "Your payment was declined. You weren’t charged. Try another card or another way to pay;" in page.text
    assert page.h1 == "Ready to start"
    assert "Total $49.00" in page.text
    assert check_out(learners_client).h1 == "Pay $49.00"
    assert Order.objects.count() == 1
    assert PaymentAttempt.objects.count() == 2


def test_an_abandoned_payment_leaves_the_cart(learners_client: Client) -> None:
    with_code(learners_client, price="49.00")
    check_out(learners_client)
    attempt = PaymentAttempt.objects.get()
    page = read(learners_client.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "abandon"}, follow=True))
    assert "You canceled the payment. You weren’t charged, and your cart is unchanged." in page.text
    assert page.h1 == "Ready to start"


@pytest.mark.parametrize("answer", ["", "steal", "\0"])
def test_another_answer_changes_nothing(learners_client: Client, answer: str) -> None:
    with_code(learners_client, price="49.00")
    check_out(learners_client)
    attempt = PaymentAttempt.objects.get()
    response = learners_client.post(f"/payment/sandbox/{attempt.reference}/", {"answer": answer})
    assert response.status_code == 404
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.STARTED


def test_foreign_payments_answer_404(learners_client: Client, sign_in: SignIn) -> None:
    with_code(learners_client, price="49.00")
    check_out(learners_client)
    address = f"/payment/sandbox/{PaymentAttempt.objects.get().reference}/"
    for other in (sign_in(make_user()), sign_in(make_user(is_staff=True, is_superuser=True))):
        assert other.get(address).status_code == 404
        assert other.post(address, {"answer": "accept"}).status_code == 404
    assert Client().get(address)["Location"] == f"/login/?next={address}"
    assert learners_client.get(f"/payment/sandbox/{uuid4()}/").status_code == 404
    assert Order.objects.get().state == OrderState.PENDING


@pytest.mark.parametrize("lines", [1, 3])
def test_checking_out_costs_little(learners_client: Client, lines: int) -> None:
    contract = make_northgate()
    runs = [contract.run]
    for _each in range(lines - 1):
        runs.append(make_contract_run(contract.contract, make_course(), codes=1))
    learners_client.get("/cart/add/", {"product_id": [run.product_id or 0 for run in runs]})
    for run in runs:
        code = run.product.unlocked_by.codes.first() if run.product else None
        learners_client.post("/cart/code/", {"code": code.text if code else ""})
    with queries({1: 38, 3: 48}[lines]):
        response = learners_client.post("/checkout/", {"expected_total": "0.00 USD"})
    assert response["Location"].startswith("/checkout/receipt/?order_number=")
