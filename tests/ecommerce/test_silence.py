"""A gateway that hangs, trickles or closes blocks no page, no sweep and no other account."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from ecommerce.enums import AttemptState, OrderState, PaymentStanding, RefundState
from ecommerce.errors.checkout import PaymentUnavailable
from ecommerce.gateways import stripe as adapter
from ecommerce.models import Order, PaymentAttempt, Refund
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.payments import payment_standing
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.payment.pending import check_due_payments
from ecommerce.services.refunds.refunds import refund_order, sweep_refunds
from mitxonline.celery import app
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.remote import page_patience
from tests.ecommerce.paying import check_out, latest_attempt, place_order
from tests.factories import NOON, make_product, make_user
from tests.support.broker import StartWorker, until
from tests.support.reading import read
from tests.support.silence import MANNERS, Manner, SilentServer, silent_server
from tests.support.stripe import SECRET_KEY, StripeServer

pytestmark = pytest.mark.django_db

PATIENCE, LATE = 0.3, 20.0


@pytest.fixture(autouse=True)
def _short_patience(settings: Any) -> None:
    settings.REMOTE_PAGE_SECONDS = settings.REMOTE_CALL_SECONDS = PATIENCE


@pytest.fixture
def hanging() -> Iterator[SilentServer]:
    with silent_server() as server:
        yield server


@pytest.fixture
def orders(stripe_api: StripeServer) -> list[Order]:
    """Place orders that are all paid at Stripe."""
    found = [place_order(make_user(), now=timezone.now()) for _each in range(6)]
    for order in found:
        stripe_api.pay(latest_attempt(order).session_id)
    return found


def come_back(order: Order) -> tuple[float, Any]:
    """Follow Stripe's return link; return the seconds of the first answer and the final page."""
    client = Client()
    client.force_login(order.purchaser)
    began = time.monotonic()
    response = client.get(f"/payment/completed/{latest_attempt(order).reference}/")
    took = time.monotonic() - began
    assert response.status_code == 302
    return took, read(client.get(response["Location"]))


@pytest.mark.parametrize("manner", MANNERS)
def test_the_return_page_says_that_we_are_confirming(manner: Manner, orders: list[Order], settings: Any) -> None:
    with silent_server(manner) as server:
        settings.STRIPE_API_BASE = server.url
        took, page = come_back(orders[0])
    assert took < LATE
    assert page.h1 == "We’re confirming your payment"
    assert payment_standing(orders[0]) == PaymentStanding.CONFIRMING


def test_after_three_silences_the_next_buyer_is_answered_at_once_and_the_sweep_goes_on(
    stripe_api: StripeServer, orders: list[Order], hanging: SilentServer, settings: Any
) -> None:
    settings.STRIPE_API_BASE = hanging.url
    for order in orders[:3]:
        come_back(order)
    took, page = come_back(orders[3])
    assert page.h1 == "We’re confirming your payment"
    assert hanging.connections == 3
    assert took < LATE
    settings.STRIPE_API_BASE = stripe_api.url  # Stripe answers again
    assert check_due_payments(now=timezone.now()) == 4
    assert [Order.objects.get(pk=each.pk).state for each in orders[:4]] == [OrderState.FULFILLED] * 4
    _took, page = come_back(orders[4])
    assert page.h1 == "You’re in, Amara"


