"""Receivers that are `ordered_by` a field get the events of one order one after another."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from mitxonline.coordinator import claims, deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.errors import NotItsTurn
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.replay import find_blocker, give_up, replay_delivery
from mitxonline.coordinator.routes import ordering_of
from mitxonline.kernel import clock
from tests.coordinator.world import OrderClosed, OrderMoved, count_order, follow_order, leave_trace, traces
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db

PENDING, RUNNING, DONE, DEAD = DeliveryState.PENDING, DeliveryState.RUNNING, DeliveryState.DONE, DeliveryState.DEAD


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the broker was given."""
    taken: list[int] = []

    def take(name: str, arguments: list[tuple[int]], queue: str) -> int:
        taken.extend(each[0] for each in arguments)
        return len(arguments)

    monkeypatch.setattr("mitxonline.coordinator.sending.send_tasks", take)
    return taken


def moved(order: str, step: int, receiver: str = "follow_order") -> Delivery:
    """Publish a step of an order and return the delivery to one receiver. A step below 0 fails until repaired."""
    with transaction.atomic():
        publish(OrderMoved(order, step))
    return Delivery.objects.filter(handler__endswith=f".{receiver}").latest("pk")


def run(delivery: Delivery) -> bool:
    delivery.refresh_from_db()
    later = max(clock.now(), delivery.next_attempt_at)
    done = deliveries.run_delivery(delivery_id=delivery.pk, now=later)
    delivery.refresh_from_db()
    return done


def test_the_declaration_can_be_read() -> None:
    ordering = ordering_of(follow_order)
    assert ordering is not None
    assert (ordering.field, ordering.sequence) == ("order_number", "tests.coordinator.world.follow_order")
    assert ordering_of(count_order) is None


def test_the_key_is_stored_with_the_delivery() -> None:
    moved("A", 1)
    assert dict(Delivery.objects.values_list("handler", "order_key")) == {
        "tests.coordinator.world.follow_order": "tests.coordinator.world.follow_order:A",
        "tests.coordinator.world.count_order": "",
        "tests.coordinator.world.put_on_shelf": "shelf:A",
    }


def test_an_event_without_a_value_waits_for_no_other() -> None:
    with transaction.atomic():
        publish(OrderClosed())
    assert Delivery.objects.get().order_key == ""


def test_a_later_one_waits_while_an_earlier_one_is_tried_again() -> None:
    earlier, later, other = moved("A", -1), moved("A", 2), moved("B", 3)
    assert not run(later), "the earlier one has not been made"
    assert run(earlier)
    assert earlier.state == PENDING
    assert not run(later), "the earlier one is tried again"
    assert (later.state, later.attempts) == (PENDING, 0)
    assert not later.history.exists()
    assert run(other), "another order waits for neither"
    leave_trace("repaired", -1)
    assert run(earlier)
    assert run(later)
    assert (traces("A moved", -1), traces("A moved", 2), traces("B moved", 3)) == (1, 1, 1)


def test_receivers_without_an_order_wait_for_nothing() -> None:
    moved("A", -1)
    assert run(moved("A", 2, "count_order"))
    assert run(moved("A", 3, "put_on_shelf")) is False, "an earlier one of its sequence waits"


def test_receivers_of_one_sequence_wait_for_each_other() -> None:
    put = moved("A", 1, "put_on_shelf")
    with transaction.atomic():
        publish(OrderClosed("A"))
        publish(OrderClosed("B"))
    take_a, take_b = Delivery.objects.filter(handler__endswith=".take_off_shelf").order_by("pk")
    assert not run(take_a)
    assert run(take_b)
    assert run(put)
    assert run(take_a)


def test_while_one_is_made_no_other_of_its_order_is() -> None:
    earlier, later = moved("A", 1), moved("A", 2)
    assert claims.claim_delivery(delivery_id=earlier.pk, now=clock.now())
    assert claims.claim_delivery(delivery_id=later.pk, now=clock.now()) is None
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.filter(pk=later.pk).update(state=RUNNING, lease_until=clock.now())


def test_one_that_becomes_visible_late_waits_for_the_one_being_made() -> None:
    """Its publisher held no lock: the later number was committed first."""
    earlier, later = moved("A", 1), moved("A", 2)
    Delivery.objects.filter(pk=earlier.pk).update(order_key="elsewhere")
    assert claims.claim_delivery(delivery_id=later.pk, now=clock.now())
    Delivery.objects.filter(pk=earlier.pk).update(order_key=later.order_key)
    assert claims.claim_delivery(delivery_id=earlier.pk, now=clock.now()) is None


