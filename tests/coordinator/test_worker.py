"""Deliveries with a real broker and worker, and with neither."""

import socket
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import transaction
from redis import Redis

from mitxonline.coordinator import deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.broker import broker_pause, send_tasks
from mitxonline.kernel.db import fetch_sql, named_lock, run_sql
from mitxonline.kernel.trace import open_trace
from tests.coordinator.world import GATE, SeatAsked, SeatTaken, SeatWatched, leave_trace, traces
from tests.support.broker import StartWorker, until, use_broker
from tests.support.silence import refusing_port, silent_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

WAITING_FOR_A_LOCK = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
DONE, RUNNING = DeliveryState.DONE, DeliveryState.RUNNING


def all_are(state: DeliveryState) -> bool:
    return Delivery.objects.exists() and not Delivery.objects.exclude(state=state).exists()


def test_deliveries_arrive_after_the_commit(start_worker: StartWorker) -> None:
    start_worker()
    with open_trace("request-77"), transaction.atomic():
        publish(SeatTaken(1))
    until(lambda: all_are(DONE))
    assert (traces("remembered", 1), traces("trace-request-77", 1)) == (1, 1)


def test_a_failing_receiver_is_tried_again_until_it_works(start_worker: StartWorker) -> None:
    start_worker()
    with transaction.atomic():
        publish(SeatWatched(1))
    until(lambda: Delivery.objects.filter(attempts=1, last_error__startswith="LookupError").exists())
    leave_trace("repaired", 1)
    Delivery.objects.filter(state=DeliveryState.PENDING).update(next_attempt_at=clock.now())
    deliveries.sweep(now=clock.now())
    until(lambda: all_are(DONE))
    assert traces("watched", 1) == 1


def test_a_killed_workers_delivery_is_done_once_more(start_worker: StartWorker) -> None:
    leave_trace("repaired", 1)
    with named_lock(*GATE):
        first = start_worker()
        with transaction.atomic():
            publish(SeatWatched(1))
        until(lambda: traces("at the gate", 1))
        first.kill()
    waiting = Delivery.objects.get(state=RUNNING)
    assert waiting.lease_until is not None
    # With a round of the sweep that is less than a minute.
    assert waiting.lease_until <= clock.now() + timedelta(seconds=30)
    start_worker()
    assert deliveries.sweep(now=clock.now()) == 0, "the lease has not ended"
    Delivery.objects.filter(pk=waiting.pk).update(lease_until=clock.now())
    assert deliveries.sweep(now=clock.now()) == 1
    until(lambda: all_are(DONE))
    waiting.refresh_from_db()
    assert waiting.attempts == 2
    assert (traces("at the gate", 1), traces("through the gate", 1)) == (2, 1)


def test_a_receiver_that_loses_the_database_is_tried_again_at_once(start_worker: StartWorker) -> None:
    leave_trace("repaired", 1)
    with named_lock(*GATE):
        start_worker()
        with transaction.atomic():
            publish(SeatWatched(1))
        until(lambda: fetch_sql(WAITING_FOR_A_LOCK))
        for (pid,) in fetch_sql(WAITING_FOR_A_LOCK):
            run_sql("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: Delivery.objects.filter(state=DeliveryState.PENDING, attempts=1).exists())
    again = Delivery.objects.get(state=DeliveryState.PENDING)
    assert "OperationalError" in again.last_error
    assert again.next_attempt_at <= clock.now() + timedelta(seconds=10)


def test_a_worker_takes_what_waits_without_a_task_for_each(
    monkeypatch: pytest.MonkeyPatch, start_worker: StartWorker
) -> None:
    monkeypatch.setenv("TEST_TAKE_SECONDS", "600")
    leave_trace("repaired", 1)
    with named_lock(*GATE):
        worker = start_worker()
        publish_one(SeatWatched(1))
        until(lambda: traces("at the gate", 1))
        for seat in range(2, 7):
            publish_one(SeatTaken(seat))
    until(lambda: all_are(DONE))
    assert [traces("remembered", seat) for seat in range(2, 7)] == [1] * 5
    until(lambda: "tasks.deliver[" in worker.log.read_text())
    # One or two until the gate, and one that had left the queue already. There were twelve deliveries.
    assert worker.log.read_text().count("tasks.deliver[") <= 3


def test_remote_receivers_do_not_delay_other_deliveries(start_worker: StartWorker) -> None:
    with named_lock(*GATE):
        start_worker(settings.REMOTE_QUEUE)
        start_worker(settings.CELERY_TASK_DEFAULT_QUEUE)
        for seat in range(3):
            with transaction.atomic():
                publish(SeatAsked(seat))
        until(lambda: traces("asked", 0))
        until(lambda: all(traces("noted", seat) for seat in range(3)))
        assert not traces("asked", 1)
    until(lambda: all_are(DONE))


def test_with_the_broker_down_the_rows_stay_and_the_sweep_sends_them(start_worker: StartWorker) -> None:
    with refusing_port() as port, use_broker(f"redis://127.0.0.1:{port}/0"):
        publish_one(SeatTaken(1))
        assert Delivery.objects.filter(sent_at=None, state=DeliveryState.PENDING).count() == 2
        assert broker_pause.is_on()
    start_worker()
    assert deliveries.sweep(now=clock.now()) == 2
    until(lambda: all_are(DONE))


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_hanging_broker_is_tried_briefly_and_then_paused(scheme: str) -> None:
    with silent_port() as server, use_broker(f"{scheme}://guest:guest@127.0.0.1:{server.getsockname()[1]}/0"):
        begin = time.monotonic()
        publish_one(SeatTaken(1))
        # It waits 0.4 seconds; the rest is for a busy machine. Without the timeouts it would not come back at all.
        assert time.monotonic() - begin < 5
        assert broker_pause.is_on()
        assert connections_to(server) == 1
        publish_one(SeatTaken(2))
        assert connections_to(server) == 0
    assert Delivery.objects.filter(sent_at=None).count() == 4


def test_a_broker_that_answers_takes_everything(redis_broker: Redis) -> None:
    assert send_tasks("no.such.task", [(1,), (2,)]) == 2
    (queue,) = [key for key in redis_broker.scan_iter("test-*") if redis_broker.type(key) == b"list"]
    assert redis_broker.llen(queue) == 2


def publish_one(event: Event) -> None:
    with transaction.atomic():
        publish(event)


def connections_to(server: socket.socket) -> int:
    """How many came in since it was last asked."""
    server.settimeout(0)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count
