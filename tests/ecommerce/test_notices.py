"""Notices are stored first, answered at once, and processed in any order and any number of times."""

from __future__ import annotations

import itertools
import json
import time
from datetime import timedelta
from io import BytesIO
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission
from django.db import DataError, OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from wagtail.models import ModelLogEntry

from courses.models import Enrollment
from ecommerce.enums import AttemptState, NoticeState, OrderState, RefundState
from ecommerce.gateways.base import PaymentFailed
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.models import Dispute, GatewayNotice, Order, PaymentAttempt, Refund
from ecommerce.services.payment.notices import forget_notices, process_notice
from ecommerce.webhooks import webhook
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from tests.ecommerce.paying import check_out, completed_event, deliver_event, latest_attempt, place_order, post_event
from tests.factories import NOON, make_user
from tests.support.stripe import StripeServer, sign

pytestmark = pytest.mark.django_db

HANDLER = "ecommerce.receivers.process_received_notice"


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


# At the door


@pytest.mark.parametrize(
    "address", ["/payment/webhook/", "/payment/stripe/webhook/", "/payment/webhook", "/payment/stripe/webhook"]
)
def test_a_notice_is_kept_once_and_answered_before_anything_is_done(
    stripe_api: StripeServer, django_assert_num_queries: Any, address: str
) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    stripe_api.calls.clear()
    body = completed_event(stripe_api, order)
    with django_assert_num_queries(7):  # found, kept and its delivery recorded, with their savepoints
        assert post_event(body, address=address).status_code == 200
    with django_assert_num_queries(3):
        assert post_event(body, address=address).status_code == 200
    notice = GatewayNotice.objects.get()
    assert (notice.state, notice.kind) == (NoticeState.RECEIVED, "checkout.session.completed")
    assert notice.body == body.decode()
    assert Delivery.objects.filter(handler=HANDLER).count() == 1
    assert not stripe_api.calls
    assert fresh(order).state == OrderState.PENDING


def test_the_webhook_needs_and_sets_no_session_or_csrf_token(stripe_api: StripeServer) -> None:
    client = Client(enforce_csrf_checks=True)
    response = post_event(stripe_api.event("customer.created", {}), client=client)
    assert response.status_code == 200
    assert not client.cookies
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("method", ["get", "put", "delete", "head"])
def test_the_webhook_accepts_only_post(stripe_api: StripeServer, client: Client, method: str) -> None:
    assert getattr(client, method)("/payment/webhook/").status_code == 405


@pytest.mark.parametrize("gateway", ["sandbox", "paypal", "stripe2"])
def test_a_gateway_we_do_not_have_is_not_found(stripe_api: StripeServer, client: Client, gateway: str) -> None:
    assert client.post(f"/payment/{gateway}/webhook/", b"{}", content_type="application/json").status_code == 404


def test_without_stripe_there_is_no_such_address(client: Client) -> None:
    assert client.post("/payment/webhook/", b"{}", content_type="application/json").status_code == 404


THIN = json.dumps(
    {"id": "evt_thin_1", "object": "v2.core.event", "type": "v2.core.account[configuration.merchant].updated"}
).encode()
NESTED = (
    b'{"id": "evt_deep", "object": "event", "type": "customer.created", "data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
)


@pytest.mark.parametrize(
    ("body", "kind", "state"),
    [
        (THIN, "v2.core.account[configuration.merchant].updated", NoticeState.KEPT),
        (NESTED, "unreadable", NoticeState.UNKNOWN),
        (b"{}", "unreadable", NoticeState.UNKNOWN),
        (b"not json", "unreadable", NoticeState.UNKNOWN),
        (b"[1]", "unreadable", NoticeState.UNKNOWN),
        (b"null", "unreadable", NoticeState.UNKNOWN),
        (b'{"id": 7, "object": "event", "type": "a\x00b"}', "unreadable", NoticeState.UNKNOWN),
        (b'{"id": "evt_\\u0000", "object": "event", "type": "A"}', "unreadable", NoticeState.UNKNOWN),
    ],
    ids=["thin", "nested", "empty", "text", "list", "null", "NUL", "escaped NUL"],
)
def test_any_signed_notice_is_stored_once(
    stripe_api: StripeServer, caplog: pytest.LogCaptureFixture, body: bytes, kind: str, state: NoticeState
) -> None:
    for _time in range(2):
        assert post_event(body).status_code == 200
    notice = GatewayNotice.objects.get()
    assert (notice.kind, "\0" in notice.body) == (kind, False)
    assert run_delivery(delivery_id=Delivery.objects.get(handler=HANDLER).pk, now=clock.now())
    notice.refresh_from_db()
    assert notice.state == state
    assert Delivery.objects.get(handler=HANDLER).state == DeliveryState.DONE
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


