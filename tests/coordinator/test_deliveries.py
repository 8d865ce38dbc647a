import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from mitxonline.coordinator import claims, deliveries, tasks
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.replay import replay_deliveries
from mitxonline.coordinator.sending import send_deliveries
from mitxonline.kernel import clock
from tests.coordinator.world import SeatAsked, SeatRefused, SeatTaken, SeatWatched, leave_trace, traces
from tests.support.broker import until
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db

PENDING, RUNNING, DONE, DEAD = DeliveryState.PENDING, DeliveryState.RUNNING, DeliveryState.DONE, DeliveryState.DEAD


def published(event: SeatTaken | SeatWatched | SeatAsked, handler: str) -> Delivery:
    with transaction.atomic():
        publish(event)
    return Delivery.objects.filter(handler__endswith=f".{handler}").latest("pk")


def abandon(delivery: Delivery, *, since: datetime) -> None:
    """Claimed by a worker that was never heard of again."""
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=since)
    assert claims.claim_delivery(delivery_id=delivery.pk, now=since)


def run(delivery: Delivery, *, now: datetime | None = None) -> bool:
    done = deliveries.run_delivery(delivery_id=delivery.pk, now=now or clock.now())
    delivery.refresh_from_db()
    return done


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the broker was given."""
    taken: list[int] = []

    def take(name: str, arguments: list[tuple[int, ...]], queue: str) -> int:
        taken.extend(pk for each in arguments for pk in each)
        return len(arguments)

    monkeypatch.setattr("mitxonline.coordinator.sending.send_tasks", take)
    return taken


def test_a_delivery_is_done_once() -> None:
    delivery = published(SeatTaken(1), "remember")
    assert run(delivery)
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DONE, 1, "")
    assert delivery.finished_at is not None
    assert delivery.lease_until is None
    assert not run(delivery)
    assert traces("remembered", 1) == 1


def test_its_receiver_belongs_to_the_trace_of_the_publisher() -> None:
    delivery = published(SeatTaken(1), "tell_on")
    Delivery.objects.filter(pk=delivery.pk).update(trace_id="request-77")
    run(delivery)
    assert traces("trace-request-77", 1) == 1


def test_a_failure_is_retried_later_and_logged_without_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    delivery = published(SeatWatched(1), "stumble")
    with caplog.at_level(logging.WARNING):
        assert run(delivery)
    assert (delivery.state, delivery.attempts) == (PENDING, 1)
    assert delivery.last_error.startswith("LookupError at coordinator/world.py:")
    assert delivery.last_error.endswith(": [e-mail] is not there")
    assert delivery.sent_at is None
    assert not run(delivery), "its time has not come"
    leave_trace("repaired", 1)
    assert run(delivery, now=delivery.next_attempt_at)
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DONE, 2, "")
    assert traces("watched", 1) == 1


def test_a_refusal_is_tried_again_without_a_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = published(SeatWatched(1), "stumble")

    def refuse(event: object) -> None:
        raise SeatRefused(sentence="Someone else is at it.")

    monkeypatch.setattr(deliveries, "find_receiver", lambda *names: (SeatWatched, refuse))
    with caplog.at_level(logging.WARNING):
        assert run(delivery)
    assert (delivery.state, delivery.attempts) == (PENDING, 1)
    (said,) = caplog.records
    assert said.message == "delivery failed, will be tried again"
    assert said.exc_info is None


def test_one_that_arrives_before_its_time_is_sent_again_when_it_has_come(sent: list[int]) -> None:
    delivery = published(SeatTaken(1), "remember")
    Delivery.objects.exclude(pk=delivery.pk).delete()
    later = clock.now() + timedelta(minutes=5)
    Delivery.objects.update(next_attempt_at=later)
    assert not run(delivery)
    assert deliveries.sweep(now=later) == 1
    assert sent == [delivery.pk]


def test_clocks_may_differ_a_little() -> None:
    delivery = published(SeatTaken(1), "remember")
    assert run(delivery, now=delivery.next_attempt_at - timedelta(seconds=1))


@override_settings(DELIVERY_MAX_ATTEMPTS=2)
def test_after_the_last_attempt_it_is_dead_and_stays_visible(caplog: pytest.LogCaptureFixture) -> None:
    delivery = published(SeatWatched(1), "stumble")
    run(delivery)
    with caplog.at_level(logging.ERROR):
        run(delivery, now=delivery.next_attempt_at)
    assert (delivery.state, delivery.attempts) == (DEAD, 2)
    assert delivery.finished_at is not None
    assert "delivery dead" in caplog.messages
    assert not run(delivery, now=clock.now() + timedelta(days=9))


def test_a_receiver_that_was_taken_out_of_the_table_is_not_called() -> None:
    delivery = published(SeatTaken(1), "remember")
    Delivery.objects.filter(pk=delivery.pk).update(handler="tests.coordinator.world.first")
    run(delivery)
    assert delivery.state == PENDING
    assert delivery.last_error.startswith("mitxonline.coordinator.routes.UnroutedReceiver")
    assert traces("first", 1) == 1, "only the one within the transaction"


def test_a_refusal_is_named_by_its_code() -> None:
    described = deliveries.describe_error(SeatRefused(sentence="no"))
    assert described == "tests.coordinator.world.SeatRefused (seat_refused)"


def test_a_running_delivery_cannot_be_claimed_again() -> None:
    delivery = published(SeatTaken(1), "remember")
    now = clock.now()
    claimed = claims.claim_delivery(delivery_id=delivery.pk, now=now)
    assert claimed is not None
    assert (claimed.state, claimed.attempts) == (RUNNING, 1)
    assert claims.claim_delivery(delivery_id=delivery.pk, now=now + timedelta(seconds=29)) is None
    again = claims.claim_delivery(delivery_id=delivery.pk, now=now + timedelta(seconds=31))
    assert again is not None
    assert again.attempts == 2


def test_finishing_after_the_lease_does_not_undo_the_next_run() -> None:
    delivery = published(SeatTaken(1), "remember")
    now = clock.now()
    late = claims.claim_delivery(delivery_id=delivery.pk, now=now)
    next_one = claims.claim_delivery(delivery_id=delivery.pk, now=now + timedelta(hours=1))
    assert late is not None
    assert next_one is not None
    with deliveries.Attempt(late):
        raise LookupError
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (RUNNING, 2)
    with deliveries.Attempt(next_one):
        leave_trace("done", 1)
    delivery.refresh_from_db()
    assert delivery.state == DONE


def test_a_worker_that_is_stopped_leaves_its_lease_to_run_out() -> None:
    delivery = published(SeatTaken(1), "remember")
    claimed = claims.claim_delivery(delivery_id=delivery.pk, now=clock.now())
    assert claimed is not None
    with pytest.raises(SystemExit), deliveries.Attempt(claimed):
        raise SystemExit
    delivery.refresh_from_db()
    assert delivery.state == RUNNING


@pytest.mark.django_db(transaction=True)
def test_one_of_two_workers_with_the_same_task_runs_it(together: Together, meet_at: MeetAt) -> None:
    delivery = published(SeatTaken(1), "remember")
    meeting = meet_at(deliveries, "claim_delivery", parties=4, before=True)
    answers = together(*[lambda: deliveries.run_delivery(delivery_id=delivery.pk, now=clock.now())] * 4)
    assert meeting.happened
    assert sorted(answers) == [False, False, False, True]
    assert traces("remembered", 1) == 1


def test_unsent_deliveries_are_sent_by_the_sweep(monkeypatch: pytest.MonkeyPatch, sent: list[int]) -> None:
    delivery = published(SeatTaken(1), "remember")
    Delivery.objects.exclude(pk=delivery.pk).delete()
    assert deliveries.sweep(now=clock.now()) == 0, "the broker has it"
    Delivery.objects.update(sent_at=None)
    assert deliveries.sweep(now=clock.now()) == 1
    assert deliveries.sweep(now=clock.now()) == 0
    assert sent == [delivery.pk]
    assert deliveries.sweep(now=clock.now() + timedelta(seconds=601)) == 1, "lost by the broker"


def test_what_the_broker_lost_is_sent_again_when_its_queue_is_empty(
    monkeypatch: pytest.MonkeyPatch, sent: list[int]
) -> None:
    """As after a web process that was killed between the commit and the sending."""
    here, elsewhere = published(SeatAsked(1), "note_question"), published(SeatAsked(2), "ask_elsewhere")
    Delivery.objects.exclude(pk__in=[here.pk, elsewhere.pk]).delete()
    later = clock.now() + timedelta(seconds=31)
    full = {settings.CELERY_TASK_DEFAULT_QUEUE: 3, settings.REMOTE_QUEUE: 3}
    monkeypatch.setattr(deliveries, "measure_queues", lambda: full)
    assert deliveries.sweep(now=later) == 0, "they wait in their queues"
    monkeypatch.setattr(deliveries, "measure_queues", lambda: full | {settings.REMOTE_QUEUE: 0})
    assert deliveries.sweep(now=later) == 1
    assert deliveries.sweep(now=later) == 0
    assert sent == [elsewhere.pk]
    assert run(elsewhere)
    assert not run(elsewhere)
    monkeypatch.setattr(deliveries, "measure_queues", lambda: dict.fromkeys(full, 0))
    assert deliveries.sweep(now=later - timedelta(seconds=10)) == 0, "the web process may be about to send it"
    interval = settings.DELIVERY_BEAT_SCHEDULE["sweep-deliveries"]["schedule"]
    assert isinstance(interval, float)
    assert settings.DELIVERY_LOST_AFTER + interval < 60


def test_a_broker_that_is_away_says_nothing_of_its_queues(monkeypatch: pytest.MonkeyPatch, sent: list[int]) -> None:
    _publish(SeatTaken(1))

    def fail() -> dict[str, int]:
        raise ConnectionRefusedError

    monkeypatch.setattr(deliveries, "measure_queues", fail)
    assert deliveries.sweep(now=clock.now() + timedelta(seconds=31)) == 0
    assert deliveries.sweep(now=clock.now() + timedelta(seconds=601)) == 2
    assert len(sent) == 2


def test_what_the_broker_did_not_take_is_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    for seat in range(2):
        _publish(SeatTaken(seat))
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    monkeypatch.setattr("mitxonline.coordinator.sending.send_tasks", lambda name, arguments, queue: 3)
    assert send_deliveries(ids) == 3
    assert list(Delivery.objects.filter(sent_at=None).order_by("pk").values_list("pk", flat=True)) == ids[3:]


@pytest.mark.parametrize("count", [2, 10])
def test_deliveries_that_are_taken_need_a_statement_each(count: int) -> None:
    for seat in range(count):
        _publish(SeatTaken(seat))
    Delivery.objects.exclude(handler__endswith="remember").delete()
    first, *rest = Delivery.objects.order_by("pk").values_list("pk", flat=True)
    with CaptureQueriesContext(connection) as captured:
        assert deliveries.run_delivery(delivery_id=first, now=clock.now(), take=take_from(rest))
    assert sum("coordinator_" in query["sql"] for query in captured) == count + 1
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DONE, 1)}
    assert set(DeliveryAttempt.objects.values_list("number", "outcome")) == {(1, "done")}
    assert all(traces("remembered", seat) == 1 for seat in range(count))


def test_a_failure_is_that_deliverys_own() -> None:
    failing, again = published(SeatWatched(1), "stumble"), published(SeatWatched(2), "stumble")
    good, last = published(SeatTaken(3), "remember"), published(SeatTaken(4), "remember")
    assert run(again)
    assert again.state == PENDING
    leave_trace("repaired", 2)
    Delivery.objects.filter(pk=again.pk).update(next_attempt_at=clock.now())
    take = take_from([again.pk, good.pk, last.pk])
    assert deliveries.run_delivery(delivery_id=failing.pk, now=clock.now(), take=take)
    made = Delivery.objects.filter(pk__in=[failing.pk, again.pk, good.pk, last.pk]).order_by("pk")
    assert list(made.values_list("state", "attempts")) == [(PENDING, 1), (DONE, 2), (DONE, 1), (DONE, 1)]
    assert [traces("remembered", seat) for seat in (3, 4)] == [1, 1]


def test_one_that_was_made_before_is_taken_to_no_effect() -> None:
    first, done, left = [published(SeatTaken(seat), "remember") for seat in (1, 2, 3)]
    run(done)
    assert deliveries.run_delivery(delivery_id=first.pk, now=clock.now(), take=take_from([done.pk, left.pk]))
    assert [traces("remembered", seat) for seat in (1, 2, 3)] == [1, 1, 0], "the third has its own task"


def test_a_worker_that_is_stopped_takes_no_more() -> None:
    delivery = published(SeatTaken(1), "remember")
    claimed = claims.claim_delivery(delivery_id=delivery.pk, now=clock.now())
    assert claimed is not None
    waiting = [7]
    with pytest.raises(SystemExit), deliveries.Attempt(claimed, take=take_from(waiting)):
        raise SystemExit
    assert waiting == [7]


@pytest.mark.parametrize(("queue", "takes"), [("tessera", True), (settings.REMOTE_QUEUE, False)])
def test_only_workers_of_the_default_queue_take_what_waits(
    monkeypatch: pytest.MonkeyPatch, queue: str, takes: bool
) -> None:
    first, second = published(SeatTaken(1), "remember"), published(SeatTaken(2), "remember")
    monkeypatch.setattr(tasks, "take_waiting", take_from([second.pk]))
    deliver_from(queue, first)
    assert [traces("remembered", seat) for seat in (1, 2)] == [1, int(takes)]


@override_settings(DELIVERY_TAKE_SECONDS=0)
def test_nothing_is_taken_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = published(SeatTaken(1), "remember"), published(SeatTaken(2), "remember")
    monkeypatch.setattr(tasks, "take_waiting", take_from([second.pk]))
    deliver_from("tessera", first)
    assert [traces("remembered", seat) for seat in (1, 2)] == [1, 0]


def take_from(ids: list[int]) -> deliveries.Take:
    """Take them as from a queue."""
    return lambda: ids.pop(0) if ids else None


def deliver_from(queue: str, delivery: Delivery) -> None:
    """Run the task as a worker that got it from this queue."""
    request: Any = {"called_directly": False, "delivery_info": {"routing_key": queue}}
    tasks.deliver.push_request(**request)
    try:
        tasks.deliver.run(delivery.pk)
    finally:
        tasks.deliver.pop_request()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_sends_its_deliveries_together(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[list[int]] = []
    monkeypatch.setattr("mitxonline.coordinator.sending.send_deliveries", lambda ids, queue: loads.append(list(ids)))
    with transaction.atomic():
        publish(SeatTaken(1))
        with suppress(LookupError), transaction.atomic():
            publish(SeatTaken(2))
            raise LookupError
        publish(SeatTaken(3))
    assert len(loads) == 1
    assert set(Delivery.objects.values_list("pk", flat=True)) < set(loads[0])
    with suppress(LookupError), transaction.atomic():
        publish(SeatTaken(4))
        raise LookupError
    with transaction.atomic():
        publish(SeatTaken(5))
    assert loads[1:] == [list(Delivery.objects.filter(payload__seat=5).order_by("pk").values_list("pk", flat=True))]


def test_deliveries_the_broker_refuses_stay_for_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    published(SeatTaken(1), "remember")
    Delivery.objects.update(sent_at=None)
    monkeypatch.setattr("mitxonline.coordinator.sending.send_tasks", lambda name, arguments, queue: 1)
    assert deliveries.sweep(now=clock.now()) == 1
    assert Delivery.objects.filter(sent_at=None).count() == 1


def test_a_lost_worker_and_a_due_retry_are_swept(sent: list[int]) -> None:
    now = clock.now()
    lost = published(SeatTaken(1), "remember")
    abandon(lost, since=now - timedelta(hours=1))
    retry = published(SeatWatched(1), "stumble")
    run(retry)
    Delivery.objects.exclude(pk__in=[lost.pk, retry.pk]).delete()
    assert deliveries.sweep(now=now) == 1
    assert deliveries.sweep(now=retry.next_attempt_at) == 1
    assert sent == [lost.pk, retry.pk]


@pytest.mark.django_db(transaction=True)
@override_settings(DELIVERY_LEASE=3)
def test_the_lease_of_a_receiver_that_takes_long_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = published(SeatTaken(1), "remember")

    def take_long(_event: object) -> None:
        first = Delivery.objects.get(pk=delivery.pk).lease_until
        until(lambda: Delivery.objects.filter(pk=delivery.pk, lease_until__gt=first).exists())

    monkeypatch.setattr(deliveries, "find_receiver", lambda *names: (SeatTaken, take_long))
    assert run(delivery)
    assert delivery.state == DONE


def test_the_lease_and_a_round_of_the_sweep_are_less_than_a_minute() -> None:
    sweep = float(str(settings.DELIVERY_BEAT_SCHEDULE["sweep-deliveries"]["schedule"]))
    assert settings.DELIVERY_LEASE + sweep < 60


@override_settings(DELIVERY_MAX_ATTEMPTS=1)
def test_a_delivery_that_kills_its_worker_is_dead(sent: list[int]) -> None:
    delivery = published(SeatTaken(1), "remember")
    now = clock.now()
    abandon(delivery, since=now - timedelta(hours=1))
    deliveries.sweep(now=now)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == (DEAD, "worker lost")
    assert delivery.pk not in sent


@override_settings(DELIVERY_SWEEP_SIZE=3)
def test_a_sweep_takes_the_oldest_and_no_more_than_it_can_carry(sent: list[int]) -> None:
    for seat in range(3):
        published(SeatTaken(seat), "remember") if seat == 0 else _publish(SeatTaken(seat))
    Delivery.objects.update(sent_at=None)
    assert deliveries.sweep(now=clock.now()) == 3
    assert sent == list(Delivery.objects.order_by("pk").values_list("pk", flat=True)[:3])


def test_a_dead_delivery_can_be_replayed(sent: list[int], django_capture_on_commit_callbacks: object) -> None:
    delivery = published(SeatWatched(1), "stumble")
    with override_settings(DELIVERY_MAX_ATTEMPTS=1):
        run(delivery)
    assert delivery.state == DEAD
    done = published(SeatTaken(1), "remember")
    run(done)
    replayed = replay_deliveries(ids=[delivery.pk, done.pk], by_id=None, now=clock.now())
    assert replayed.count == 1
    assert [str(refusal) for refusal in replayed.refusals] == [
        f"Delivery {done.pk} is already done. Doing it again could charge, enroll or write to someone twice."
    ]
    leave_trace("repaired", 1)
    assert run(delivery)
    assert (delivery.state, delivery.attempts) == (DONE, 2)


def test_old_deliveries_are_deleted_and_dead_ones_kept() -> None:
    done, dead = published(SeatTaken(1), "remember"), published(SeatWatched(1), "stumble")
    Delivery.objects.exclude(pk__in=[done.pk, dead.pk]).delete()
    run(done)
    with override_settings(DELIVERY_MAX_ATTEMPTS=1):
        run(dead)
    assert deliveries.purge(now=clock.now() + timedelta(days=29)) == 0
    assert deliveries.purge(now=clock.now() + timedelta(days=31)) == 1
    assert Delivery.objects.get() == dead


def test_waiting_doubles_up_to_an_hour_and_never_exactly() -> None:
    waits = [deliveries.backoff(attempts).total_seconds() for attempts in range(1, 40)]
    for attempts, wait in enumerate(waits):
        low = min(5 * 2**attempts, 3600)
        assert low <= wait <= low * 1.25
    assert len({deliveries.backoff(3) for _time in range(20)}) > 1


@pytest.mark.parametrize(
    "changes",
    [
        {"state": RUNNING},
        {"lease_until": datetime(2026, 1, 1, tzinfo=UTC)},
        {"state": DONE},
        {"finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_the_database_knows_what_a_delivery_can_be(changes: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        Delivery.objects.create(event_type="x", payload={}, handler="y", **changes)


def _publish(event: SeatTaken) -> None:
    with transaction.atomic():
        publish(event)
