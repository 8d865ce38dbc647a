"""The route table: which receivers get an event, in which order and on which side of the commit.

The table is a dict at the top of the import graph, which the `EVENT_ROUTES` setting names. What the setting
`COMMERCE_EVENT_ROUTES_EXTRA` adds comes after it. Both are imported when they are first needed, so settings may name
receivers whose modules import models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.extras import SETTING, BrokenExtra, ExtraReceiver, read_additions

# A receiver after the commit may return a few words, which are kept with the attempt: "enrolled, verified".
Receiver: TypeAlias = Callable[[Any], object]
R = TypeVar("R", bound=Receiver)


class UnroutedEvent(LookupError):
    """The route table doesn't list a published event."""


class UnroutedReceiver(LookupError):
    """A delivery names a receiver that its event is no longer routed to."""


@dataclass(frozen=True, slots=True)
class Route:
    """The receivers of one event, each list in the order of calls.

    `within` receivers share the publisher's transaction and may refuse it by raising. `after_commit` receivers are
    recorded in it and called later, at least once, so they must tolerate being called twice. `remote` ones are like
    them, but call other systems and have a queue of their own.
    """

    within: tuple[Receiver, ...] = ()
    after_commit: tuple[Receiver, ...] = ()
    remote: tuple[Receiver, ...] = ()

    @property
    def later(self) -> tuple[Receiver, ...]:
        return self.after_commit + self.remote


@dataclass(frozen=True, slots=True)
class Ordering:
    """Whose events a receiver needs one after another: those with the same value in this field."""

    field: str
    sequence: str

    def key_of(self, event: Event) -> str:
        """Return what is equal for events of the same sequence. Empty if the field is None: such an event has none."""
        value = getattr(event, self.field)
        return "" if value is None else f"{self.sequence}:{value}"


def ordered_by(field: str, *, sequence: str = "") -> Callable[[R], R]:
    """Declare that a receiver needs the events with the same value in this field one after another.

        @ordered_by("order_number")
        def book(event: OrderFulfilled) -> None: ...

    A later delivery waits while an earlier one is pending, being made, tried again or dead; those of other orders don't
    wait. Receivers that name the same `sequence` wait for each other too. "Earlier" is the order of publishing, so the
    publisher has to hold a lock of what the field names, an order's row for its number.
    """

    def declare(receiver: R) -> R:
        receiver.ordering = Ordering(field, sequence or path_of(receiver))  # type: ignore[attr-defined]
        return receiver

    return declare


def ordering_of(receiver: Receiver) -> Ordering | None:
    """Return what a receiver declared with `ordered_by`."""
    ordering: Ordering | None = getattr(receiver, "ordering", None)
    return ordering


def routes() -> Mapping[type[Event], Route]:
    return _routes()


def route_of(event: type[Event]) -> Route:
    """Return the route of an event type, which may be empty. Raises UnroutedEvent."""
    try:
        return _routes()[event]
    except KeyError:
        raise UnroutedEvent(f"{event.type_name()} is not in {settings.EVENT_ROUTES}") from None


def path_of(receiver: Receiver) -> str:
    """Return the dotted path by which a delivery names a receiver."""
    return f"{getattr(receiver, '__module__', '?')}.{getattr(receiver, '__qualname__', repr(receiver))}"


def find_receiver(event_type: str, path: str) -> tuple[type[Event], Receiver]:
    """Return what a delivery names. Only functions in the table are ever called. Raises UnroutedReceiver."""
    return _find_receiver(event_type, path)


@cache
def _find_receiver(event_type: str, path: str) -> tuple[type[Event], Receiver]:
    # Some deliveries were recorded before their receivers were moved, by old code that runs during a deployment too.
    path = settings.MOVED_RECEIVERS.get(path, path).replace(".handlers.", ".receivers.")
    for event, route in _routes().items():
        if event.type_name() == event_type:
            for each in route.later:
                if path_of(each) == path:
                    return event, each
    raise UnroutedReceiver(f"{event_type} is not routed to {path}")


def remote_receivers() -> frozenset[str]:
    """Return the paths of the receivers that have the queue for remote calls."""
    return _remote_receivers()


@cache
def _remote_receivers() -> frozenset[str]:
    return frozenset(path_of(each) for route in _routes().values() for each in route.remote)


@cache
def _routes() -> Mapping[type[Event], Route]:
    table: Mapping[type[Event], Route] = import_string(settings.EVENT_ROUTES)
    additions = list(read_additions(settings.COMMERCE_EVENT_ROUTES_EXTRA))
    for each in additions:
        if isinstance(each, BrokenExtra):
            raise each
    return merge_routes(table, [each for each in additions if isinstance(each, ExtraReceiver)])


def merge_routes(table: Mapping[type[Event], Route], additions: Iterable[ExtraReceiver]) -> Mapping[type[Event], Route]:
    """Return the table with these receivers after its own."""
    merged = dict(table)
    for each in additions:
        route = merged.setdefault(each.event, Route())
        if each.side:
            merged[each.event] = replace(route, **{each.side: (*getattr(route, each.side), each.receiver)})
    return merged


def _forget_routes(*, setting: str, **_kwargs: object) -> None:
    if setting in ("EVENT_ROUTES", "MOVED_RECEIVERS", SETTING):
        _routes.cache_clear()
        _find_receiver.cache_clear()
        _remote_receivers.cache_clear()


setting_changed.connect(_forget_routes)
