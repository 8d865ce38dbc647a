"""Events and receivers to test with. A receiver records that it ran by making a group, so no table is added."""

from dataclasses import dataclass
from uuid import uuid4

from django.contrib.auth.models import Group

from mitxonline import event_routes
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.routes import Route, ordered_by
from mitxonline.kernel.db import named_lock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.trace import trace_id

GATE = ("tests", "gate")


@dataclass(frozen=True)
class SeatTaken(Event):
    seat: int


@dataclass(frozen=True)
class SeatLost(Event):
    seat: int


@dataclass(frozen=True)
class SeatWatched(Event):
    seat: int


@dataclass(frozen=True)
class SeatAsked(Event):
    seat: int


@dataclass(frozen=True)
class Unheard(Event):
    seat: int = 0


@dataclass(frozen=True)
class Unrouted(Event):
    seat: int = 0


@dataclass(frozen=True)
class OrderMoved(Event):
    order_number: str
    step: int


@dataclass(frozen=True)
class OrderClosed(Event):
    order_number: str | None = None


class SeatRefused(DomainError):
    code = "seat_refused"
    message = "{sentence}"
    sentence: str


def leave_trace(word: str, seat: int) -> None:
    Group.objects.create(name=f"{word} {seat} {uuid4().hex}")


def traces(word: str, seat: int) -> int:
    return Group.objects.filter(name__startswith=f"{word} {seat} ").count()


def first(event: SeatTaken) -> None:
    leave_trace("first", event.seat)


def second(event: SeatTaken) -> None:
    if not traces("first", event.seat):
        raise AssertionError("the first receiver was not first")
    leave_trace("second", event.seat)


def remember(event: SeatTaken) -> None:
    leave_trace("remembered", event.seat)


def tell_on(event: SeatTaken) -> None:
    leave_trace(f"trace-{trace_id()}", event.seat)


def refuse(event: SeatLost) -> None:
    leave_trace("before refusal", event.seat)
    raise SeatRefused(sentence="No.")


def stumble(event: SeatWatched) -> None:
    """Fail until the test has left the trace "repaired"."""
    if not traces("repaired", event.seat):
        raise LookupError("someone@example.org is not there")
    leave_trace("watched", event.seat)


def wait_at_gate(event: SeatWatched) -> None:
    """Wait until the test releases the gate's lock."""
    leave_trace("at the gate", event.seat)
    with named_lock(*GATE):
        leave_trace("through the gate", event.seat)


def note_question(event: SeatAsked) -> None:
    leave_trace("noted", event.seat)


def ask_elsewhere(event: SeatAsked) -> None:
    """Wait until the test releases the gate's lock, as for a remote answer."""
    leave_trace("asked", event.seat)
    with named_lock(*GATE):
        leave_trace("answered", event.seat)


@ordered_by("order_number")
def follow_order(event: OrderMoved) -> str:
    """Fail until the test has left the trace "repaired" for this step."""
    if event.step < 0 and not traces("repaired", event.step):
        raise LookupError("not yet")
    leave_trace(f"{event.order_number} moved", event.step)
    return f"step {event.step}"


def count_order(event: OrderMoved) -> int:
    leave_trace(f"{event.order_number} counted", event.step)
    return event.step


@ordered_by("order_number", sequence="shelf")
def put_on_shelf(event: OrderMoved) -> None:
    leave_trace(f"{event.order_number} on shelf", event.step)


@ordered_by("order_number", sequence="shelf")
def take_off_shelf(event: OrderClosed) -> None:
    leave_trace(f"{event.order_number} off shelf", 0)


def take_and_lose(seat: int) -> None:
    publish(SeatTaken(seat))
    publish(SeatLost(seat))


ROUTES = event_routes.ROUTES | {
    SeatTaken: Route(within=(first, second), after_commit=(remember, tell_on)),
    SeatLost: Route(within=(refuse,), after_commit=(remember,)),
    SeatWatched: Route(after_commit=(stumble, wait_at_gate)),
    SeatAsked: Route(after_commit=(note_question,), remote=(ask_elsewhere,)),
    OrderMoved: Route(after_commit=(follow_order, count_order), remote=(put_on_shelf,)),
    OrderClosed: Route(after_commit=(take_off_shelf,)),
    Unheard: Route(),
}