def test_two_unreadable_notices_are_two(stripe_api: StripeServer) -> None:
    for body in (b"[1]", b"[2]", b"[1]"):
        assert post_event(body).status_code == 200
    assert GatewayNotice.objects.count() == 2


def test_a_notice_that_is_not_text_is_rejected(stripe_api: StripeServer, client: Client) -> None:
    headers = {"Stripe-Signature": "t=1,v1=00"}
    response = client.post("/payment/webhook/", b"\xff\xfe\x00", content_type="text/plain", headers=headers)
    assert response.status_code == 400
    assert not GatewayNotice.objects.exists()


@pytest.mark.parametrize("size", [1000, 10])
def test_a_body_in_chunks_is_read_up_to_the_limit(stripe_api: StripeServer, settings: Any, size: int) -> None:
    body = stripe_api.event("customer.created", {"id": "x"})
    settings.NOTICE_MAX_BYTES = size
    request = RequestFactory().post("/payment/webhook/", b"", content_type="application/json", headers=sign(body))
    request.META |= {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input": BytesIO(body)}
    assert webhook(request).status_code == (200 if size == 1000 else 400)
    assert GatewayNotice.objects.count() == (1 if size == 1000 else 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=1,v1=00"},
        {"Stripe-Signature": "nonsense"},
    ],
)
def test_unsigned_notices_are_rejected(stripe_api: StripeServer, client: Client, headers: Any) -> None:
    body = completed_event(stripe_api, place_order())
    assert client.post("/payment/webhook/", body, content_type="text/plain", headers=headers).status_code == 400
    assert not GatewayNotice.objects.exists()


def test_notices_signed_with_another_secret_or_long_ago_are_rejected(stripe_api: StripeServer, client: Client) -> None:
    body = completed_event(stripe_api, place_order())
    for headers in (sign(body, secret="whsec_other"), sign(body, at=int(time.time()) - 3600)):
        assert client.post("/payment/webhook/", body, content_type="text/plain", headers=headers).status_code == 400
    assert not GatewayNotice.objects.exists()


def test_oversized_notices_are_rejected(stripe_api: StripeServer, client: Client, settings: Any) -> None:
    settings.NOTICE_MAX_BYTES = 1000
    body = stripe_api.event("customer.created", {"name": "x" * 1000})
    assert post_event(body).status_code == 400
    assert not GatewayNotice.objects.exists()


def test_a_secret_that_follows_another(stripe_api: StripeServer, settings: Any) -> None:
    settings.STRIPE_ACCOUNTS = {
        "": {"secret_key": "sk_test_x", "webhook_secrets": ["whsec_next", "whsec_of_the_tests"]}
    }
    assert post_event(stripe_api.event("customer.created", {})).status_code == 200


def test_a_notice_for_a_host_of_its_own(stripe_api: StripeServer, client: Client, settings: Any) -> None:
    settings.STRIPE_ACCOUNTS = {
        **settings.STRIPE_ACCOUNTS,
        "other.example": {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]},
    }
    body = stripe_api.event("customer.created", {})
    for host, secret, status in [
        ("other.example", "whsec_other", 200),
        ("other.example", "whsec_of_the_tests", 400),
        ("testserver", "whsec_other", 400),
    ]:
        headers = {**sign(body, secret=secret), "Host": host}
        response = client.post("/payment/webhook/", body, content_type="text/plain", headers=headers)
        assert response.status_code == status
    assert GatewayNotice.objects.get().account == "other.example"


