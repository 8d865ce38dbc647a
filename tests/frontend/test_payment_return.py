"""Returning from a payment page: any visitor, any outcome, with services down."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState, PaymentStanding
from ecommerce.models import Order
from ecommerce.selectors.payments import payment_standing
from ecommerce.services.payment import payments
from ecommerce.services.payment.payments import finish_interrupted
from ecommerce.services.payment.pending import check_due_payments
from mitxonline.users.models import User
from tests.ecommerce.paying import completed_event, latest_attempt, place_order, post_event
from tests.factories import make_user
from tests.support.counting import queries
from tests.support.reading import read
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> User:
    return make_user(name="Amara Okafor")


@pytest.fixture
def order(stripe_api: StripeServer, buyer: User) -> Order:
    return place_order(buyer, now=timezone.now())


@pytest.fixture
def buyers_client(buyer: User) -> Client:
    client = Client()
    client.force_login(buyer)
    return client


def completed_url(order: Order) -> str:
    return f"/payment/completed/{latest_attempt(order).reference}/"


def canceled_url(order: Order) -> str:
    return f"/payment/canceled/{latest_attempt(order).reference}/"


def test_a_paid_buyer_returns_to_the_course(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    page = read(buyers_client.get(completed_url(order), follow=True))
    assert page.h1 == "You’re in, Amara"
    assert "Visa ending 4242" in page.text
    assert Enrollment.objects.count() == 1
    assert len(stripe_api.calls_to("/sessions/")) == 1


def test_the_page_that_is_confirming_looks_again(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.fail("/sessions/", 500)
    page = buyers_client.get(completed_url(order), follow=True)
    assert 'hx-trigger="every 10s"' in page.content.decode()
    receipt = f"/checkout/receipt/?order_number={order.number}"
    assert buyers_client.get(receipt, headers={"HX-Trigger": "looks-again"}).status_code == 204
    stripe_api.pay(latest_attempt(order).session_id)
    check_due_payments(now=timezone.now())
    again = buyers_client.get(receipt, headers={"HX-Trigger": "looks-again"})
    assert again.headers["HX-Refresh"] == "true"
    assert "every 10s" not in buyers_client.get(receipt).content.decode()


def test_returning_again_does_not_ask_the_gateway(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    buyers_client.get(completed_url(order))
    stripe_api.calls.clear()
    response = buyers_client.get(completed_url(order))
    assert response["Location"] == f"/checkout/receipt/?order_number={order.number}"
    assert not stripe_api.calls


def test_coming_back_proves_nothing(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    buyers_client.get(completed_url(order))
    order.refresh_from_db()
    assert order.state == OrderState.PENDING
    assert not Enrollment.objects.exists()


def test_a_pending_bank_payment_is_explained(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.pay_later(latest_attempt(order).session_id)
    page = read(buyers_client.get(completed_url(order), follow=True))
    assert page.h1 == "Your payment is on its way"
    assert latest_attempt(order).state == AttemptState.PROCESSING


def test_a_payment_that_was_declined_leads_back_to_the_cart(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    stripe_api.bank_says(session_id, yes=False)
    page = read(buyers_client.get(completed_url(order), follow=True))
    assert page.h1 == "Your cart"
    assert "You weren’t charged." in page.text


def test_leaving_the_payment_page_leads_back_to_the_cart(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    page = read(buyers_client.get(canceled_url(order), follow=True))
    assert page.h1 == "Your cart"
    assert "You canceled the payment. You weren’t charged" in page.text


def test_leaving_it_after_paying_says_no_untruth(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    page = read(buyers_client.get(canceled_url(order), follow=True))
    assert page.h1 == "You’re in, Amara"
    assert "weren’t charged" not in page.text
    assert Enrollment.objects.count() == 1


def test_canceling_while_the_bank_is_processing_says_so(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    stripe_api.pay_later(latest_attempt(order).session_id)
    assert read(buyers_client.get(canceled_url(order), follow=True)).h1 == "Your payment is on its way"
    assert read(buyers_client.get(canceled_url(order), follow=True)).h1 == "Your payment is on its way"


def test_canceling_while_the_gateway_is_silent_says_the_outcome_is_unknown(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.fail("/sessions/", 500)
    page = read(buyers_client.get(canceled_url(order), follow=True))
    assert page.h1 == "We’re confirming your payment"
    assert "weren’t charged" not in page.text


def test_leaving_it_after_paying_leads_to_the_receipt(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    buyers_client.get(completed_url(order))
    response = buyers_client.get(f"/payment/canceled/{latest_attempt(order).reference}/")
    assert response["Location"].startswith("/checkout/receipt/")


@pytest.mark.parametrize("kind", ["completed", "canceled"])
def test_foreign_payments_answer_404_like_missing_ones(stripe_api: StripeServer, order: Order, kind: str) -> None:
    stranger = Client()
    stranger.force_login(make_user())
    mine, none = (
        stranger.get(f"/payment/{kind}/{reference}/") for reference in (latest_attempt(order).reference, uuid4())
    )
    assert (mine.status_code, none.status_code) == (404, 404)
    assert read(mine).text == read(none).text


@pytest.mark.parametrize("kind", ["completed", "canceled"])
def test_the_return_address_does_not_sign_in(stripe_api: StripeServer, order: Order, client: Client, kind: str) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    address = f"/payment/{kind}/{latest_attempt(order).reference}/"
    response = client.get(address)
    assert response["Location"] == f"/login/?next={address}"
    assert not client.cookies
    order.refresh_from_db()
    assert order.state == OrderState.PENDING


@pytest.mark.parametrize("kind", ["completed", "canceled"])
def test_return_pages_accept_only_get(order: Order, buyers_client: Client, kind: str) -> None:
    assert buyers_client.post(f"/payment/{kind}/{latest_attempt(order).reference}/").status_code == 405


def test_with_the_gateway_away_nothing_is_lost(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.fail("/sessions/", 500)
    page = read(buyers_client.get(completed_url(order), follow=True))
    assert page.h1 == "We’re confirming your payment"
    assert "Don’t pay again." in page.text
    assert check_due_payments(now=timezone.now()) == 1
    assert read(buyers_client.get(completed_url(order), follow=True)).h1 == "You’re in, Amara"


def test_an_unpaid_return_is_explained_once_the_gateway_answers(
    stripe_api: StripeServer, order: Order, buyers_client: Client
) -> None:
    stripe_api.fail("/sessions/", 500)
    buyers_client.get(completed_url(order))
    assert payment_standing(order) == PaymentStanding.CONFIRMING
    page = read(buyers_client.get(completed_url(order), follow=True))
    assert page.h1 == "This order isn’t paid yet"
    assert payment_standing(order) == PaymentStanding.OPEN


def test_without_worker_and_broker_the_course_is_opened_by_coming_back(
    stripe_api: StripeServer, order: Order, buyers_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitxonline.kernel.broker._producers", Mock(side_effect=OSError("no one there")))
    stripe_api.pay(latest_attempt(order).session_id)
    assert post_event(completed_event(stripe_api, order)).status_code == 200
    assert read(buyers_client.get(completed_url(order), follow=True)).h1 == "You’re in, Amara"


def test_interrupted_after_the_money_came_the_page_says_so_and_the_sweep_opens_the_course(
    stripe_api: StripeServer, order: Order, buyers_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    buyers_client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(payments, "fulfill_or_review", Mock(side_effect=RuntimeError))
        assert buyers_client.get(completed_url(order)).status_code == 500
    page = read(buyers_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert page.h1 == "Payment received"
    assert "We’re opening your course." in page.text
    finish_interrupted(now=timezone.now() + timedelta(minutes=3))
    page = read(buyers_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert page.h1 == "You’re in, Amara"


def test_coming_back_keeps_its_budget(stripe_api: StripeServer, order: Order, buyers_client: Client) -> None:
    stripe_api.pay(latest_attempt(order).session_id)
    buyers_client.get("/cart/")
    address = completed_url(order)
    with queries(exactly=32):
        buyers_client.get(address)
