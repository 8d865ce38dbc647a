"""Canceling a payment frees its code and seat once the payment page is closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from b2b.enums import MembershipState
from b2b.models import ContractMembership
from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState, RedemptionType, UseState
from ecommerce.gateways.base import PaymentNotice, Session
from ecommerce.gateways.stripe import StripeGateway
from ecommerce.models import BasketItem, CodeUse, DiscountCode, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.checkout.checkout import release_lapsed_orders
from ecommerce.services.checkout.giving_up import give_up_payment, give_up_removed
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.payment.pending import check_due_payments
from mitxonline.users.models import User
from tests.ecommerce.paying import check_out, latest_attempt
from tests.factories import (
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_user,
)
from tests.support.reading import read
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> User:
    return make_user(name="Amara Okafor")


@pytest.fixture
def client(buyer: User) -> Client:
    client = Client()
    client.force_login(buyer)
    return client


def put_in(user: User, product_id: int, code: DiscountCode | None = None) -> None:
    owner, now = BasketOwner(user_id=user.pk), timezone.now()
    add_products(owner=owner, product_ids=[product_id], now=now)
    if code is not None:
        apply_code(owner=owner, text=code.text, user_id=user.pk, now=now)


@pytest.fixture
def code() -> DiscountCode:
    return make_code(make_discount(amount="50", redemption_type=RedemptionType.ONE_TIME), max_uses=1)


@pytest.fixture
def order(stripe_api: StripeServer, buyer: User, code: DiscountCode) -> Order:
    """Two courses with a one-time code; their buyer is at the payment page."""
    put_in(buyer, make_product(price="100").pk)
    put_in(buyer, make_product(price="80").pk, code)
    return check_out(buyer, now=timezone.now()).order


def canceled_url(order: Order) -> str:
    return f"/payment/canceled/{latest_attempt(order).reference}/"


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def is_free(code: DiscountCode) -> bool:
    code.refresh_from_db()
    return code.uses == 0 and not CodeUse.objects.live().filter(code=code).exists()


def test_leaving_the_payment_frees_the_code_for_another_buyer(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client
) -> None:
    page = read(client.get(canceled_url(order), follow=True))
    assert "You canceled the payment. You weren’t charged" in page.text
    assert (state_of(order), latest_attempt(order).state) == (OrderState.CANCELED, AttemptState.EXPIRED)
    assert is_free(code)
    other = make_user()
    put_in(other, make_product(price="60").pk, code)
    check_out(other, now=timezone.now())
    assert CodeUse.objects.live().get().user == other


def test_the_cart_is_as_it_was_and_the_button_places_another_order(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client, buyer: User
) -> None:
    client.get(canceled_url(order))
    assert BasketItem.objects.filter(basket__user=buyer, kept_at=None).count() == 2
    again = check_out(buyer, now=timezone.now()).order
    assert (again.total, again.state) == (order.total, OrderState.PENDING)
    assert again.pk != order.pk
    assert CodeUse.objects.live().get().order == again


def test_the_page_that_was_left_cannot_be_paid_any_more(stripe_api: StripeServer, order: Order, client: Client) -> None:
    session_id = latest_attempt(order).session_id
    client.get(canceled_url(order))
    assert not stripe_api.pay_if_open(session_id)


def test_coming_back_again_by_that_address_says_the_same(
    stripe_api: StripeServer, order: Order, client: Client
) -> None:
    client.get(canceled_url(order))
    stripe_api.calls.clear()
    page = read(client.get(canceled_url(order), follow=True))
    assert "You canceled the payment." in page.text
    assert not stripe_api.calls


def test_paying_while_the_page_is_closing_enrolls(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire = StripeGateway.expire

    def pay_first(gateway: StripeGateway, session: Session) -> PaymentNotice:
        assert stripe_api.pay_if_open(session.session_id)
        return expire(gateway, session)

    monkeypatch.setattr(StripeGateway, "expire", pay_first)
    page = read(client.get(canceled_url(order), follow=True))
    assert page.h1 == "You’re in, Amara"
    assert state_of(order) == OrderState.FULFILLED
    assert Enrollment.objects.count() == 2
    assert CodeUse.objects.get().state == UseState.CONFIRMED


def test_a_bank_that_takes_its_time_keeps_the_code(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire = StripeGateway.expire

    def pay_first(gateway: StripeGateway, session: Session) -> PaymentNotice:
        stripe_api.pay_later(session.session_id)
        return expire(gateway, session)

    monkeypatch.setattr(StripeGateway, "expire", pay_first)
    assert read(client.get(canceled_url(order), follow=True)).h1 == "Your payment is on its way"
    assert state_of(order) == OrderState.PENDING
    assert not is_free(code)


def test_a_page_begun_in_another_window_meanwhile_keeps_the_order(
    stripe_api: StripeServer, order: Order, code: DiscountCode, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard looks again under the lock: the page was ended, and the button pressed before the order was closed."""
    left, expire = latest_attempt(order), StripeGateway.expire

    def press_the_button(gateway: StripeGateway, session: Session) -> PaymentNotice:
        answer = expire(gateway, session)
        monkeypatch.undo()
        check_out(buyer, now=timezone.now())
        return answer

    monkeypatch.setattr(StripeGateway, "expire", press_the_button)
    give_up_payment(attempt_id=left.pk, now=timezone.now())
    assert (state_of(order), latest_attempt(order).state) == (OrderState.PENDING, AttemptState.STARTED)
    assert latest_attempt(order) != left
    assert not is_free(code)


