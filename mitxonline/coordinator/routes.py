"""The route table: which receivers hear an event, in which order and on which side of the commit.

The table itself is a dict at the top of the import graph, named by the `EVENT_ROUTES` setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from mitxonline.coordinator.events import Event

Receiver: TypeAlias = Callable[[Any], None]


class UnroutedEvent(LookupError):
    """An event was published that the route table does not know."""


class UnroutedReceiver(LookupError):
    """A delivery names a receiver that no longer hears its event."""


@dataclass(frozen=True, slots=True)
class Route:
    """The receivers of one event, each list in the order of hearing.

    `within` receivers share the publisher's transaction and may refuse it by raising; `after_commit`
    receivers are recorded in it and run later, at least once, so they must bear being called twice. `remote`
    ones are such receivers that call others and may have to wait for them: they run from a queue of their own.
    """

    within: tuple[Receiver, ...] = ()
    after_commit: tuple[Receiver, ...] = ()
    remote: tuple[Receiver, ...] = ()

    @property
    def later(self) -> tuple[Receiver, ...]:
        """All that hear it after the commit."""
        return self.after_commit + self.remote


def routes() -> Mapping[type[Event], Route]:
    """The table in force."""
    return _routes()


def route_of(event: type[Event]) -> Route:
    """The route of an event type; UnroutedEvent if the table has none (an empty Route is a route)."""
    try:
        return _routes()[event]
    except KeyError:
        raise UnroutedEvent(f"{event.type_name()} is not in {settings.EVENT_ROUTES}") from None


def path_of(receiver: Receiver) -> str:
    """The dotted path a delivery row knows a receiver by."""
    return f"{getattr(receiver, '__module__', '?')}.{getattr(receiver, '__qualname__', repr(receiver))}"


def find_receiver(event_type: str, path: str) -> tuple[type[Event], Receiver]:
    """What a delivery row names: only what the table lists is ever called, whatever the row says."""
    # Some deliveries were recorded before receivers.py had that name, by old code that ran during a deployment too.
    path = path.replace(".handlers.", ".receivers.")
    for event, route in _routes().items():
        if event.type_name() == event_type:
            for each in route.later:
                if path_of(each) == path:
                    return event, each
    raise UnroutedReceiver(f"{path} does not hear {event_type}")


def remote_receivers() -> frozenset[str]:
    """The paths of the receivers that run from the queue of remote calls."""
    return _remote_receivers()


@cache
def _remote_receivers() -> frozenset[str]:
    return frozenset(path_of(each) for route in _routes().values() for each in route.remote)


@cache
def _routes() -> Mapping[type[Event], Route]:
    table: Mapping[type[Event], Route] = import_string(settings.EVENT_ROUTES)
    return table


def _forget_routes(*, setting: str, **_kwargs: object) -> None:
    if setting == "EVENT_ROUTES":
        _routes.cache_clear()
        _remote_receivers.cache_clear()


setting_changed.connect(_forget_routes)
