from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from mitxonline.coordinator.checks import check_routes, check_times, known_events
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.routes import Receiver, Route
from tests.coordinator import world
from tests.coordinator.world import SeatTaken


def listens(event: SeatTaken) -> None:
    """A sound receiver."""


def listens_twice(event: SeatTaken, again: SeatTaken) -> None:
    """Wants more than an event."""


def listens_maybe(event: SeatTaken, again: SeatTaken | None = None) -> None:
    """Can be called with an event, and that is what counts."""


@dataclass(frozen=True)
class TooBig(Event):
    facts: dict[str, int]


def nested() -> Any:
    def inner(event: SeatTaken) -> None:
        """No one finds this by name."""

    return inner


TABLES: dict[str, Any] = {
    "sound": {SeatTaken: Route(within=(listens,), after_commit=(listens, listens_maybe))},
    "twice": {SeatTaken: Route(within=(listens, listens))},
    "signature": {SeatTaken: Route(after_commit=(cast("Receiver", listens_twice),))},
    "lambda": {SeatTaken: Route(within=(lambda event: None,))},
    "nested": {SeatTaken: Route(after_commit=(nested(),))},
    "partial": {SeatTaken: Route(after_commit=(partial(listens),))},
    "no event": {str: Route()},
    "no route": {SeatTaken: (listens,)},
    "too big": {TooBig: Route()},
    "no mapping": [SeatTaken],
}
SOUND, TWICE, SIGNATURE, LAMBDA, NESTED, PARTIAL, NO_EVENT, NO_ROUTE, TOO_BIG, NO_MAPPING = TABLES.values()


def problems(name: str) -> list[str]:
    with override_settings(EVENT_ROUTES=f"tests.coordinator.test_checks.{name}"):
        return [f"{each.id}: {each.msg}" for each in check_routes() if each.is_serious(30)]


@pytest.fixture(autouse=True)
def _no_other_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitxonline.coordinator.checks.known_events", lambda: {SeatTaken})


def test_a_sound_table_has_no_problems() -> None:
    assert problems("SOUND") == []


@pytest.mark.parametrize(
    ("table", "identifier", "words"),
    [
        ("TWICE", "E006", "listens is listed 2 times"),
        ("SIGNATURE", "E005", "listens_twice can't be called with an event"),
        ("LAMBDA", "E004", "can't be found by its name"),
        ("NESTED", "E004", "can't be found by its name"),
        ("PARTIAL", "E004", "can't be found by its name"),
        ("NO_EVENT", "E002", "is no Event"),
        ("NO_ROUTE", "E002", "has no Route"),
        ("TOO_BIG", "E003", "ids and plain values only"),
        ("NO_MAPPING", "E001", "doesn't name a mapping"),
        ("NOT_THERE", "E001", "can't be imported"),
    ],
)
def test_mistakes_in_a_route_table_are_reported_at_start(table: str, identifier: str, words: str) -> None:
    found = problems(table)
    assert [each for each in found if identifier in each and words in each], found


def test_an_event_without_a_route_is_a_warning() -> None:
    with override_settings(EVENT_ROUTES="tests.coordinator.test_checks.TOO_BIG"):
        warnings = [each for each in check_routes() if each.id == "coordinator.W001"]
    assert [each.msg for each in warnings] == ["tests.coordinator.world.SeatTaken is not routed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"DELIVERY_SOFT_TIME_LIMIT": 240},
        {"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 240}},
    ],
)
def test_times_that_would_let_two_workers_do_the_same_are_refused(changes: dict[str, object]) -> None:
    assert check_times() == []
    with override_settings(**changes):
        assert [each.id for each in check_times()] == ["coordinator.E007"]


def test_the_checks_run_with_djangos() -> None:
    with override_settings(EVENT_ROUTES="tests.coordinator.test_checks.TWICE"):
        assert "coordinator.E006" in {each.id for each in run_checks(tags=["coordinator"])}


def test_events_of_the_apps_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert world.SeatTaken not in known_events()
    assert all(event.__module__.split(".")[-1] == "events" for event in known_events())
