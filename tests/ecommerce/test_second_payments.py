"""Money that arrives twice, goes back twice or is lost to a bank: recorded and reported."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from wagtail.models import Site

from courses.models import Enrollment
from ecommerce.enums import (
    AlertKind,
    AttemptState,
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RefundOrigin,
    RefundState,
    ReviewCause,
)
from ecommerce.events import MoneyReturned, PaidTwice
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import Dispute, MoneyAlert, Order, Refund, ShopSettings
from ecommerce.receivers import email_paid_twice, email_refund, email_review
from ecommerce.selectors.order_desk import orders_at_desk
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout.review import check_with_gateway, fulfill_from_review
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import refund_order, refund_second_payment
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.money import Money
from tests.ecommerce.desk import read_order_page
from tests.ecommerce.paying import check_out, deliver_event, latest_attempt, place_order
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order
from tests.support.reading import read
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

Outbox = list[EmailMultiAlternatives]


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def attention(order: Order) -> str:
    found: Any = orders_at_desk().get(pk=order.pk)
    return str(found.attention)


def page_of(order: Order, address: str) -> str:
    client = Client()
    client.force_login(order.purchaser)
    return read(client.get(address)).text


def receipt_page(order: Order) -> str:
    return page_of(order, f"/checkout/receipt/?order_number={order.number}")


def other_session(server: StripeServer, order: Order, **changes: Any) -> dict[str, Any]:
    """A session under the same reference that Stripe made because it had forgotten our key."""
    known = server.sessions[latest_attempt(order).session_id]
    twin = {**known, "id": f"{known['id']}_twin", "status": "open", "payment_status": "unpaid", "payment_intent": None}
    server.sessions[twin["id"]] = twin
    return server.pay(twin["id"], **changes)


def paid_at_stripe(server: StripeServer, **options: Any) -> Order:
    order = place_order(**options)
    server.pay(latest_attempt(order).session_id)
    return confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)


# A second payment under one reference


def test_a_second_payment_by_another_session_is_reported_and_refunded(
    stripe_api: StripeServer, desk: Client, mailoutbox: Outbox
) -> None:
    order = paid_at_stripe(stripe_api, price="49.00")
    (first,) = order.attempts.all()
    twin = other_session(stripe_api, order)
    for kind in ("completed", "async_payment_succeeded"):
        deliver_event(stripe_api.event(f"checkout.session.{kind}", twin))
    second = order.attempts.exclude(pk=first.pk).get()
    assert (second.state, second.is_surplus, second.session_id) == (AttemptState.PAID, True, twin["id"])
    assert second.paid_money == Money("49", "USD")
    assert (fresh(order).state, attention(order)) == (OrderState.FULFILLED, "twice")
    assert "The order was paid a second time: $49.00" in read_order_page(desk, order).text
    assert MoneyAlert.objects.get().kind == AlertKind.SECOND_PAYMENT
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_paid_twice").count() == 1
    refund = Refund.objects.get()
    email_paid_twice(PaidTwice(refund_id=refund.pk, order_id=order.pk))
    (mail,) = mailoutbox
    assert mail.to == [order.purchaser.email]
    assert "We received a second payment of $49.00" in str(mail.body)
    assert "We also received a second payment of $49.00" in receipt_page(order)
    assert "Paid twice" in page_of(order, "/orders/history/")
    refund = refund_second_payment(refund_id=refund.pk, now=NOON, by_id=None)
    (call,) = stripe_api.calls_to("/refunds$")
    assert call.params["payment_intent"] == twin["payment_intent"] == second.payment_id
    assert refund.state == RefundState.SUCCEEDED
    assert "We’re refunding the second payment" in receipt_page(order)
    assert fresh(order).state == OrderState.FULFILLED


def test_a_first_payment_by_another_session_goes_to_review_and_is_refundable(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    twin = other_session(stripe_api, order)
    notice = deliver_event(stripe_api.event("checkout.session.completed", twin))
    order = fresh(order)
    assert (order.state, order.review_cause, notice.order) == (OrderState.REVIEW, ReviewCause.UNKNOWN_SESSION, order)
    assert not Enrollment.objects.exists()
    assert MoneyAlert.objects.get().kind == AlertKind.REVIEW
    known = order.attempts.order_by("pk")[0]
    stripe_api.pay(known.session_id)
    confirm_attempt(attempt_id=known.pk, now=NOON)  # and the page we opened is paid as well
    assert attention(order) == "review"
    assert Refund.objects.get().attempt == known
    refund = refund_order(order_id=order.pk, choice=RefundChoice(reason="not our page"), now=NOON, by_id=None)
    assert refund.attempt.payment_id == twin["payment_intent"]


@pytest.mark.parametrize("changes", [{"livemode": True}, {"currency": "eur"}])
def test_a_doubtful_payment_is_not_a_second_payment(stripe_api: StripeServer, changes: dict[str, Any]) -> None:
    order = paid_at_stripe(stripe_api, price="49.00")
    deliver_event(stripe_api.event("checkout.session.completed", other_session(stripe_api, order, **changes)))
    is_test_money = "livemode" in changes
    assert order.attempts.count() == (1 if is_test_money else 2)
    if not is_test_money:
        refund = Refund.objects.get()
        assert (refund.money, refund.state) == (Money("49", "EUR"), RefundState.MARKED)


@pytest.mark.parametrize("by_staff", [False, True])
def test_after_a_wrong_and_a_right_payment_the_surplus_awaits_a_decision(
    stripe_api: StripeServer, by_staff: bool
) -> None:
    order = place_order(price="49.00")
    old = latest_attempt(order)
    check_out(order.purchaser, now=NOON + timedelta(minutes=11))
    new = latest_attempt(order)
    stripe_api.sessions[old.session_id]["status"] = "open"  # as if ending it had come too late
    stripe_api.pay(old.session_id, amount_total=2000)
    assert confirm_attempt(attempt_id=old.pk, now=NOON).state == OrderState.REVIEW
    if by_staff:
        fulfill_from_review(order_id=order.pk, reason="the rest is a gift", by_id=None, now=NOON)
    stripe_api.sessions[new.session_id]["status"] = "open"
    stripe_api.pay(new.session_id)
    for _twice in range(2):
        assert confirm_attempt(attempt_id=new.pk, now=NOON).state == OrderState.FULFILLED
    refund = Refund.objects.get()
    assert (refund.attempt_id, refund.state) == (new.pk if by_staff else old.pk, RefundState.MARKED)
    assert refund.money == Money("49" if by_staff else "20", "USD")


# One refund, made twice


def test_a_refund_that_stripe_made_twice_is_two_in_the_books(stripe_api: StripeServer, desk: Client) -> None:
    order = paid_at_stripe(stripe_api, price="49.00")
    choice = RefundChoice(reason="late start", amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund = refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    payment = latest_attempt(order).payment_id
    twin = stripe_api.refund_in_dashboard(payment, 1000)
    twin["metadata"] = {"refund": str(refund.reference)}  # our own request, made again after the key was forgotten
    for _twice in range(2):
        deliver_event(stripe_api.event("refund.created", twin))
    refund.refresh_from_db()
    assert (refund.state, refund.gateway_refund_id) != (RefundState.SUCCEEDED, twin["id"])
    second = order.refunds.exclude(pk=refund.pk).get()
    assert (second.amount, second.origin, second.gateway_refund_id) == (10, RefundOrigin.PROVIDER, twin["id"])
    assert (latest_attempt(order).refunded, latest_attempt(order).refund_gap) == (20, 0)
    assert MoneyAlert.objects.get().kind == AlertKind.REFUND_TWICE
    assert f"made twice at the gateway, for refund {refund.pk}" in read_order_page(desk, order).text


def test_the_gateways_sum_of_refunds_is_compared_with_ours(stripe_api: StripeServer, desk: Client) -> None:
    order = paid_at_stripe(stripe_api, price="49.00")
    stripe_api.refund_in_dashboard(latest_attempt(order).payment_id, 1000)
    check_with_gateway(order_id=order.pk, by_id=None, now=NOON)
    assert (latest_attempt(order).refunded, latest_attempt(order).refund_gap, attention(order)) == (10, 0, "")
    order.attempts.update(refunded=0)  # whatever went wrong here
    check_with_gateway(order_id=order.pk, by_id=None, now=NOON)
    assert (latest_attempt(order).refund_gap, attention(order)) == (10, "differs")
    assert "The gateway differs by $10.00" in read_order_page(desk, order).text


# Disputes


def disputed(order: Order, state: DisputeState, *, amount: str | None = None) -> Dispute:
    attempt = order.attempts.get()
    notice = DisputeNotice(
        event_id="evt",
        dispute_id=f"du_{attempt.pk}",
        payment_id=attempt.payment_id,
        amount=Money(amount, "USD") if amount else attempt.money,
        state=state,
        reason="fraudulent",
        funds="withdrawn",
    )
    dispute = follow_dispute(notice, gateway_name="sandbox", now=NOON)
    assert dispute is not None
    return dispute


def policy(**fields: Any) -> None:
    shop = ShopSettings.for_site(Site.objects.get(is_default_site=True))
    for name, value in fields.items():
        setattr(shop, name, value)
    shop.save()


@pytest.mark.parametrize(("after", "modes"), [("remove", set()), ("audit", {"audit"}), ("keep", {"verified"})])
def test_a_lost_dispute_is_recorded_and_access_follows_the_shops_setting(
    after: str, modes: set[str], desk: Client, mailoutbox: Outbox
) -> None:
    policy(after_lost_dispute=after)
    order = make_paid_order(make_product(), make_product(price="149.00"))
    first, _second = order.lines.all()
    choice = RefundChoice(
        reason="late", line_ids=(first.pk,), amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP
    )
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    disputed(order, DisputeState.NEEDS_RESPONSE)
    for _twice in range(2):
        disputed(order, DisputeState.LOST)
    attempt = order.attempts.get()
    refund = order.refunds.get(origin=RefundOrigin.BANK)
    assert (attempt.refunded, refund.amount, fresh(order).state) == (398, 388, OrderState.REFUNDED)
    assert set(Enrollment.objects.active().values_list("mode", flat=True)) == modes
    assert list(MoneyAlert.objects.values_list("kind", flat=True)) == [AlertKind.DISPUTE, AlertKind.DISPUTE_LOST]
    email_refund(MoneyReturned(refund_id=refund.pk, order_id=order.pk))
    (mail,) = mailoutbox
    assert mail.subject == f"Your bank returned your payment for order {order.number}"
    assert ("no longer have access to" in str(mail.body)) == (after == "remove")
    export = desk.get("/cms/refunds/?export=csv").getvalue().decode()
    assert "388.00,USD" in export
    assert "taken by the bank after a dispute" in export


def test_a_part_that_the_bank_took_leaves_the_courses() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    disputed(order, DisputeState.LOST, amount="100")
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert Enrollment.objects.active().count() == 2


def test_a_dispute_won_after_all_brings_the_order_back() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    disputed(order, DisputeState.LOST)
    assert Enrollment.objects.active().count() == 0
    disputed(order, DisputeState.WON)
    assert fresh(order).state == OrderState.FULFILLED
    assert Enrollment.objects.active().count() == 2
    assert order.attempts.get().refunded == 0
    assert not Delivery.objects.filter(handler="ecommerce.receivers.email_refund_failed").exists()


# No one says "your payment arrived" of money no one has seen


@pytest.mark.parametrize(
    ("changes", "has_money"),
    [
        ({"livemode": True}, False),
        ({"client_reference_id": "5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5a", "metadata": {}}, False),
        ({"amount_total": 100}, True),
    ],
)
def test_a_payment_in_doubt_is_not_called_arrived(
    stripe_api: StripeServer, mailoutbox: Outbox, changes: dict[str, Any], has_money: bool
) -> None:
    order = place_order(price="49.00")
    stripe_api.pay(latest_attempt(order).session_id, **changes)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    assert fresh(order).state == OrderState.REVIEW
    page = receipt_page(order)
    assert ("Your payment arrived" in page) == has_money
    assert ("We’re checking your payment" in page) == (not has_money)
    event: Any = type("Event", (), {"order_id": order.pk})
    email_review(event)
    (mail,) = mailoutbox
    assert (
        "We have your payment" in " ".join((str(mail.subject), str(mail.body), str(mail.alternatives[0][0])))
    ) == has_money