# What is done


def test_paid_is_fulfilled(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    notice = deliver_event(completed_event(stripe_api, order))
    assert (notice.state, notice.order, notice.error) == (NoticeState.DONE, order, "")
    assert fresh(order).state == OrderState.FULFILLED


def test_a_notice_is_never_trusted_without_asking_the_gateway(stripe_api: StripeServer) -> None:
    order = place_order()
    claimed = {**stripe_api.sessions[latest_attempt(order).session_id], "status": "complete", "payment_status": "paid"}
    assert deliver_event(stripe_api.event("checkout.session.completed", claimed)).state == NoticeState.DONE
    assert fresh(order).state == OrderState.PENDING


def test_complete_and_unpaid_waits_for_the_bank(stripe_api: StripeServer) -> None:
    order = place_order()
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    deliver_event(completed_event(stripe_api, order))
    assert (fresh(order).state, latest_attempt(order).state) == (OrderState.PENDING, AttemptState.PROCESSING)
    stripe_api.bank_says(session_id, yes=True)
    deliver_event(completed_event(stripe_api, order, "async_payment_succeeded"))
    assert fresh(order).state == OrderState.FULFILLED


def test_a_bank_that_declines_ends_the_order(stripe_api: StripeServer) -> None:
    order = place_order()
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    deliver_event(completed_event(stripe_api, order))
    stripe_api.bank_says(session_id, yes=False)
    deliver_event(completed_event(stripe_api, order, "async_payment_failed"))
    assert (fresh(order).state, latest_attempt(order).state) == (OrderState.DECLINED, AttemptState.DECLINED)


def test_the_end_of_a_page_closes_its_try_and_leaves_the_order_its_hold(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.lapse(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order, "expired"))
    assert (fresh(order).state, latest_attempt(order).state) == (OrderState.PENDING, AttemptState.EXPIRED)


def test_a_late_end_of_an_old_page_touches_no_paid_order(stripe_api: StripeServer) -> None:
    user = make_user()
    order = place_order(user)
    old = latest_attempt(order)
    check_out(user, now=NOON + timedelta(minutes=11))
    stripe_api.pay(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order))
    notice = deliver_event(stripe_api.event("checkout.session.expired", stripe_api.sessions[old.session_id]))
    assert notice.state == NoticeState.DONE
    assert fresh(order).state == OrderState.FULFILLED


@pytest.mark.parametrize(
    "changes",
    [{"livemode": True}, {"id": "cs_test_another"}, {"metadata": {"attempt": "00000000-0000-4000-8000-000000000000"}}],
)
def test_a_notice_of_mismatched_money_goes_to_review(stripe_api: StripeServer, changes: dict[str, Any]) -> None:
    order = place_order()
    told = {
        **stripe_api.sessions[latest_attempt(order).session_id],
        "status": "complete",
        "payment_status": "paid",
        **changes,
    }
    for number in range(2):
        deliver_event(stripe_api.event("checkout.session.completed", told, event_id=f"evt_doubt_{number}"))
    assert (fresh(order).state, latest_attempt(order).state) == (OrderState.REVIEW, AttemptState.DOUBTFUL)
    assert not Enrollment.objects.exists()
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_review").count() == 1


def test_an_order_in_doubt_is_still_bought_by_real_money(stripe_api: StripeServer) -> None:
    order = place_order()
    session = stripe_api.sessions[latest_attempt(order).session_id]
    deliver_event(
        stripe_api.event(
            "checkout.session.completed", {**session, "status": "complete", "payment_status": "paid", "livemode": True}
        )
    )
    stripe_api.pay(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order))
    assert fresh(order).state == OrderState.FULFILLED


