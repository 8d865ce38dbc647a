"""Every attempt of a delivery is kept: by whom, when, with which result, and when the next one is."""

import os
import socket
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from mitxonline.coordinator import claims, deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.replay import replay_delivery
from mitxonline.coordinator.routes import Route
from mitxonline.kernel import clock
from tests.coordinator.world import OrderMoved, SeatWatched, first, leave_trace

pytestmark = pytest.mark.django_db

HERE = f"{socket.gethostname()}:{os.getpid()}"


def published(receiver: str = "stumble", seat: int = 1) -> Delivery:
    with transaction.atomic():
        publish(SeatWatched(seat))
    return Delivery.objects.filter(handler__endswith=f".{receiver}").latest("pk")


def run(delivery: Delivery, *, now: datetime | None = None) -> None:
    delivery.refresh_from_db()
    assert deliveries.run_delivery(delivery_id=delivery.pk, now=now or delivery.next_attempt_at)
    delivery.refresh_from_db()


def outcomes(delivery: Delivery) -> list[tuple[int, str]]:
    return list(delivery.history.values_list("number", "outcome"))


def test_a_failure_and_a_success_are_in_the_history() -> None:
    delivery, other = published(), published(seat=2)
    run(delivery)
    waits_until = delivery.next_attempt_at
    leave_trace("repaired", 1)
    run(delivery)
    failed, done = delivery.history.all()
    assert (failed.number, failed.outcome, failed.process) == (1, "failed", HERE)
    assert failed.result.startswith("LookupError at coordinator/world.py:")
    assert failed.result.endswith(": [e-mail] is not there")
    assert failed.next_attempt_at == waits_until
    assert failed.ended_at is not None
    assert failed.started_at <= failed.ended_at
    assert (done.number, done.outcome, done.result, done.next_attempt_at) == (2, "done", "", None)
    assert not other.history.exists()


def test_what_a_receiver_says_is_kept_if_it_is_a_string() -> None:
    with transaction.atomic():
        publish(OrderMoved("A", 7))
    says = {}
    for delivery in Delivery.objects.order_by("pk"):
        run(delivery)
        says[delivery.handler.rpartition(".")[2]] = delivery.history.get().result
    assert says == {"follow_order": "step 7", "count_order": "", "put_on_shelf": ""}


def test_what_a_receiver_says_is_short_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = published()
    answer = "told ada@example.org with token=abcdef " + "and more " * 100
    monkeypatch.setattr(deliveries, "find_receiver", lambda *names: (SeatWatched, lambda event: answer))
    run(delivery)
    result = delivery.history.get().result
    assert result.startswith("told [e-mail] with token=[")
    assert "abcdef" not in result
    assert len(result) <= 300


def test_an_attempt_is_open_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = published()
    seen: list[tuple[int, str]] = []
    monkeypatch.setattr(
        deliveries, "find_receiver", lambda *names: (SeatWatched, lambda event: seen.extend(outcomes(delivery)))
    )
    run(delivery)
    assert seen == [(1, "running")]
    assert outcomes(delivery) == [(1, "done")]


def test_the_sweep_closes_the_attempt_of_a_lost_worker() -> None:
    delivery, other = published(), published(seat=2)
    begun = clock.now()
    assert claims.claim_delivery(delivery_id=delivery.pk, now=begun)
    assert claims.claim_delivery(delivery_id=other.pk, now=begun + timedelta(seconds=20))
    later = begun + timedelta(seconds=31)
    deliveries.sweep(now=later)
    attempt = delivery.history.get()
    assert (attempt.outcome, attempt.result, attempt.ended_at) == ("lost", "worker lost", later)
    assert attempt.next_attempt_at == later
    assert outcomes(other) == [(1, "running")], "its lease has not ended"


def test_the_next_worker_closes_the_attempt_of_a_lost_one() -> None:
    delivery = published("wait_at_gate")
    begun = clock.now() - timedelta(hours=1)
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=begun)
    assert claims.claim_delivery(delivery_id=delivery.pk, now=begun)
    run(delivery, now=clock.now())
    assert outcomes(delivery) == [(1, "lost"), (2, "done")]


def test_a_worker_that_ends_after_its_lease_says_what_it_did() -> None:
    delivery = published()
    begun = clock.now() - timedelta(hours=1)
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=begun)
    late = claims.claim_delivery(delivery_id=delivery.pk, now=begun)
    assert late is not None
    assert claims.claim_delivery(delivery_id=delivery.pk, now=clock.now())
    with deliveries.Attempt(late) as attempt:
        attempt.result = "written"
    assert outcomes(delivery) == [(1, "done"), (2, "running")]
    assert delivery.history.earliest("number").result == "written"
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.RUNNING, 2)


@override_settings(DELIVERY_MAX_ATTEMPTS=2)
def test_the_last_attempt_has_no_next_one_and_a_replay_goes_on_counting() -> None:
    delivery = published()
    run(delivery)
    run(delivery)
    assert delivery.state == DeliveryState.DEAD
    assert delivery.history.latest("number").next_attempt_at is None
    replay_delivery(delivery_id=delivery.pk, by_id=None, now=clock.now())
    run(delivery)
    assert delivery.state == DeliveryState.PENDING, "all its attempts anew"
    pause = delivery.next_attempt_at - clock.now()
    assert pause < timedelta(seconds=7), "the pauses begin anew"
    leave_trace("repaired", 1)
    run(delivery)
    assert outcomes(delivery) == [(1, "failed"), (2, "failed"), (3, "failed"), (4, "done")]