def test_a_gateway_that_does_not_end_the_page_leaves_what_is_held(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client
) -> None:
    stripe_api.fail("/expire", 429)
    page = read(client.get(canceled_url(order), follow=True))
    assert page.h1 == "Your cart"
    assert (state_of(order), latest_attempt(order).state) == (OrderState.PENDING, AttemptState.CLOSING)
    assert not is_free(code)
    assert check_due_payments(now=timezone.now()) == 1
    assert latest_attempt(order).state == AttemptState.EXPIRED
    assert order.hold_until is not None
    release_lapsed_orders(now=order.hold_until + timedelta(seconds=1))
    assert state_of(order) == OrderState.CANCELED
    assert is_free(code)


def test_an_expired_payment_page_frees_the_code(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client
) -> None:
    stripe_api.lapse(latest_attempt(order).session_id)
    client.get(canceled_url(order))
    assert state_of(order) == OrderState.CANCELED
    assert is_free(code)


@pytest.mark.parametrize("way", ["remove", "keep"])
def test_taking_a_course_out_frees_the_code(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client, way: str
) -> None:
    product_id = order.lines.order_by("pk")[0].product_id
    client.post(f"/cart/{way}/", {"product_id": product_id})
    assert state_of(order) == OrderState.CANCELED
    assert is_free(code)
    assert not stripe_api.pay_if_open(latest_attempt(order).session_id)


def test_taking_the_code_off_frees_it(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client
) -> None:
    client.post("/cart/code/remove/", {"code_id": code.pk})
    assert state_of(order) == OrderState.CANCELED
    assert is_free(code)


def test_taking_out_what_was_put_in_since_leaves_the_order(
    stripe_api: StripeServer, order: Order, client: Client, buyer: User
) -> None:
    later = make_product(price="20")
    put_in(buyer, later.pk)
    stripe_api.calls.clear()
    client.post("/cart/remove/", {"product_id": later.pk})
    assert state_of(order) == OrderState.PENDING
    assert not stripe_api.calls


def test_taking_out_what_has_been_paid_keeps_it(stripe_api: StripeServer, order: Order, client: Client) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    client.post("/cart/remove/", {"product_id": order.lines.order_by("pk")[0].product_id})
    assert state_of(order) == OrderState.FULFILLED


def test_an_order_the_bank_is_paying_is_not_canceled(
    stripe_api: StripeServer, order: Order, code: DiscountCode, client: Client
) -> None:
    attempt = latest_attempt(order)
    stripe_api.pay_later(attempt.session_id)
    confirm_attempt(attempt_id=attempt.pk, now=timezone.now())
    stripe_api.calls.clear()
    client.post("/cart/remove/", {"product_id": order.lines.order_by("pk")[0].product_id})
    assert state_of(order) == OrderState.PENDING
    assert not is_free(code)
    assert not stripe_api.calls


def test_nothing_to_give_up_is_one_query(buyer: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert give_up_removed(user_id=buyer.pk, now=timezone.now()) == 0


@pytest.mark.parametrize("way", ["back from the payment page", "out of the cart", "leave the cart"])
def test_the_last_seat_is_free_at_once(stripe_api: StripeServer, client: Client, buyer: User, way: str) -> None:
    contract = make_contract(seats=1, price="40")
    run = make_contract_run(contract, codes=2)
    product, (first, second) = run.product, codes_of(run)
    assert product is not None
    put_in(buyer, product.pk, first)
    order = check_out(buyer, now=timezone.now()).order
    assert ContractMembership.objects.get().state == MembershipState.HELD
    if way == "back from the payment page":
        client.get(canceled_url(order))
    elif way == "out of the cart":
        client.post("/cart/remove/", {"product_id": product.pk})
    else:
        client.post("/cart/leave/")
    assert state_of(order) == OrderState.CANCELED
    other = make_user()
    put_in(other, product.pk, second)
    check_out(other, now=timezone.now())
    assert ContractMembership.objects.get(state=MembershipState.HELD).user == other
