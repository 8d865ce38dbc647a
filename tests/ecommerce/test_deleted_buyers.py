"""Money that comes or comes back after its buyer deleted their account: finance decides, and no one is written to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from courses.models import Enrollment
from ecommerce.enums import AlertKind, AttemptState, OrderState, RefundState, ReviewCause
from ecommerce.errors.checkout import BuyerGone
from ecommerce.models import MoneyAlert, Order
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout.checkout import cancel_order
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.refunds.refunds import follow_refund, refund_order
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.kernel import clock
from mitxonline.users.closing import close_account
from mitxonline.users.models import User
from tests.ecommerce.paying import completed_event, deliver_event, latest_attempt, place_order
from tests.ecommerce.tills import install_till, make_refund_notice
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    def deliver(ids: list[int], queue: str) -> None:
        for pk in ids:
            run_delivery(delivery_id=pk, now=clock.now())

    monkeypatch.setattr("mitxonline.coordinator.sending.send_deliveries", deliver)
    mail.outbox.clear()
    return mail.outbox


def close(buyer: User) -> None:
    close_account(user_id=buyer.pk, now=clock.now(), by_id=buyer.pk)


def place_and_give_up(buyer: User) -> Order:
    """An order that was canceled, with a payment page that we believe has ended."""
    order = place_order(buyer)
    cancel_order(order_id=order.pk, now=NOON, reason="left")
    order.attempts.update(state=AttemptState.EXPIRED)
    return order


def test_a_payment_after_the_deletion_goes_to_review(stripe_api: StripeServer, outbox: list[Any]) -> None:
    buyer, other = make_user("ada@example.org"), make_user("bob@example.org")
    order, his = place_and_give_up(buyer), place_and_give_up(other)
    close(buyer)
    outbox.clear()
    for each in (order, his):
        stripe_api.pay(latest_attempt(each).session_id)
        deliver_event(completed_event(stripe_api, each))
    order.refresh_from_db()
    his.refresh_from_db()
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.ACCOUNT_DELETED)
    assert order.explanation == "The buyer deleted their account"
    assert latest_attempt(order).state == AttemptState.PAID
    assert MoneyAlert.objects.filter(order=order, kind=AlertKind.REVIEW).exists()
    assert his.state == OrderState.FULFILLED
    assert {address for each in outbox for address in each.to} == {"bob@example.org"}
    assert not Enrollment.objects.filter(user=buyer).exists()
    deliver_event(completed_event(stripe_api, order))
    assert MoneyAlert.objects.filter(order=order).count() == 1


def test_staff_are_told_why_it_cannot_be_fulfilled(stripe_api: StripeServer) -> None:
    buyer = make_user()
    order = place_and_give_up(buyer)
    close(buyer)
    stripe_api.pay(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order))
    with pytest.raises(BuyerGone, match=f"The buyer of order {order.number} deleted their account. Refund"):
        fulfill_from_review(order_id=order.pk, reason="trust me", by_id=None, now=clock.now())
    order.refresh_from_db()
    assert order.state == OrderState.REVIEW


def test_a_refund_that_bounces_after_the_deletion_opens_no_course(settings: Any, outbox: list[Any]) -> None:
    install_till(settings)
    buyer, other = make_user("ada@example.org"), make_user("bob@example.org")
    orders = [make_paid_order(make_product(), buyer=each, gateway="till") for each in (buyer, other)]
    choice = RefundChoice(reason="asked by phone")
    refunds = [refund_order(order_id=each.pk, choice=choice, now=NOON, by_id=None) for each in orders]
    close(buyer)
    outbox.clear()
    for refund in refunds:
        notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
        follow_refund(notice, gateway_name="till", now=NOON + timedelta(days=3))
    gone, came_back = (Order.objects.get(pk=each.pk) for each in orders)
    assert (gone.state, gone.review_cause) == (OrderState.REVIEW, ReviewCause.REFUND_FAILED)
    assert came_back.state == OrderState.FULFILLED
    assert not Enrollment.objects.active().filter(user=buyer).exists()
    assert Enrollment.objects.active().filter(user=other).exists()
    assert MoneyAlert.objects.filter(order=gone, kind=AlertKind.REFUND_FAILED).exists()
    assert {address for each in outbox for address in each.to} == {"bob@example.org"}
