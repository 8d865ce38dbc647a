"""Readiness and metrics: what monitoring asks, and what it may not see."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from b2b.services.contracts.reconcile import run_reconcile
from ecommerce.enums import OrderState
from mitxonline.coordinator.models import Delivery, DeliveryState, ScheduledTask
from mitxonline.kernel import clock, metrics
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.metrics import observe_call
from mitxonline.kernel.remote import RemoteSession
from tests.factories import make_contract, make_product
from tests.factories.orders import make_paid_order
from tests.support.broker import use_broker
from tests.support.silence import refusing_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-prometheus"
PAST = timedelta(minutes=20)
# The groups of figures that are read one by one, and those of them that need Redis.
PARTS = {"shop", "deliveries", "durations", "shared_pages", "queues"}
IN_REDIS = {"durations", "shared_pages", "queues"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _own_figures() -> Iterator[None]:
    key = f"test-{uuid4().hex}"
    with override_settings(METRICS_TOKEN=TOKEN, METRICS_KEY=key, METRICS_KEPT_SECONDS=0):
        yield
    with Redis.from_url(settings.REDIS_URL) as client:
        for each in client.scan_iter(f"{key}*"):
            client.delete(each)


def scrape(token: str = TOKEN) -> HttpResponse:
    return Client().get("/metrics/", headers={"Authorization": f"Bearer {token}"})  # type: ignore[return-value]


def read() -> Samples:
    response = scrape()
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def find_missing(figures: Samples) -> dict[str, float]:
    return {part: value for (name, labels), value in figures.items() if "missing" in name for _label, part in labels}


def make_delivery(state: DeliveryState, *, receiver: str = "ecommerce.receivers.email_receipt") -> Delivery:
    now = clock.now()
    is_over = state in (DeliveryState.DONE, DeliveryState.DEAD)
    return Delivery.objects.create(
        event_type="ecommerce.events.OrderFulfilled",
        payload={},
        handler=receiver,
        state=state,
        next_attempt_at=now - PAST,
        lease_until=now + PAST if state == DeliveryState.RUNNING else None,
        finished_at=now if is_over else None,
    )


@pytest.mark.django_db
def test_metrics_are_for_those_with_the_token() -> None:
    assert [scrape(token).status_code for token in ("", "wrong", f"{TOKEN}x")] == [401, 401, 401]
    assert Client().get("/metrics").status_code == 401
    assert b"tessera" not in scrape("wrong").content
    with override_settings(METRICS_TOKEN=""):
        assert [scrape(token).status_code for token in ("", TOKEN)] == [404, 404]


@pytest.mark.django_db
def test_rows_are_counted_by_state_and_receiver() -> None:
    for _each in range(2):
        make_paid_order(make_product())
    make_paid_order(make_product(), state=OrderState.REVIEW)
    for state in (DeliveryState.PENDING, DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.DONE):
        make_delivery(state)
    make_delivery(DeliveryState.DEAD, receiver="ecommerce.receivers.email_refund")
    figures = read()
    receipt, refund = (
        ("receiver", "ecommerce.receivers.email_receipt"),
        ("receiver", "ecommerce.receivers.email_refund"),
    )
    assert figures["tessera_orders", (("state", "fulfilled"),)] == 2
    assert figures["tessera_orders", (("state", "review"),)] == 1
    assert figures["tessera_deliveries", (receipt, ("state", "pending"))] == 2
    assert figures["tessera_deliveries", (receipt, ("state", "dead"))] == 1
    assert figures["tessera_deliveries", (refund, ("state", "dead"))] == 1
    assert figures["tessera_deliveries_ended_last_hour", (receipt, ("state", "done"))] == 1
    assert PAST.total_seconds() <= figures["tessera_oldest_delivery_seconds", ()] < PAST.total_seconds() + 60
    assert find_missing(figures) == dict.fromkeys(PARTS, 0)


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_rows() -> None:
    counts = []
    for size in (1, 20):
        for _each in range(size):
            make_delivery(DeliveryState.PENDING)
        with CaptureQueriesContext(connection) as queries:
            read()
        statements = [each["sql"] for each in queries if each["sql"].startswith("SELECT")]
        counts.append(len([each for each in statements if "set_config" not in each]))
    assert counts == [6, 6]


@pytest.mark.django_db
def test_several_scrapes_cost_one_round_of_queries(django_assert_num_queries: Callable[..., Any]) -> None:
    with override_settings(METRICS_KEPT_SECONDS=10):
        first = scrape().content
        with django_assert_num_queries(0):
            assert scrape().content == first
    cache.clear()


@pytest.mark.django_db
def test_calls_of_two_processes_and_of_this_one_are_added_up() -> None:
    code = (
        "import sys, django; django.setup();"
        "from mitxonline.kernel.metrics import observe_call;"
        "[observe_call('openedx-lms', sys.argv[1], 0.2) for each in range(50)];"
        "observe_call('openedx-lms', 'silent', 20.0)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.support.worker_settings", "TEST_BROKER_URL": "memory://"}
    environment |= {"TEST_BROKER_PREFIX": "", "TEST_METRICS_KEY": settings.METRICS_KEY}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, outcome], cwd=ROOT, env=environment) for outcome in ("ok", "ok")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    observe_call("openedx-lms", "ok", 0.05)
    figures = read()
    ok, silent = (("outcome", "ok"), ("service", "openedx-lms")), (("outcome", "silent"), ("service", "openedx-lms"))
    assert figures["tessera_call_seconds_count", ok] == 101
    assert figures["tessera_call_seconds_count", silent] == 2
    assert figures["tessera_call_seconds_sum", silent] == 40
    buckets = {dict(labels)["le"]: value for (name, labels), value in figures.items() if set(ok) < set(labels)}
    assert (buckets["0.1"], buckets["0.25"], buckets["+Inf"]) == (1, 101, 101)


@pytest.mark.django_db
def test_every_call_to_another_system_is_counted() -> None:
    with refusing_port() as port, pytest.raises(requests.ConnectionError):
        RemoteSession("keycloak-admin").get(f"http://127.0.0.1:{port}/")
    assert read()["tessera_call_seconds_count", (("outcome", "silent"), ("service", "keycloak-admin"))] == 1


@pytest.mark.django_db(transaction=True)
def test_updating_a_contract_is_timed() -> None:
    contract = make_contract()
    before = read().get(("tessera_reconcile_seconds_count", (("outcome", "done"),)), 0)
    run_reconcile(contract_id=contract.pk, now=clock.now())
    assert read()["tessera_reconcile_seconds_count", (("outcome", "done"),)] == before + 1


@pytest.mark.django_db
def test_queues_are_measured_by_the_broker(redis_broker: Redis) -> None:
    name = settings.CELERY_TASK_DEFAULT_QUEUE
    assert read()["tessera_queue_length", (("queue", name),)] == 0
    assert send_tasks("no.such.task", [(1,), (2,), (3,)]) == 3
    figures = read()
    assert figures["tessera_queue_length", (("queue", name),)] == 3
    assert figures["tessera_queue_length", (("queue", settings.REMOTE_QUEUE),)] == 0


@pytest.mark.django_db
def test_what_can_not_be_read_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_away_until", 0.0)
    with refusing_port() as port:
        away = f"redis://127.0.0.1:{port}/0"
        with use_broker(away), override_settings(REDIS_URL=away):
            observe_call("stripe", "ok", 0.1)  # which raises nothing, and is not counted
            figures = read()
    assert find_missing(figures) == {name: int(name in IN_REDIS) for name in PARTS}
    assert ("tessera_oldest_delivery_seconds", ()) in figures
    metrics._away_until = 0.0


@pytest.mark.django_db
def test_metrics_name_nobody_and_no_secret() -> None:
    order = make_paid_order(make_product())
    text = scrape().content.decode()
    assert order.number not in text
    assert order.purchaser.email not in text
    assert TOKEN not in text
    assert not re.search(r"redis://|postgres://", text)


def ready(query: str = "") -> tuple[int, dict[str, Any]]:
    response = Client().get(f"/health/ready/{query}")
    return response.status_code, response.json()


def beat(ago: timedelta = timedelta()) -> None:
    ScheduledTask.objects.update_or_create(
        name="sweep", defaults={"known_since": clock.now() - PAST, "succeeded_at": clock.now() - ago}
    )


@pytest.mark.django_db
def test_a_process_is_ready_when_all_is_well() -> None:
    beat()
    status, report = ready()
    assert status == 200
    assert report == {
        "database": "ok",
        "migrations": "ok",
        "deliveries": "ok",
        "oldest_delivery_seconds": 0,
        "schedule": "ok",
        "last_beat_seconds": report["last_beat_seconds"],
        "cache": "ok",
        "broker": "ok",
    }
    assert report["last_beat_seconds"] <= 60
    assert ready("?strict")[0] == 200
    assert Client().get("/health/ready", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert Client().post("/health/ready/").status_code == 405


@pytest.mark.django_db
def test_what_pages_do_without_is_reported_and_fails_only_the_strict_question() -> None:
    make_delivery(DeliveryState.PENDING)
    beat(PAST)
    with refusing_port() as port, use_broker(f"redis://127.0.0.1:{port}/0"):
        status, report = ready()
        assert ready("?strict")[0] == 503
    assert status == 200
    assert {key: report[key] for key in ("deliveries", "schedule", "broker", "database")} == {
        "deliveries": "late",
        "schedule": "late",
        "broker": "down",
        "database": "ok",
    }
    assert report["oldest_delivery_seconds"] >= PAST.total_seconds()
    assert report["last_beat_seconds"] >= PAST.total_seconds()
    ScheduledTask.objects.all().delete()
    assert ready()[1] | {"broker": ""} == report | {"last_beat_seconds": None, "broker": ""} | {
        "oldest_delivery_seconds": ready()[1]["oldest_delivery_seconds"]
    }


@pytest.mark.django_db
def test_a_process_whose_database_lacks_migrations_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitxonline.health._is_migrated", False)
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("coordinator")
    MigrationRecorder(connection).record_unapplied(app, newest)
    status, report = ready()
    assert (status, report["migrations"]) == (503, "missing")
    assert report.keys() == {"database", "migrations", "cache", "broker"}


@contextmanager
def hanging_database() -> Iterator[None]:
    """Stop the server's process of this connection for 15 seconds, or until the block ends; fail if it took so long."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    os.kill(backend, signal.SIGSTOP)
    wake = Timer(15, os.kill, (backend, signal.SIGCONT))  # Without a limit the answer would come then.
    wake.start()
    began = monotonic()
    try:
        yield
        assert monotonic() - began < 10
    finally:
        wake.cancel()
        os.kill(backend, signal.SIGCONT)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["/health/", "/health/ready/"])
def test_a_database_that_hangs_is_answered_in_time(address: str, settings: Any) -> None:
    settings.HEALTH_SECONDS = 1.0
    with hanging_database():
        response = Client().get(address)
    assert (response.status_code, response.json()["database"]) == (503, "down")
    connection.close_if_unusable_or_obsolete()  # as the end of a request does
    assert Client().get(address).json()["database"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_figures_of_a_database_that_hangs_are_missing_in_time(settings: Any) -> None:
    settings.HEALTH_SECONDS, settings.STATEMENT_SECONDS = 1.0, 1
    with hanging_database():
        missing = find_missing(read())
    assert missing["shop"] == 1
    connection.close_if_unusable_or_obsolete()  # as the end of a request does
    assert find_missing(read())["shop"] == 0


@pytest.mark.django_db
def test_readiness_shows_no_address_and_no_secret() -> None:
    with refusing_port() as port, use_broker(f"redis://user:pass-word@127.0.0.1:{port}/0"):
        text = str(ready())
    assert not re.search(r"127\.0\.0\.1|pass-word|redis|postgres", text)
