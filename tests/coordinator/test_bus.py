import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import override_settings

from mitxonline.coordinator.bus import NotInTransaction, publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.routes import Route, UnroutedEvent, UnroutedReceiver, find_receiver, route_of
from mitxonline.event_routes import ROUTES
from mitxonline.kernel.trace import open_trace
from mitxonline.users.receivers import send_account_mail
from tests.coordinator import world
from tests.coordinator.world import SeatAsked, SeatLost, SeatRefused, SeatTaken, Unheard, Unrouted, traces

pytestmark = pytest.mark.django_db

COUNT_QUERIES = Callable[..., Any]


def test_receivers_within_hear_at_once_and_in_order() -> None:
    with transaction.atomic():
        publish(SeatTaken(1))
        assert (traces("first", 1), traces("second", 1)) == (1, 1)


def test_receivers_after_the_commit_are_written_down() -> None:
    with open_trace("request-77"), transaction.atomic():
        publish(SeatTaken(1))
    remember, tell_on = Delivery.objects.order_by("pk")
    assert (remember.handler, tell_on.handler) == (
        "tests.coordinator.world.remember",
        "tests.coordinator.world.tell_on",
    )
    assert (remember.event_type, remember.payload) == ("tests.coordinator.world.SeatTaken", {"seat": 1})
    assert (remember.state, remember.attempts, remember.trace_id) == (DeliveryState.PENDING, 0, "request-77")
    assert str(remember) == "SeatTaken → tests.coordinator.world.remember"
    assert traces("remembered", 1) == 0


def test_however_many_receivers_there_are_one_statement_records_them(
    django_assert_num_queries: COUNT_QUERIES,
) -> None:
    with transaction.atomic(), django_assert_num_queries(1):
        publish(world.SeatWatched(1))


def test_an_event_without_receivers_runs_no_query(django_assert_num_queries: COUNT_QUERIES) -> None:
    with transaction.atomic(), django_assert_num_queries(0):
        publish(Unheard())


def test_a_refusal_takes_everything_back() -> None:
    with pytest.raises(SeatRefused), transaction.atomic():
        world.take_and_lose(1)
    assert (traces("first", 1), traces("before refusal", 1)) == (0, 0)
    assert not Delivery.objects.exists()


def test_a_refusal_that_is_caught_inside_still_takes_everything_back() -> None:
    def careless() -> None:
        with transaction.atomic():
            try:
                publish(SeatLost(1))
            except SeatRefused:
                world.leave_trace("went on regardless", 1)

    with pytest.raises(TransactionManagementError):
        careless()
    assert (traces("before refusal", 1), traces("went on regardless", 1)) == (0, 0)


def test_an_unrouted_event_is_a_mistake() -> None:
    with (
        transaction.atomic(),
        pytest.raises(UnroutedEvent, match=r"Unrouted is not in tests\.coordinator\.world\.ROUTES"),
    ):
        publish(Unrouted())


def test_publishing_outside_a_transaction_fails_in_tests_also() -> None:
    assert connection.in_atomic_block
    with pytest.raises(NotInTransaction):
        publish(SeatTaken(1))
    assert traces("first", 1) == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_before_the_commit_nor_after_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[int]] = []
    monkeypatch.setattr("mitxonline.coordinator.sending.send_deliveries", lambda ids, queue: sent.append(ids))
    with transaction.atomic():
        publish(SeatTaken(1))
        assert sent == []
    assert sent == [list(Delivery.objects.order_by("pk").values_list("pk", flat=True))]
    with pytest.raises(SeatRefused), transaction.atomic():
        world.take_and_lose(2)
    assert len(sent) == 1


@pytest.mark.django_db(transaction=True)
def test_remote_receivers_have_a_queue_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, list[int]] = {}
    monkeypatch.setattr(
        "mitxonline.coordinator.sending.send_deliveries", lambda ids, queue: sent.setdefault(queue, []).extend(ids)
    )
    with transaction.atomic():
        publish(SeatAsked(1))
    receivers = dict(Delivery.objects.values_list("handler", "pk"))
    assert sent == {
        "": [receivers["tests.coordinator.world.note_question"]],
        settings.REMOTE_QUEUE: [receivers["tests.coordinator.world.ask_elsewhere"]],
    }


@pytest.mark.django_db(transaction=True)
def test_sending_errors_never_reach_the_visitor(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def burst(ids: list[int], queue: str) -> None:
        raise MemoryError

    monkeypatch.setattr("mitxonline.coordinator.sending.send_deliveries", burst)
    with caplog.at_level(logging.ERROR), transaction.atomic():
        publish(SeatTaken(1))
    assert Delivery.objects.count() == 2
    assert "on_commit" in caplog.text


def test_the_table_changes_with_the_setting() -> None:
    assert route_of(SeatTaken).within == (world.first, world.second)
    with override_settings(EVENT_ROUTES="tests.coordinator.test_bus.OTHER_ROUTES"):
        assert route_of(SeatTaken).within == ()
    assert route_of(SeatTaken).within == (world.first, world.second)


def test_only_what_the_table_lists_is_ever_called() -> None:
    event = "tests.coordinator.world.SeatTaken"
    assert find_receiver(event, "tests.coordinator.world.remember") == (SeatTaken, world.remember)
    for path in ("tests.coordinator.world.first", "os.system"):
        with pytest.raises(UnroutedReceiver):
            find_receiver(event, path)


def test_a_delivery_recorded_before_its_receiver_was_moved_finds_it() -> None:
    with override_settings(EVENT_ROUTES="mitxonline.event_routes.ROUTES"):
        event = "mitxonline.users.events.AccountMailQueued"
        assert find_receiver(event, "mitxonline.users.handlers.send_account_mail")[1] is send_account_mail
        assert find_receiver("ecommerce.events.NoticeReceived", "ecommerce.webhooks.notice_received")


def test_receivers_are_in_modules_of_that_name() -> None:
    routed = [each for route in ROUTES.values() for each in (*route.within, *route.later)]
    assert {each.__module__.rpartition(".")[2] for each in routed} == {"receivers"}


OTHER_ROUTES = {SeatTaken: Route()}