def test_a_payment_we_never_asked_for_is_kept(stripe_api: StripeServer) -> None:
    stranger = {
        "id": "cs_test_9",
        "object": "checkout.session",
        "mode": "payment",
        "status": "expired",
        "livemode": False,
    }
    notice = deliver_event(stripe_api.event("checkout.session.expired", stranger))
    assert (notice.state, notice.order) == (NoticeState.UNKNOWN, None)
    refund = {"id": "re_9", "amount": 1, "currency": "usd", "status": "succeeded", "payment_intent": "pi_stranger"}
    assert deliver_event(stripe_api.event("refund.created", refund)).state == NoticeState.UNKNOWN


@pytest.mark.parametrize("kind", ["payment_intent.payment_failed", "customer.created", "something.brand.new"])
def test_unrelated_notices_are_stored(stripe_api: StripeServer, kind: str) -> None:
    assert deliver_event(stripe_api.event(kind, {"id": "x"})).state == NoticeState.KEPT


def test_a_try_that_was_interrupted_before_it_knew_its_session_is_found(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    body = completed_event(stripe_api, order)
    PaymentAttempt.objects.update(session_id="", pay_url="", state=AttemptState.FAILED, ask_at=None)
    deliver_event(body)
    assert fresh(order).state == OrderState.FULFILLED


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refunded"])
def test_a_refund_made_in_the_dashboard_appears_here(stripe_api: StripeServer, kind: str) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order))
    payment_id = latest_attempt(order).payment_id
    refund = stripe_api.refund_in_dashboard(payment_id, 24900)
    told = stripe_api.payments[payment_id]["latest_charge"] if kind == "charge.refunded" else refund
    for number in range(2):
        notice = deliver_event(stripe_api.event(kind, told, event_id=f"evt_again_{number}"))
        assert (notice.state, notice.order) == (NoticeState.DONE, order)
    assert fresh(order).state == OrderState.REFUNDED
    assert Refund.objects.get().state == RefundState.SUCCEEDED


