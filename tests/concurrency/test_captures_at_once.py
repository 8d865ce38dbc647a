"""Money that we take is taken once, and never for an order whose buyer went on to another page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Order, PaymentAttempt
from ecommerce.services.checkout.giving_up import give_up_payment
from ecommerce.services.payment import payments
from ecommerce.services.payment.payments import confirm_attempt
from tests.ecommerce.paying import latest_attempt, place_order
from tests.factories import NOON
from tests.support.paypal import PayPalServer
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def approved(server: PayPalServer) -> Order:
    order = place_order()
    server.approve(latest_attempt(order).session_id)
    return order


def confirming(order: Order) -> Callable[[], Any]:
    attempt_id = latest_attempt(order).pk
    return lambda: confirm_attempt(attempt_id=attempt_id, now=NOON)


def leaving(order: Order) -> Callable[[], Any]:
    attempt_id = latest_attempt(order).pk
    return lambda: give_up_payment(attempt_id=attempt_id, now=NOON)


def test_of_ten_who_see_the_approval_one_takes_the_money(paypal_api: PayPalServer, together: Together) -> None:
    order = approved(paypal_api)
    answers = together(*[confirming(order)] * 10)
    assert not [each for each in answers if isinstance(each, BaseException)]
    assert len(paypal_api.calls_to("/capture$")) == 1
    assert Order.objects.get(pk=order.pk).state == OrderState.FULFILLED
    assert latest_attempt(order).state == AttemptState.PAID


def test_without_the_claim_two_would_ask_for_it(
    paypal_api: PayPalServer, together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whoever has seen the approval takes the money."""
    monkeypatch.setattr(payments, "_begin_capture", lambda *_args, **_kwargs: True)
    order = approved(paypal_api)
    meeting = meet_at(payments, "_capture", parties=2, before=True, patience=20.0)
    together(*[confirming(order)] * 2)
    assert meeting.happened
    assert len(paypal_api.calls_to("/capture$")) == 2  # if this fails, the test above proves nothing


def test_leaving_and_taking_at_once_end_in_one_of_both(paypal_api: PayPalServer, together: Together) -> None:
    for _time in range(5):
        order = approved(paypal_api)
        before = len(paypal_api.captures)
        together(confirming(order), leaving(order))
        order.refresh_from_db()
        taken = len(paypal_api.captures) - before
        assert (order.state, taken) in [(OrderState.FULFILLED, 1), (OrderState.CANCELED, 0)]


def test_a_claim_whose_process_died_is_taken_up_when_its_time_is_over(paypal_api: PayPalServer) -> None:
    order = approved(paypal_api)
    attempt = latest_attempt(order)
    until = NOON + timedelta(seconds=90)
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state=AttemptState.PROCESSING, capture_until=until)
    confirm_attempt(attempt_id=attempt.pk, now=until - timedelta(seconds=1))
    assert paypal_api.captures == {}
    confirm_attempt(attempt_id=attempt.pk, now=until)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.capture_until, len(paypal_api.captures)) == (AttemptState.PAID, None, 1)