@override_settings(DELIVERY_MAX_ATTEMPTS=1)
def test_a_lost_last_attempt_has_no_next_one() -> None:
    delivery, other = published(), published(seat=2)
    begun = clock.now()
    for each in (delivery, other):
        assert claims.claim_delivery(delivery_id=each.pk, now=begun)
    Delivery.objects.filter(pk=other.pk).update(attempts_before_replay=0, attempts=1)
    deliveries.sweep(now=begun + timedelta(seconds=31))
    attempt = delivery.history.get()
    assert (attempt.outcome, attempt.next_attempt_at) == ("lost", None)
    assert Delivery.objects.get(pk=delivery.pk).state == DeliveryState.DEAD


def test_what_an_old_worker_calls_failed_is_dead() -> None:
    delivery = published()
    Delivery.objects.filter(pk=delivery.pk).update(state="failed", finished_at=clock.now())
    deliveries.sweep(now=clock.now())
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DEAD


def test_an_attempt_that_an_old_worker_counted_twice_does_not_stop_the_delivery() -> None:
    delivery = published()
    run(delivery)
    Delivery.objects.filter(pk=delivery.pk).update(attempts=0)
    leave_trace("repaired", 1)
    run(delivery)
    assert delivery.state == DeliveryState.DONE
    assert outcomes(delivery) == [(1, "done")]


def test_old_attempts_are_deleted_with_their_deliveries() -> None:
    delivery, other = published("stumble"), published("stumble", seat=2)
    leave_trace("repaired", 1)
    run(delivery)
    run(other)
    Delivery.objects.filter(handler__endswith="gate").delete()
    assert deliveries.purge(now=clock.now() + timedelta(days=31)) == 1
    assert list(DeliveryAttempt.objects.values_list("delivery_id", flat=True)) == [other.pk]


@override_settings(DELIVERY_PURGE_SIZE=2)
def test_they_are_deleted_in_batches() -> None:
    with transaction.atomic():
        for step in range(5):
            publish(OrderMoved(f"{step}", step))
    Delivery.objects.update(state=DeliveryState.DONE, finished_at=clock.now())
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert deliveries.purge(now=clock.now() + timedelta(days=31)) == 15
    deleted = [query for query in captured if 'DELETE FROM "coordinator_delivery"' in query["sql"]]
    assert len(deleted) == 8


@pytest.mark.parametrize(("receivers", "pushed"), [(1, 2), (5, 2)])
def test_publishing_takes_one_statement_however_many_receivers(
    receivers: int, pushed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear(event: SeatWatched) -> None: ...

    route = Route(after_commit=(hear,) * ((receivers + 1) // 2), remote=(first,) * (receivers // 2))
    monkeypatch.setattr("mitxonline.coordinator.bus.route_of", lambda event: route)
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        publish(SeatWatched(1))
    assert len(captured) == 1
    assert Delivery.objects.count() == receivers


@pytest.mark.parametrize(
    ("state", "due_in", "lease_in", "attempts"),
    list(product(DeliveryState, (-60, 60), (-60, 60), (0, 3))),
)
def test_a_claim_takes_what_the_sweep_would_send(
    state: DeliveryState, due_in: int, lease_in: int, attempts: int
) -> None:
    now = clock.now()
    is_over = state not in (DeliveryState.PENDING, DeliveryState.RUNNING)
    delivery = Delivery.objects.create(
        event_type="e",
        payload={},
        handler="h",
        state=state,
        attempts=attempts,
        next_attempt_at=now + timedelta(seconds=due_in),
        lease_until=now + timedelta(seconds=lease_in) if state == DeliveryState.RUNNING else None,
        finished_at=now if is_over else None,
        reason="Twice." if state == DeliveryState.GIVEN_UP else "",
    )
    is_due = Delivery.objects.due(now=now).exists()
    assert bool(claims.claim_delivery(delivery_id=delivery.pk, now=now)) == is_due


THEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": AttemptOutcome.RUNNING, "ended_at": THEN},
        {"outcome": AttemptOutcome.DONE, "ended_at": None},
        {"outcome": AttemptOutcome.DONE, "next_attempt_at": THEN},
        {"number": 1},
        {"outcome": AttemptOutcome.RUNNING, "ended_at": None},
    ],
)
def test_the_database_knows_what_an_attempt_can_be(changes: dict[str, object]) -> None:
    delivery = published()
    DeliveryAttempt.objects.create(delivery=delivery, number=1, started_at=THEN, process=HERE)
    right = {"number": 2, "outcome": AttemptOutcome.DONE, "ended_at": THEN, "started_at": THEN, "process": HERE}
    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryAttempt.objects.create(delivery=delivery, **(right | changes))
    DeliveryAttempt.objects.create(delivery=delivery, **right)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": DeliveryState.GIVEN_UP},
        {"reason": "Twice."},
        {"attempts_before_replay": 31},
    ],
)
def test_the_database_knows_how_a_delivery_is_given_up(changes: dict[str, object]) -> None:
    dead = {"state": DeliveryState.DEAD, "attempts": 30, "finished_at": THEN}
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(event_type="x", payload={}, handler="y", **(dead | changes))
    Delivery.objects.create(event_type="x", payload={}, handler="y", **dead)
