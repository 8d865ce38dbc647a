"""Payments: one open page per order, every outcome, and only the gateway's word counts."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import transaction

from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState, PaymentStanding, RefundState, ReviewCause, UseState
from ecommerce.errors.checkout import NoWayToPay, PaymentUnavailable, PaymentUnderWay, TotalNotPayable
from ecommerce.gateways.base import PaymentFailed
from ecommerce.gateways.stripe import StripeGateway
from ecommerce.models import CodeUse, Order, PaymentAttempt
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.payments import payment_standing
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products, apply_code, remove_product
from ecommerce.services.checkout.checkout import cancel_order, release_lapsed_orders
from ecommerce.services.orders.fulfillment import send_to_review
from ecommerce.services.payment import payments
from ecommerce.services.payment.payments import check_order, confirm_attempt, end_session, finish_interrupted
from ecommerce.services.payment.pending import check_due_payments, end_unstarted_attempts
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.ecommerce.paying import check_out, latest_attempt, place_order
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=11)  # the payment page is not young any more
SESSIONS, EXPIRE = r"/sessions$", r"/expire$"


@pytest.fixture
def learner() -> User:
    return make_user()


def states(order: Order) -> list[str]:
    return list(order.attempts.order_by("pk").values_list("state", flat=True))


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


# Beginning


def test_an_order_is_written_down_before_its_gateway_hears_of_it(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    attempt = latest_attempt(order)
    (call,) = stripe_api.calls
    assert call.headers["Idempotency-Key"] == attempt.idempotency_key == f"checkout:{attempt.reference}"
    assert attempt.session_id in stripe_api.sessions
    assert attempt.pay_url == stripe_api.sessions[attempt.session_id]["url"]
    assert call.params["success_url"] == f"http://testserver/payment/completed/{attempt.reference}/"
    assert call.params["cancel_url"] == f"http://testserver/payment/canceled/{attempt.reference}/"
    assert (attempt.state, attempt.ask_at) == (AttemptState.STARTED, NOON + timedelta(minutes=5))


def test_pressing_twice_is_one_order_and_one_payment_page(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    again = check_out(learner, now=NOON + timedelta(minutes=9))
    assert again.order == order
    assert again.pay_url == latest_attempt(order).pay_url
    assert len(stripe_api.sessions) == 1


def test_checkout_after_paying_a_fresh_page_leads_to_the_receipt(stripe_api: StripeServer, learner: User) -> None:
    order, other = place_order(learner), place_order(make_user())
    stripe_api.pay(latest_attempt(order).session_id)
    again = check_out(learner, now=NOON + timedelta(minutes=1))
    assert (again.order, again.pay_url) == (order, None)
    assert again.order.state == OrderState.FULFILLED
    assert fresh(other).state == OrderState.PENDING


def test_checkout_waits_for_the_bank_on_a_fresh_page(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay_later(latest_attempt(order).session_id)
    with pytest.raises(PaymentUnderWay):
        check_out(learner, now=NOON + timedelta(minutes=1))
    assert states(order) == [AttemptState.PROCESSING]


@pytest.mark.parametrize("end", ["lapse", "decline"])
def test_a_young_page_that_has_ended_gives_way_to_another(stripe_api: StripeServer, learner: User, end: str) -> None:
    order = place_order(learner)
    session_id = latest_attempt(order).session_id
    if end == "lapse":
        stripe_api.lapse(session_id)
    else:
        stripe_api.pay_later(session_id)
        stripe_api.bank_says(session_id, yes=False)
    again = check_out(learner, now=NOON + timedelta(minutes=1))
    assert again.order == order
    assert len(stripe_api.sessions) == 2
    assert again.pay_url == latest_attempt(order).pay_url != stripe_api.sessions[session_id]["url"]
    assert states(order) == [AttemptState.EXPIRED if end == "lapse" else AttemptState.DECLINED, AttemptState.STARTED]


def test_with_the_gateway_silent_a_young_page_is_led_to_again(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.fail("/sessions/", 500)
    assert check_out(learner, now=NOON + timedelta(minutes=1)).pay_url == latest_attempt(order).pay_url


def test_a_page_that_is_not_young_is_ended_before_another_begins(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    stripe_api.calls.clear()
    again = check_out(learner, now=LATER)
    assert again.order == order
    assert [call.path for call in stripe_api.calls] == [
        f"/v1/checkout/sessions/{old.session_id}/expire",
        "/v1/checkout/sessions",
    ]
    assert stripe_api.calls[0].headers["Idempotency-Key"] == f"expire:{old.reference}"
    assert stripe_api.sessions[old.session_id]["status"] == "expired"
    assert states(order) == [AttemptState.EXPIRED, AttemptState.STARTED]


def test_checkout_after_paying_asks_for_no_second_payment(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    again = check_out(learner, now=LATER)
    assert (again.order, again.pay_url) == (order, None)
    assert again.order.state == OrderState.FULFILLED
    assert len(stripe_api.sessions) == 1
    assert states(order) == [AttemptState.PAID, AttemptState.FAILED]


def test_checkout_waits_while_the_bank_is_processing(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay_later(latest_attempt(order).session_id)
    with pytest.raises(PaymentUnderWay):
        check_out(learner, now=LATER)
    assert len(stripe_api.sessions) == 1
    assert states(order) == [AttemptState.PROCESSING, AttemptState.FAILED]


def test_without_knowing_that_the_old_page_is_over_no_other_begins(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.fail(EXPIRE, 500)
    with pytest.raises(PaymentUnavailable):
        check_out(learner, now=LATER)
    assert len(stripe_api.sessions) == 1
    assert states(order) == [AttemptState.CLOSING, AttemptState.STARTED]
    stripe_api.lapse(latest_attempt(order).session_id or next(iter(stripe_api.sessions)))
    assert check_out(learner, now=LATER).pay_url
    assert states(order) == [AttemptState.EXPIRED, AttemptState.STARTED]


@pytest.mark.parametrize("status", [429, 500])
def test_a_gateway_that_is_away_costs_nothing_but_a_sentence(
    stripe_api: StripeServer, learner: User, status: int
) -> None:
    stripe_api.fail(SESSIONS, status)
    with pytest.raises(PaymentUnavailable):
        place_order(learner)
    order = Order.objects.get()
    assert (order.state, states(order)) == (OrderState.PENDING, [AttemptState.FAILED])
    assert check_out(learner, now=NOON).order == order
    assert states(order) == [AttemptState.FAILED, AttemptState.STARTED]


def test_a_total_no_gateway_accepts_is_refused(stripe_api: StripeServer, learner: User) -> None:
    stripe_api.fail(SESSIONS, 400, {"type": "invalid_request_error", "code": "amount_too_small", "message": "Least."})
    with pytest.raises(TotalNotPayable, match=r"\$0\.10"):
        place_order(learner, price="0.10")


def test_without_a_gateway_no_order_is_placed(learner: User, settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = []
    with pytest.raises(NoWayToPay):
        place_order(learner)
    assert not Order.objects.exists()


def test_an_order_canceled_during_the_call_gets_no_payment_page(
    stripe_api: StripeServer, learner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = StripeGateway.start

    def start_slowly(gateway: StripeGateway, payment: Any) -> Any:
        cancel_order(order_id=Order.objects.get().pk, now=NOON, reason="by staff")
        return start(gateway, payment)

    monkeypatch.setattr(StripeGateway, "start", start_slowly)
    with pytest.raises(PaymentUnavailable):
        place_order(learner)
    attempt = PaymentAttempt.objects.get()
    assert (attempt.state, bool(attempt.session_id)) == (AttemptState.CLOSING, True)
    end_session(attempt_id=attempt.pk, now=NOON)
    assert stripe_api.sessions[attempt.session_id]["status"] == "expired"


def test_a_window_that_failed_does_not_spoil_the_one_that_did_not(
    stripe_api: StripeServer, learner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = StripeGateway.start

    def fail_elsewhere(gateway: StripeGateway, payment: Any) -> Any:
        PaymentAttempt.objects.update(state=AttemptState.FAILED, settled_at=NOON, ask_at=None, note="timeout")
        return start(gateway, payment)

    monkeypatch.setattr(StripeGateway, "start", fail_elsewhere)
    order = place_order(learner)
    attempt = latest_attempt(order)
    assert (attempt.state, attempt.note, attempt.settled_at) == (AttemptState.STARTED, "", None)


def test_a_changed_cart_ends_the_page_of_the_order_it_replaces(stripe_api: StripeServer, learner: User) -> None:
    first = place_order(learner)
    second = place_order(learner, price="30")
    assert fresh(first).state == OrderState.CANCELED
    assert states(first) == [AttemptState.EXPIRED]
    assert stripe_api.sessions[latest_attempt(first).session_id]["status"] == "expired"
    assert states(second) == [AttemptState.STARTED]


@pytest.mark.parametrize("is_paid", [False, True])
def test_the_page_of_a_course_ends_where_its_program_replaces_it(
    stripe_api: StripeServer, learner: User, *, is_paid: bool
) -> None:
    """The two are different products: with both pages open, the course could be paid twice."""
    owner = BasketOwner(user_id=learner.pk)
    run, other_run = make_run(), make_run()
    course = make_product(run)
    add_products(owner=owner, product_ids=[course.pk], now=NOON)
    first = check_out(learner, now=NOON).order
    if is_paid:
        stripe_api.pay(latest_attempt(first).session_id)
    remove_product(owner=owner, product_id=course.pk, now=NOON)
    add_products(owner=owner, product_ids=[make_program_product(run.course, other_run.course).pk], now=NOON)
    begun = check_out(learner, now=NOON)
    assert (begun.order == first, begun.pay_url is None) == (is_paid, is_paid)
    assert states(first) == [AttemptState.PAID if is_paid else AttemptState.EXPIRED]
    open_pages = [each for each in stripe_api.sessions.values() if each["status"] == "open"]
    assert len(open_pages) == (0 if is_paid else 1)


def test_an_order_that_was_paid_when_it_was_to_be_replaced_counts(stripe_api: StripeServer, learner: User) -> None:
    first = place_order(learner)
    stripe_api.pay(latest_attempt(first).session_id)
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product(price="30").pk], now=NOON)
    begun = check_out(learner, now=NOON)
    assert (begun.order, begun.pay_url) == (first, None)
    assert fresh(first).state == OrderState.FULFILLED
    assert list(Order.objects.exclude(pk=first.pk).values_list("state", flat=True)) == [OrderState.CANCELED]
    assert len(stripe_api.sessions) == 1


def test_checkout_is_refused_while_a_payment_is_in_review(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id, amount_total=24800)
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.REVIEW
    with pytest.raises(PaymentUnderWay, match=order.number):
        check_out(learner, now=LATER)
    assert len(stripe_api.sessions) == 1
    refund_order(order_id=order.pk, choice=RefundChoice(reason="another amount came"), now=LATER, by_id=None)
    assert check_out(learner, now=LATER).pay_url


def test_an_order_in_review_does_not_block_other_purchases(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id, amount_total=24800)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    remove_product(owner=BasketOwner(user_id=learner.pk), product_id=order.lines.get().product_id, now=LATER)
    assert place_order(learner, now=LATER) != order


def test_an_order_of_other_products_does_not_block_checkout(stripe_api: StripeServer, learner: User) -> None:
    first = place_order(learner)
    product_id = first.lines.get().product_id
    stripe_api.fail(EXPIRE, 500)
    remove_product(owner=BasketOwner(user_id=learner.pk), product_id=product_id, now=NOON)
    second = place_order(learner, price="30")
    assert states(first) == [AttemptState.CLOSING]
    assert states(second) == [AttemptState.STARTED]
    stripe_api.failures.clear()
    assert check_due_payments(now=NOON) == 1
    assert states(first) == [AttemptState.EXPIRED]


def test_a_host_with_an_account_of_its_own_is_paid_there(
    stripe_api: StripeServer, learner: User, settings: Any
) -> None:
    settings.STRIPE_ACCOUNTS = {
        **settings.STRIPE_ACCOUNTS,
        "other.example": {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]},
    }
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product(price="30").pk], now=NOON)
    order = check_out(learner, host="other.example").order
    stripe_api.pay(latest_attempt(order).session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    assert {call.headers["Authorization"] for call in stripe_api.calls} == {"Bearer sk_test_other"}
    assert stripe_api.calls[0].params["success_url"].startswith("https://other.example/payment/completed/")
    assert fresh(order).state == OrderState.FULFILLED


@pytest.mark.parametrize("earlier", [False, True])
def test_checkout_keeps_its_budget(
    stripe_api: StripeServer, learner: User, django_assert_num_queries: Any, *, earlier: bool
) -> None:
    add_products(
        owner=BasketOwner(user_id=learner.pk),
        product_ids=[make_product(price="30").pk, make_product(price="40").pk],
        now=NOON,
    )
    if earlier:
        check_out(learner)
        stripe_api.calls.clear()
    with django_assert_num_queries(34 if earlier else 24):
        check_out(learner, now=LATER)
    assert len(stripe_api.calls) == (2 if earlier else 1)


def test_checkout_of_a_contracts_course_keeps_its_budget(
    stripe_api: StripeServer, learner: User, django_assert_num_queries: Any
) -> None:
    run = make_contract_run(make_contract(seats=5, price="49"), codes=5)
    owner = BasketOwner(user_id=learner.pk)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    with django_assert_num_queries(35):
        check_out(learner)
    assert len(stripe_api.calls) == 1


# Confirming


def test_an_order_keeps_its_buyers_name_where_the_gateway_names_no_one(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id, customer_details=None)
    User.objects.filter(pk=learner.pk).update(name="Amara Okafor")
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    User.objects.filter(pk=learner.pk).update(name="Amara Bello")
    assert (fresh(order).billing_name, fresh(order).billing_country) == ("Amara Okafor", "")


def test_a_paid_order_is_fulfilled(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id, total_details={"amount_tax": 900})
    for _time in range(3):
        assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.FULFILLED
    attempt, order = latest_attempt(order), fresh(order)
    assert (attempt.state, attempt.paid_amount, attempt.paid_with) == (AttemptState.PAID, 249, "Visa ending 4242")
    assert attempt.payment_id in stripe_api.payments
    assert attempt.ask_at is None
    assert (order.billing_name, order.billing_city, order.billing_country) == ("Amara Okafor", "Springfield", "US")
    assert order.tax_total == 9
    assert Enrollment.objects.get().user == learner
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_receipt").count() == 1


def test_an_open_page_is_no_payment(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.PENDING
    assert states(order) == [AttemptState.STARTED]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_total": 24800}, "paid 248.00 USD, asked 249.00 USD"),
        ({"amount_total": 25000}, "paid 250.00 USD, asked 249.00 USD"),
        ({"currency": "eur"}, "paid 249.00 EUR, asked 249.00 USD"),
        ({"livemode": True}, "livemode"),
        ({"client_reference_id": str(uuid4()), "metadata": {}}, "reference"),
    ],
)
def test_a_mismatched_payment_goes_to_review_and_enrolls_no_one(
    stripe_api: StripeServer, learner: User, changes: dict[str, Any], reason: str
) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id, **changes)
    for _time in range(2):
        order = confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    assert order.state == OrderState.REVIEW
    assert reason in order.state_reason
    assert not Enrollment.objects.exists()
    money_came = "paid" in reason
    assert states(order) == [AttemptState.PAID if money_came else AttemptState.DOUBTFUL]
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_review").count() == 1


def test_two_pages_both_paid_are_one_order_and_money_to_give_back(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    check_out(learner, now=LATER)
    stripe_api.sessions[old.session_id]["status"] = "open"  # as if ending it had come too late
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.pay(old.session_id)
    for attempt in (latest_attempt(order), old, old, latest_attempt(order)):
        assert confirm_attempt(attempt_id=attempt.pk, now=LATER).state == OrderState.FULFILLED
    old.refresh_from_db()
    assert (old.state, old.is_surplus, old.paid_amount) == (AttemptState.PAID, True, 249)
    assert [refund.state for refund in old.refunds.all()] == [RefundState.MARKED]
    assert not latest_attempt(order).is_surplus
    assert Enrollment.objects.count() == 1


def test_a_second_payment_of_another_amount_goes_back_as_well(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    check_out(learner, now=LATER)
    stripe_api.sessions[old.session_id]["status"] = "open"
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.pay(old.session_id, amount_total=10000)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=LATER)
    assert confirm_attempt(attempt_id=old.pk, now=LATER).state == OrderState.FULFILLED
    old.refresh_from_db()
    assert (old.is_surplus, old.paid_amount, old.refunds.get().amount) == (True, 100, 100)


def test_the_end_of_an_old_page_touches_no_paid_order(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    PaymentAttempt.objects.filter(pk=old.pk).update(state=AttemptState.CLOSING)  # ending it is still to be done
    check_out(learner, now=LATER)
    new = latest_attempt(order)
    stripe_api.pay(new.session_id)
    confirm_attempt(attempt_id=new.pk, now=LATER)
    stripe_api.lapse(old.session_id)
    confirm_attempt(attempt_id=old.pk, now=LATER)
    assert fresh(order).state == OrderState.FULFILLED
    assert states(order) == [AttemptState.EXPIRED, AttemptState.PAID]


def test_once_it_is_paid_the_other_page_is_ended(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    stripe_api.fail(EXPIRE, 500)
    with pytest.raises(PaymentUnavailable):
        check_out(learner, now=LATER)
    stripe_api.pay(old.session_id)
    confirm_attempt(attempt_id=old.pk, now=LATER)
    assert fresh(order).state == OrderState.FULFILLED
    assert states(order) == [AttemptState.PAID, AttemptState.FAILED]


def test_a_bank_that_says_yes_days_later(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.PENDING
    assert payment_standing(fresh(order)) == PaymentStanding.PROCESSING
    days_later = NOON + timedelta(days=3)
    assert release_lapsed_orders(now=days_later) == 0
    stripe_api.bank_says(session_id, yes=True)
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=days_later).state == OrderState.FULFILLED


def test_a_bank_that_says_no_days_later_frees_everything_and_the_buyer_hears_of_it(
    stripe_api: StripeServer, learner: User
) -> None:
    code = make_code(make_discount(amount="50"), max_uses=1)
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product(price="100").pk], now=NOON)
    apply_code(owner=BasketOwner(user_id=learner.pk), text=code.text, user_id=learner.pk, now=NOON)
    order = check_out(learner).order
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    stripe_api.bank_says(session_id, yes=False)
    for _time in range(2):
        order = confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON + timedelta(days=3))
    assert (order.state, states(order)) == (OrderState.DECLINED, [AttemptState.DECLINED])
    assert CodeUse.objects.get().state == UseState.RELEASED
    delivery = Delivery.objects.get(handler="ecommerce.receivers.email_payment_failed")
    run_delivery(delivery_id=delivery.pk, now=clock.now())
    (sent,) = mail.outbox
    assert sent.to == [learner.email]
    assert sent.subject == f"Your payment for order {order.number} didn’t go through"
    assert order.lines.get().title in sent.body
    assert "You weren’t charged" in sent.body


def test_money_for_a_declined_order_still_buys_it(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    stripe_api.bank_says(session_id, yes=False)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    stripe_api.bank_says(session_id, yes=True)
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.FULFILLED


def test_money_after_the_hold_buys_what_is_still_there(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)  # and no one told us
    assert release_lapsed_orders(now=NOON + timedelta(hours=1)) == 1
    assert states(order) == [AttemptState.CLOSING]
    assert check_due_payments(now=NOON + timedelta(hours=1)) == 1
    assert fresh(order).state == OrderState.FULFILLED
    assert states(order) == [AttemptState.PAID]


def test_money_after_fulfillment_by_staff_pays_the_order(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    fresh(order).move(OrderState.FULFILLED, at=NOON)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    attempt = latest_attempt(order)
    assert (attempt.state, attempt.is_surplus) == (AttemptState.PAID, False)


def test_an_interrupted_fulfillment_is_finished_by_the_sweep(
    stripe_api: StripeServer, learner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    with monkeypatch.context() as broken:
        broken.setattr(payments, "fulfill_or_review", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    assert payment_standing(fresh(order)) == PaymentStanding.RECEIVED
    assert finish_interrupted(now=NOON + timedelta(minutes=3)) == 1
    assert fresh(order).state == OrderState.FULFILLED


def test_an_interrupted_late_payment_is_finished_by_the_sweep(
    stripe_api: StripeServer, learner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    release_lapsed_orders(now=NOON + timedelta(hours=1))
    with monkeypatch.context() as broken:
        broken.setattr(payments, "fulfill_or_review", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON + timedelta(hours=1))
    assert finish_interrupted(now=NOON + timedelta(hours=2)) == 1
    assert fresh(order).state == OrderState.FULFILLED


def test_an_order_being_paid_is_not_canceled_by_hand(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay_later(latest_attempt(order).session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    with pytest.raises(PaymentUnderWay):
        cancel_order(order_id=order.pk, now=NOON, reason="by staff")


def test_a_gateway_is_never_called_with_rows_locked(stripe_api: StripeServer, learner: User) -> None:

    attempt = latest_attempt(place_order(learner))
    with transaction.atomic(), pytest.raises(RuntimeError):
        confirm_attempt(attempt_id=attempt.pk, now=NOON)
    with transaction.atomic(), pytest.raises(RuntimeError):
        end_session(attempt_id=attempt.pk, now=NOON)


def test_finance_asks_about_all_tries_of_an_order(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    old = latest_attempt(order)
    check_out(learner, now=LATER)
    stripe_api.sessions[old.session_id]["status"] = "open"
    stripe_api.pay(old.session_id)
    assert check_order(order_id=order.pk, now=LATER).state == OrderState.FULFILLED


def test_one_try_that_can_not_be_asked_about_hides_no_other(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    check_out(learner, now=LATER)
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.fail("/sessions/", 404, {"type": "invalid_request_error", "code": "resource_missing"})
    with pytest.raises(PaymentFailed):
        check_order(order_id=order.pk, now=LATER)
    assert fresh(order).state == OrderState.FULFILLED


# No one told us


def test_a_payment_without_a_notice_is_found_by_the_sweep(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    assert check_due_payments(now=NOON + timedelta(minutes=4)) == 0
    assert check_due_payments(now=NOON + timedelta(minutes=6)) == 1
    assert fresh(order).state == OrderState.FULFILLED
    assert check_due_payments(now=NOON + timedelta(days=1)) == 0


def test_the_gateway_is_asked_ever_less_often_and_once_after_the_page_expires(
    stripe_api: StripeServer, learner: User
) -> None:
    order = place_order(learner)
    asked = []
    for minute in range(1, 100):
        if check_due_payments(now=NOON + timedelta(minutes=minute)):
            asked.append(minute)
    assert asked == [5, 15, 34, 74]
    assert latest_attempt(order).asked == 4


def test_a_dead_page_is_closed_before_its_hold_ends(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.lapse(latest_attempt(order).session_id)
    check_due_payments(now=NOON + timedelta(minutes=35))
    assert states(order) == [AttemptState.EXPIRED]
    assert release_lapsed_orders(now=NOON + timedelta(minutes=46)) == 1
    stripe_api.calls.clear()
    assert check_due_payments(now=NOON + timedelta(days=1)) == 0
    assert not stripe_api.calls


def test_a_gateway_that_does_not_answer_is_left_alone_until_the_next_run(stripe_api: StripeServer) -> None:
    for _each in range(5):
        place_order(make_user())
    stripe_api.calls.clear()
    for _each in range(5):
        stripe_api.fail("/sessions/", 500)
    assert check_due_payments(now=NOON + timedelta(minutes=6)) == 3
    assert len(stripe_api.calls) == 3


def test_one_payment_that_cannot_be_settled_does_not_block_others(stripe_api: StripeServer) -> None:
    orders = [place_order(make_user()) for _each in range(2)]
    for order in orders:
        stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.fail("/sessions/", 404, {"type": "invalid_request_error", "code": "resource_missing"})
    assert check_due_payments(now=NOON + timedelta(minutes=6)) == 2
    assert {fresh(order).state for order in orders} == {OrderState.PENDING, OrderState.FULFILLED}


def test_payments_the_gateway_knows_no_more_hide_no_other(stripe_api: StripeServer) -> None:
    for _each in range(4):  # an account that was left behind, for example
        del stripe_api.sessions[latest_attempt(place_order(make_user())).session_id]
    orders = [place_order(make_user()) for _each in range(2)]
    for order in orders:
        stripe_api.pay(latest_attempt(order).session_id)
    assert check_due_payments(now=NOON + timedelta(minutes=6), limit=5) == 5
    assert [fresh(order).state for order in orders] == [OrderState.FULFILLED, OrderState.PENDING]
    assert "fulfilled" in resolve()[0]
    assert fresh(orders[1]).state == OrderState.FULFILLED


def test_a_payment_the_gateway_knows_no_more_is_not_asked_about_for_ever(
    stripe_api: StripeServer, learner: User
) -> None:
    order = place_order(learner)
    stripe_api.sessions.clear()
    check_due_payments(now=NOON + timedelta(hours=24))
    assert states(order) == [AttemptState.STARTED]
    check_due_payments(now=NOON + timedelta(hours=26))
    assert states(order) == [AttemptState.FAILED]
    assert release_lapsed_orders(now=NOON + timedelta(hours=26)) == 1
    stripe_api.calls.clear()
    check_due_payments(now=NOON + timedelta(days=9))
    assert not stripe_api.calls


def test_awaited_money_the_gateway_forgot_goes_to_review(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    sessions = dict(stripe_api.sessions)
    stripe_api.pay_later(latest_attempt(order).session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    stripe_api.sessions.clear()
    check_due_payments(now=NOON + timedelta(days=2))
    assert (states(order), fresh(order).state) == ([AttemptState.DOUBTFUL], OrderState.REVIEW)
    stripe_api.sessions.update(sessions)
    stripe_api.bank_says(latest_attempt(order).session_id, yes=True)
    assert (
        confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON + timedelta(days=3)).state == OrderState.FULFILLED
    )


@pytest.mark.parametrize("account", ["gone", "stripe"])
def test_a_silent_account_keeps_no_other_waiting(stripe_api: StripeServer, account: str, settings: Any) -> None:
    for _each in range(4):
        place_order(make_user())
    if account == "gone":
        PaymentAttempt.objects.update(gateway="gone")
    else:
        settings.STRIPE_ACCOUNTS = {**settings.STRIPE_ACCOUNTS, "other.example": settings.STRIPE_ACCOUNTS[""]}
        PaymentAttempt.objects.update(account="other.example")
        for _each in range(3):
            stripe_api.fail("/sessions/", 401, {"type": "invalid_request_error"})
    order = place_order(make_user())
    stripe_api.pay(latest_attempt(order).session_id)
    assert check_due_payments(now=NOON + timedelta(minutes=6)) == 4
    assert fresh(order).state == OrderState.FULFILLED


def test_a_call_that_was_interrupted_leaves_no_try_open_for_ever(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    PaymentAttempt.objects.update(session_id="", pay_url="")
    assert end_unstarted_attempts(now=NOON + timedelta(seconds=80)) == 0
    assert end_unstarted_attempts(now=NOON + timedelta(seconds=100)) == 1
    assert states(order) == [AttemptState.FAILED]
    assert check_out(learner, now=NOON + timedelta(seconds=100)).pay_url


def resolve(**options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("resolve_pending_orders", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_command_settles_what_the_gateway_says(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    stripe_api.pay(latest_attempt(order).session_id)
    shown, said = resolve(dry_run=True)
    assert order.number in shown
    assert "paid" in shown
    assert said == "Asked about 1 payment. Nothing was changed.\n"
    assert fresh(order).state == OrderState.PENDING
    shown, said = resolve()
    assert (order.number in shown, "fulfilled" in shown, said) == (True, True, "Asked about 1 payment.\n")
    assert fresh(order).state == OrderState.FULFILLED
    assert resolve() == ("", "Every payment is settled.\n")


def test_the_command_leaves_alone_what_has_just_begun(stripe_api: StripeServer, learner: User) -> None:
    place_order(learner, now=NOON)
    assert resolve(older_than=60 * 24 * 365 * 50)[1] == "Every payment is settled.\n"


def test_the_command_says_where_the_gateway_says_nothing(stripe_api: StripeServer, learner: User) -> None:
    place_order(learner)
    stripe_api.fail("/sessions/", 500)
    shown, said = resolve()
    assert "no definite answer" in shown
    assert said == "Asked about 1 payment. 1 couldn’t be settled: see the last column.\n"


def test_a_removed_gateway_is_reported(stripe_api: StripeServer, learner: User, settings: Any) -> None:
    attempt = latest_attempt(place_order(learner))
    settings.PAYMENT_GATEWAYS = []
    with pytest.raises(PaymentFailed, match="no gateway stripe here"):
        confirm_attempt(attempt_id=attempt.pk, now=NOON)
    assert "no gateway stripe here" in resolve()[0]


def test_the_review_e_mail_is_sent_once(stripe_api: StripeServer, learner: User) -> None:
    order = place_order(learner)
    for cause in (ReviewCause.AMOUNT_DIFFERS, ReviewCause.IN_DOUBT):
        with transaction.atomic():
            send_to_review(Order.objects.locked().get(pk=order.pk), cause=cause, detail="livemode", now=NOON)
    order.refresh_from_db()
    assert order.review_cause == ReviewCause.IN_DOUBT
    assert order.explanation == "The payment is in doubt: livemode"
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_review").count() == 1