def test_a_dispute_is_recorded_from_opening_to_end(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    deliver_event(completed_event(stripe_api, order))
    payment_id = latest_attempt(order).payment_id
    opened = json.loads(json.dumps(stripe_api.dispute(payment_id)))
    closed = stripe_api.dispute(payment_id, "lost")
    deliver_event(stripe_api.event("charge.dispute.closed", closed))
    deliver_event(stripe_api.event("charge.dispute.created", opened))  # late: what is true now is asked
    assert Dispute.objects.get().state == "lost"


# Any order, any number of times


@pytest.mark.parametrize("seed", range(12))
def test_each_event_twice_and_in_any_order_ends_the_same(stripe_api: StripeServer, seed: int) -> None:
    order = place_order()
    session_id = latest_attempt(order).session_id
    stripe_api.pay_later(session_id)
    unpaid = completed_event(stripe_api, order)
    stripe_api.bank_says(session_id, yes=True)
    payment_id = stripe_api.sessions[session_id]["payment_intent"]
    paid = completed_event(stripe_api, order, "async_payment_succeeded")
    pending = json.loads(json.dumps(stripe_api.refund_in_dashboard(payment_id, 10000, status="pending")))
    refund = stripe_api.refunds[pending["id"]]
    refund["status"] = "succeeded"
    dispute = stripe_api.dispute(payment_id, "won", 2)
    events = [
        unpaid,
        paid,
        stripe_api.event("refund.created", pending),
        stripe_api.event("refund.updated", refund),
        stripe_api.event("charge.refunded", stripe_api.payments[payment_id]["latest_charge"]),
        stripe_api.event("charge.dispute.closed", dispute),
    ]
    for event in Random(seed).sample(events * 2, k=12):  # noqa: S311 - a shuffle that can be repeated
        deliver_event(event)
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert [(each.state, each.amount) for each in order.refunds.all()] == [(RefundState.SUCCEEDED, 100)]
    assert [each.state for each in Dispute.objects.filter(order=order)] == ["won"]
    assert GatewayNotice.objects.filter(body__contains=session_id).count() == 2
    assert Enrollment.objects.filter(user_id=order.purchaser_id).count() == 1
    receipts = Delivery.objects.filter(handler="ecommerce.receivers.email_receipt", payload__order_id=order.pk)
    assert receipts.count() == 1


def test_two_pages_both_paid_in_every_order_are_one_order(stripe_api: StripeServer) -> None:
    for sequence in set(itertools.permutations([0, 0, 1, 1])):
        user = make_user()
        order = place_order(user)
        old = latest_attempt(order)
        check_out(user, now=NOON + timedelta(minutes=11))
        stripe_api.sessions[old.session_id]["status"] = "open"
        sessions = [stripe_api.pay(old.session_id), stripe_api.pay(latest_attempt(order).session_id)]
        events = [stripe_api.event("checkout.session.completed", session) for session in sessions]
        for number in sequence:
            deliver_event(events[number])
        assert fresh(order).state == OrderState.FULFILLED
        assert sorted(order.attempts.values_list("state", "is_surplus")) == [("paid", False), ("paid", True)]
        assert order.refunds.get().state == RefundState.MARKED
        assert Enrollment.objects.filter(user=user).count() == 1


# When something is down


def test_failed_processing_is_recorded_and_retried(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    post_event(completed_event(stripe_api, order))
    stripe_api.fail("/sessions/", 500)
    delivery = Delivery.objects.get(handler=HANDLER)
    assert run_delivery(delivery_id=delivery.pk, now=clock.now())
    notice = GatewayNotice.objects.get()
    assert (notice.state, "PaymentFailed" in notice.error) == (NoticeState.FAILED, True)
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.PENDING
    assert run_delivery(delivery_id=delivery.pk, now=clock.now() + timedelta(hours=1))
    notice.refresh_from_db()
    assert (notice.state, notice.error) == (NoticeState.DONE, "")
    assert fresh(order).state == OrderState.FULFILLED


def test_an_unreadable_notice_of_ours_is_reported_and_not_retried(
    stripe_api: StripeServer, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [place_order(), place_order()]
    for order in orders:
        stripe_api.pay(latest_attempt(order).session_id)
        deliver_event(completed_event(stripe_api, order))
    payment = latest_attempt(orders[1]).payment_id
    for told, state in (
        ({"id": "re_1", "payment_intent": payment}, NoticeState.STUCK),
        ({"id": "re_1", "payment_intent": "pi_of_another_shop"}, NoticeState.UNKNOWN),
        ({"payment_intent": payment, "deep": json.loads("[" * 300 + "]" * 300)}, NoticeState.STUCK),
    ):
        caplog.clear()
        notice = deliver_event(stripe_api.event("refund.created", told))
        is_stuck = state == NoticeState.STUCK
        assert (notice.state, "NoticeNotUnderstood" in notice.error) == (state, is_stuck)
        assert ("notice can't be processed" in caplog.text) is is_stuck


def test_nul_in_a_text_stops_nothing(stripe_api: StripeServer) -> None:
    order = place_order()
    session_id = latest_attempt(order).session_id
    stripe_api.pay(session_id)
    stripe_api.sessions[session_id]["customer_details"] = {"name": "Ama\0ra \ud800", "address": None}
    notice = deliver_event(completed_event(stripe_api, order))
    assert (notice.state, notice.error) == (NoticeState.DONE, "")
    assert (fresh(order).state, fresh(order).billing_name) == (OrderState.FULFILLED, "Amara ?")


@pytest.mark.parametrize(
    ("error", "is_final"),
    [(DataError("NUL"), True), (RuntimeError("bug"), False), (OperationalError("gone"), False)],
)
def test_failures_record_a_reason_and_are_retried_only_where_useful(
    stripe_api: StripeServer, monkeypatch: pytest.MonkeyPatch, error: Exception, *, is_final: bool
) -> None:
    post_event(completed_event(stripe_api, place_order()))
    monkeypatch.setattr("ecommerce.services.payment.notices.confirm_attempt", Mock(side_effect=error))
    run_delivery(delivery_id=Delivery.objects.get(handler=HANDLER).pk, now=clock.now())
    notice = GatewayNotice.objects.get()
    assert type(error).__name__ in notice.error
    assert notice.state == (NoticeState.STUCK if is_final else NoticeState.FAILED)
    delivery = Delivery.objects.get(handler=HANDLER)
    assert delivery.state == (DeliveryState.DONE if is_final else DeliveryState.PENDING)


def test_payments_unknown_to_stripe_are_not_asked_for_a_day(stripe_api: StripeServer) -> None:
    order = place_order()
    body = completed_event(stripe_api, order)
    stripe_api.sessions.clear()
    notice = deliver_event(body)
    assert (notice.state, "PaymentFailed" in notice.error) == (NoticeState.STUCK, True)


def test_an_event_that_leaves_the_mode_out_is_asked_about(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    session = {k: v for k, v in stripe_api.sessions[latest_attempt(order).session_id].items() if k != "livemode"}
    notice = deliver_event(stripe_api.event("checkout.session.completed", session))
    assert (notice.state, fresh(order).state) == (NoticeState.DONE, OrderState.FULFILLED)


def test_without_its_gateway_a_notice_waits(stripe_api: StripeServer, settings: Any) -> None:
    post_event(stripe_api.event("customer.created", {}))
    settings.PAYMENT_GATEWAYS = []
    with pytest.raises(PaymentFailed):
        process_notice(notice_id=GatewayNotice.objects.get().pk, now=NOON)


def test_the_sandbox_tells_by_the_same_door(client: Client) -> None:
    order = place_order()
    attempt = latest_attempt(order)
    gateway = SandboxGateway()
    body = gateway.notice_body(reference=attempt.reference, answer="accept", total=attempt.money)
    for _time in range(2):
        response = client.post("/payment/sandbox/webhook/", body, content_type="text/plain")
        assert response.status_code == 200
    process_notice(notice_id=GatewayNotice.objects.get().pk, now=NOON)
    assert fresh(order).state == OrderState.PENDING  # no one answered the page: it was asked, and not believed


# Later


def test_the_text_is_forgotten_and_the_row_stays(stripe_api: StripeServer) -> None:
    post_event(stripe_api.event("customer.created", {}))
    assert forget_notices(now=timezone.now() + timedelta(days=89)) == 0
    assert forget_notices(now=timezone.now() + timedelta(days=91)) == 1
    notice = process_notice(notice_id=GatewayNotice.objects.get().pk, now=NOON)
    assert (notice.body, notice.state) == ("", NoticeState.RECEIVED)


def staff(*permissions: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_staff_look_at_notices_and_have_them_processed_again(stripe_api: StripeServer) -> None:
    order = place_order()
    stripe_api.pay(latest_attempt(order).session_id)
    notice = deliver_event(completed_event(stripe_api, order))
    client = staff("view_gatewaynotice", "change_gatewaynotice")
    address = reverse("admin:ecommerce_gatewaynotice_changelist")
    assert b"checkout.session.completed" in client.get(address).content
    page = client.get(reverse("admin:ecommerce_gatewaynotice_change", args=[notice.pk]))
    assert latest_attempt(order).session_id in page.content.decode()
    assert b'name="_save"' not in page.content
    posted = {"action": "process_again", "_selected_action": [notice.pk]}
    assert b"1 notice is processed again." in client.post(address, posted, follow=True).content
    assert Delivery.objects.filter(handler=HANDLER).count() == 2
    assert ModelLogEntry.objects.get(action="ecommerce.notice.replay").object_id == str(notice.pk)
    process_notice(notice_id=notice.pk, now=NOON)
    assert Enrollment.objects.count() == 1


def test_view_permission_does_not_allow_processing_notices(stripe_api: StripeServer) -> None:
    post_event(stripe_api.event("customer.created", {}))
    client = staff("view_gatewaynotice")
    posted = {"action": "process_again", "_selected_action": [GatewayNotice.objects.get().pk]}
    client.post(reverse("admin:ecommerce_gatewaynotice_changelist"), posted)
    assert Delivery.objects.filter(handler=HANDLER).count() == 1
