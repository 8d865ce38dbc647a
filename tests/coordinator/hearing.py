"""Receivers to sabotage route tables with, and what they publish."""

from dataclasses import dataclass
from typing import Any

from celery import shared_task

from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.publications import publishes
from mitxonline.coordinator.routes import ordered_by
from tests.coordinator.world import SeatAsked, SeatLost, SeatTaken, SeatWatched


@dataclass(frozen=True)
class TooBig(Event):
    facts: dict[str, int]


def listen(event: SeatTaken) -> None:
    """A sound receiver."""


def listen_twice(event: SeatTaken, again: SeatTaken) -> None:
    """Wants more than an event."""


def listen_maybe(event: SeatTaken, again: SeatTaken | None = None) -> None:
    """Can be called with an event, and that is what counts."""


@ordered_by("set")
def listen_in_order(event: SeatTaken) -> None:
    """The field is called seat."""


async def listen_later(event: SeatTaken) -> None:
    """Would never run."""


class Listener:
    def __init__(self, event: SeatTaken) -> None:
        """Can be called with an event, but is no function."""


@shared_task(name="tests.hearing.queue_seat")
def queue_seat(seat: int) -> None:
    """A Celery task takes what JSON has, not an event."""


def lose_again(event: SeatTaken) -> None:
    if event.seat:
        _lose(event.seat)


def _lose(seat: int) -> None:
    publish(SeatLost(seat))


def take_again(event: SeatLost) -> None:
    publish(SeatTaken(event.seat))


def take_over_and_over(event: SeatTaken) -> None:
    for again in [SeatTaken(seat) for seat in range(event.seat)]:  # in a code object of its own
        publish(again)


def only_compare(event: SeatTaken | SeatLost) -> None:
    if isinstance(event, SeatTaken) or type(event) is SeatLost or isinstance(event, (SeatTaken, SeatLost)):
        publish(SeatWatched(event.seat))


def publish_by_variable(event: SeatAsked) -> Any:
    make: Any = globals()["SeatAsked"]
    publish(make(event.seat))


@publishes(SeatAsked)
def declare_what_it_publishes(event: SeatAsked) -> None:
    publish_by_variable(event)