def test_a_return_is_asked_about_by_the_worker_at_once(
    orders: list[Order], hanging: SilentServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_API_BASE = hanging.url
    sent: list[str] = []
    monkeypatch.setattr("ecommerce.services.payment.payments.send_tasks", lambda name, _arguments: sent.append(name))
    come_back(orders[0])
    assert sent == ["ecommerce.tasks.ask_about_payments"]


def test_a_checkout_that_gets_no_payment_page_says_so(
    hanging: SilentServer, stripe_api: StripeServer, settings: Any
) -> None:
    order = place_order(make_user())
    PaymentAttempt.objects.all().delete()
    settings.STRIPE_API_BASE = hanging.url
    began = time.monotonic()
    with pytest.raises(PaymentUnavailable), page_patience():
        check_out(order.purchaser)
    assert time.monotonic() - began < LATE


def test_whom_the_breaker_spares_is_asked_next_time(
    stripe_api: StripeServer, orders: list[Order], hanging: SilentServer, settings: Any
) -> None:
    settings.STRIPE_API_BASE = hanging.url
    now = timezone.now() + timedelta(minutes=6)
    assert check_due_payments(now=now) == 3
    before = list(PaymentAttempt.objects.order_by("pk").values_list("asked", "ask_at"))
    assert check_due_payments(now=now) == 1
    assert list(PaymentAttempt.objects.order_by("pk").values_list("asked", "ask_at")) == before
    assert hanging.connections == 3


def _refunds(stripe_api: StripeServer, account: str, count: int) -> list[Refund]:
    """Make refunds that were sent and never answered."""
    found = []
    for _each in range(count):
        order = place_order(make_user())
        session = stripe_api.pay(latest_attempt(order).session_id)
        PaymentAttempt.objects.filter(order=order).update(
            state=AttemptState.PAID, account=account, payment_id=session["payment_intent"], settled_at=NOON
        )
        order.state = OrderState.FULFILLED
        order.fulfilled_at = NOON
        order.save()
        stripe_api.fail("/refunds$", 429)
        found.append(refund_order(order_id=order.pk, choice=RefundChoice(reason="Wrong course"), now=NOON, by_id=None))
        assert found[-1].state == RefundState.SENT
    return found


def test_a_silent_account_keeps_no_refund_of_another_waiting(
    stripe_api: StripeServer, hanging: SilentServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_ACCOUNTS = {
        **settings.STRIPE_ACCOUNTS,
        "eu.example": {"secret_key": f"{SECRET_KEY}_eu", "webhook_secrets": []},
    }
    at_the_silent_one = _refunds(stripe_api, "", 5)
    at_the_other = _refunds(stripe_api, "eu.example", 2)

    made = adapter._client_of

    def by_account(key: str, base: str, version: str, remote: str, retries: int) -> Any:
        return made(key, hanging.url if remote == "stripe" else base, version, remote, retries)

    monkeypatch.setattr(adapter, "_client_of", by_account)
    began = time.monotonic()
    assert sweep_refunds(now=NOON + timedelta(minutes=10)) == 3 + 2
    assert time.monotonic() - began < LATE
    assert hanging.connections == 3
    assert {each.state for each in Refund.objects.filter(pk__in=[each.pk for each in at_the_other])} == {
        RefundState.SUCCEEDED
    }
    assert {each.state for each in Refund.objects.filter(pk__in=[each.pk for each in at_the_silent_one])} == {
        RefundState.SENT
    }


@pytest.mark.parametrize("sweep", [check_due_payments, sweep_refunds])
def test_a_sweep_stops_when_its_time_is_over(
    sweep: Any, stripe_api: StripeServer, hanging: SilentServer, settings: Any
) -> None:
    _refunds(stripe_api, "", 3)
    for _each in range(3):
        place_order(make_user())
    settings.REMOTE_SWEEP_SECONDS, settings.REMOTE_CALL_SECONDS, settings.STRIPE_API_BASE = 0.2, 60.0, hanging.url
    began = time.monotonic()
    assert sweep(now=NOON + timedelta(minutes=10)) == 1
    assert time.monotonic() - began < LATE
    cache.clear()
    settings.REMOTE_SWEEP_SECONDS, settings.STRIPE_API_BASE = 60.0, stripe_api.url
    assert sweep(now=NOON + timedelta(minutes=20)) == 3


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_the_receipt_of_a_free_order_waits_behind_no_sweep(
    stripe_api: StripeServer,
    hanging: SilentServer,
    mailbox: Path,
    start_worker: StartWorker,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _refunds(stripe_api, "", 3)
    place_order(make_user())
    PaymentAttempt.objects.filter(state=AttemptState.STARTED).update(ask_at=NOON)
    Delivery.objects.all().delete()
    monkeypatch.setenv("TEST_STRIPE_API_BASE", hanging.url)
    monkeypatch.setenv("TEST_EVENT_ROUTES", "mitxonline.event_routes.ROUTES")
    workers = [start_worker(queue) for queue in (settings.REMOTE_QUEUE, settings.CELERY_TASK_DEFAULT_QUEUE)]
    for name in ("follow_refunds", "ask_about_payments"):
        assert send_tasks(f"ecommerce.tasks.{name}", [()]) == 1
    until(lambda: hanging.open_ones)
    learner = make_user("lea@example.test")
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product(price="0").pk], now=NOON)
    assert check_out(learner).order.state == OrderState.FULFILLED
    until(lambda: mailbox.exists() and any("lea@example.test" in each.read_text() for each in mailbox.iterdir()))
    assert hanging.open_ones == 1, "the sweep waits on"
    for worker in workers:
        worker.kill()  # it would finish the sweep first


def test_no_sweep_comes_near_its_time_limit() -> None:
    """Libraries swallow the soft limit, so what keeps a sweep short is its own clock."""
    app.loader.import_default_modules()
    for name in ("ask_about_payments", "follow_refunds"):
        task = app.tasks[f"ecommerce.tasks.{name}"]
        soft, hard = task.soft_time_limit, task.time_limit
        assert soft is not None
        assert hard is not None
        assert django_settings.REMOTE_SWEEP_SECONDS * 3 < soft < hard
