"""The return page, notices and sweep at once, and checkout in many windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import GatewayNotice, Order, PaymentAttempt, Refund
from ecommerce.services.orders import fulfillment
from ecommerce.services.payment import payments
from ecommerce.services.payment.notices import process_notice
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.payment.pending import check_due_payments
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.db import LockableQuerySet
from tests.ecommerce.paying import check_out, completed_event, latest_attempt, place_order, post_event
from tests.factories import NOON, make_user
from tests.support.stripe import StripeServer
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOON + timedelta(minutes=11)


def receipts(order: Order) -> int:
    return Delivery.objects.filter(handler="ecommerce.receivers.email_receipt", payload__order_id=order.pk).count()


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def confirming(order: Order) -> Callable[[], Any]:
    attempt_id = latest_attempt(order).pk
    return lambda: confirm_attempt(attempt_id=attempt_id, now=NOON)


def test_fifty_at_once_are_one_notice_and_one_delivery(stripe_api: StripeServer, together: Together) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    body = completed_event(stripe_api, order)
    answers = together(*[lambda: post_event(body).status_code] * 50)
    assert Counter(answers) == {200: 50}
    assert GatewayNotice.objects.count() == 1
    assert Delivery.objects.filter(handler="ecommerce.receivers.process_received_notice").count() == 1


def test_fifty_who_confirm_at_once_fulfill_once(stripe_api: StripeServer, together: Together) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    post_event(completed_event(stripe_api, order))
    notice_id = GatewayNotice.objects.get().pk

    def processing() -> object:
        return process_notice(notice_id=notice_id, now=NOON)

    def sweeping() -> object:
        return check_due_payments(now=NOON + timedelta(minutes=6))

    answers = together(*[confirming(order)] * 25, *[processing] * 20, *[sweeping] * 5)
    assert not [each for each in answers if isinstance(each, BaseException)]
    assert fresh(order).state == OrderState.FULFILLED
    assert receipts(order) == Enrollment.objects.count() == 1
    assert not Refund.objects.exists()


def test_without_the_lock_they_would_fulfill_twice(
    stripe_api: StripeServer, together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: all have read the order before anyone writes it, and no one waits for the learner's lock."""
    monkeypatch.setattr(LockableQuerySet, "locked", lambda rows: rows.order_by("pk"))
    monkeypatch.setattr(fulfillment, "lock_courses_of", lambda _user_id: None)
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    meeting = meet_at(payments, "_apply_payment_notice", parties=4, before=True, patience=20.0)
    together(*[confirming(order)] * 4)
    assert meeting.happened
    assert receipts(order) > 1  # if this fails, the test above proves nothing


def test_two_pages_paid_at_once_fulfill_one_order(stripe_api: StripeServer, together: Together) -> None:
    user = make_user()
    order = place_order(user)
    old = latest_attempt(order)
    check_out(user, now=LATER)
    stripe_api.sessions[old.session_id]["status"] = "open"  # as if ending it had come too late
    new = latest_attempt(order)
    for attempt in (old, new):
        stripe_api.pay(attempt.session_id)
    answers = together(
        *[lambda: confirm_attempt(attempt_id=old.pk, now=LATER), lambda: confirm_attempt(attempt_id=new.pk, now=LATER)]
        * 8
    )
    assert not [each for each in answers if isinstance(each, BaseException)]
    assert fresh(order).state == OrderState.FULFILLED
    assert sorted(order.attempts.values_list("state", "is_surplus")) == [("paid", False), ("paid", True)]
    assert Refund.objects.count() == receipts(order) == Enrollment.objects.count() == 1


def test_the_button_in_many_windows_is_one_order_and_one_page(stripe_api: StripeServer, together: Together) -> None:
    user = make_user()
    order = place_order(user)
    answers = together(*[lambda: check_out(user, now=NOON)] * 12)
    assert {each.order.pk for each in answers} == {order.pk}
    assert len({each.pay_url for each in answers}) == len(stripe_api.sessions) == 1


def test_the_first_press_in_many_windows_is_one_page(stripe_api: StripeServer, together: Together) -> None:
    user = make_user()
    order = place_order(user)
    PaymentAttempt.objects.update(session_id="", pay_url="")  # as if none had heard from the gateway yet
    answers = together(*[lambda: check_out(user, now=NOON)] * 12)
    assert len({each.pay_url for each in answers}) == len(stripe_api.sessions) == 1
    assert [attempt.state for attempt in order.attempts.all()] == [AttemptState.STARTED]


def test_an_old_page_canceled_in_many_windows_gets_one_successor(stripe_api: StripeServer, together: Together) -> None:
    user = make_user()
    order = place_order(user)
    answers = together(*[lambda: check_out(user, now=LATER)] * 8)
    assert len({each.pay_url for each in answers}) == 1
    assert [each["status"] for each in stripe_api.sessions.values()] == ["expired", "open"]
    assert sorted(order.attempts.values_list("state", flat=True)) == ["expired", "started"]


def test_paid_in_the_moment_it_is_given_up_is_paid_once(stripe_api: StripeServer, together: Together) -> None:
    for _time in range(5):
        user = make_user()
        order = place_order(user)
        old = latest_attempt(order)

        def paying(session_id: str = old.session_id) -> object:
            return stripe_api.pay_if_open(session_id)

        def pressing(learner: Any = user) -> object:
            return check_out(learner, now=LATER)

        together(paying, pressing)
        check_due_payments(now=LATER)
        assert stripe_api.paid_sessions(order.number) <= 1
        order = fresh(order)
        assert order.is_fulfilled == bool(stripe_api.paid_sessions(order.number))


def test_two_workers_who_ask_do_not_ask_twice(stripe_api: StripeServer, together: Together) -> None:
    for _each in range(4):
        place_order(make_user())
    stripe_api.calls.clear()
    asked = together(*[lambda: check_due_payments(now=NOON + timedelta(minutes=6))] * 4)
    assert sum(asked) == len(stripe_api.calls) == 4