def test_the_next_one_is_sent_as_soon_as_the_earlier_is_done(sent: list[int]) -> None:
    earlier, later = moved("A", 1), moved("A", 2)
    other = moved("B", 3)
    assert not run(later)
    assert sent == []
    run(earlier)
    assert sent == [later.pk]
    later.refresh_from_db()
    assert later.sent_at is not None
    run(other)
    assert sent == [later.pk]


def test_the_sweep_sends_only_those_whose_turn_it_is(sent: list[int]) -> None:
    earlier, later, other = moved("A", -1), moved("A", 2), moved("B", 3)
    Delivery.objects.exclude(pk__in=[earlier.pk, later.pk, other.pk]).delete()
    Delivery.objects.update(sent_at=None)
    deliveries.sweep(now=clock.now())
    assert sorted(sent) == [earlier.pk, other.pk]


@override_settings(DELIVERY_MAX_ATTEMPTS=1)
def test_a_dead_one_holds_the_later_ones_until_it_is_given_up(
    sent: list[int], django_capture_on_commit_callbacks: object
) -> None:
    earlier, later, last = moved("A", -1), moved("A", 2), moved("A", 3)
    run(earlier)
    assert earlier.state == DEAD
    assert not run(later)
    assert find_blocker(later) == earlier
    assert find_blocker(last) == earlier
    with pytest.raises(NotItsTurn) as refused:
        replay_delivery(delivery_id=later.pk, by_id=None, now=clock.now())
    assert str(refused.value) == (
        f"Delivery {later.pk} waits for delivery {earlier.pk}, which comes first. Replay that one, or give it up."
    )
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        give_up(delivery_id=earlier.pk, reason="Done by hand.", by_id=None, now=clock.now())
    assert sent == [later.pk]
    assert run(later)
    assert find_blocker(last) is None


def test_a_lost_worker_keeps_its_place() -> None:
    earlier, later = moved("A", 1), moved("A", 2)
    begun = clock.now()
    assert claims.claim_delivery(delivery_id=earlier.pk, now=begun)
    after = begun + timedelta(hours=1)
    assert claims.claim_delivery(delivery_id=later.pk, now=after) is None
    assert claims.claim_delivery(delivery_id=earlier.pk, now=after)


def race(together: Together, meet_at: MeetAt) -> list[object]:
    """Two workers at the same moment, each with one delivery of an order. Neither sees that the other is at it."""
    earlier, later = moved("A", 1), moved("A", 2)
    # As if the first were committed after the second worker had looked: only the order of claims protects it.
    Delivery.objects.filter(pk=earlier.pk).update(order_key="elsewhere")
    meeting = meet_at(claims, "claim_delivery", parties=2, before=True)
    Delivery.objects.filter(pk=earlier.pk).update(order_key=later.order_key)

    def claim(delivery: Delivery) -> bool:
        return claims.claim_delivery(delivery_id=delivery.pk, now=clock.now()) is not None

    answers = together(lambda: claim(earlier), lambda: claim(later))
    assert meeting.happened
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_with_one_order_the_first_delivery_is_made(together: Together, meet_at: MeetAt) -> None:
    assert race(together, meet_at) == [True, False]


@pytest.mark.django_db(transaction=True)
def test_without_the_turn_both_would_be_made(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same race without the condition in the claim, and without the constraint."""
    unordered = claims._CLAIM.replace("order_key = '' OR NOT EXISTS", "true OR NOT EXISTS")
    assert unordered != claims._CLAIM
    monkeypatch.setattr(claims, "_CLAIM", unordered)
    with connection.schema_editor() as editor:
        editor.execute("ALTER INDEX delivery_one_at_a_time RENAME TO hidden")
        editor.execute("DROP INDEX hidden")
    try:
        assert race(together, meet_at) == [True, True]
    finally:
        Delivery.objects.all().delete()
        constraint = next(each for each in Delivery._meta.constraints if each.name == "delivery_one_at_a_time")
        with connection.schema_editor() as editor:
            editor.add_constraint(Delivery, constraint)


@pytest.mark.django_db(transaction=True)
def test_without_the_turn_the_constraint_lets_one_be_made(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_CLAIM", claims._CLAIM.replace("order_key = '' OR NOT EXISTS", "true OR NOT EXISTS"))
    assert sorted(map(bool, race(together, meet_at))) == [False, True]


@pytest.mark.parametrize("waiting", [2, 10])
def test_a_turn_costs_the_same_for_any_number_that_waits(waiting: int) -> None:
    earlier = moved("A", 1)
    for step in range(waiting):
        moved("A", 2 + step)
    with CaptureQueriesContext(connection) as captured:
        run(earlier)
    coordinators = [query["sql"] for query in captured if "coordinator_" in query["sql"]]
    # The claim (first as of one without an order), the result, a look for the next one; the other two are this test's.
    assert len(coordinators) == 6
