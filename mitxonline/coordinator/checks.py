"""System checks of the route table: mistakes are reported when a process starts, not when an event is published."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from importlib import import_module
from itertools import pairwise

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string, module_has_submodule

from mitxonline.coordinator.events import Event, UnsuitableField, field_types
from mitxonline.coordinator.routes import Receiver, Route, path_of, routes

_RECEIVER_HINT = "A receiver is a module-level function that takes the event and nothing else."


def check_routes(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that every event has a route, and that every receiver in it can be called and is listed once."""
    try:
        table: object = routes()
    except (ImportError, AttributeError) as error:
        return [Error(f"EVENT_ROUTES can't be imported: {error}", id="coordinator.E001")]
    if not isinstance(table, Mapping):
        return [Error("EVENT_ROUTES doesn't name a mapping of events to routes", id="coordinator.E001")]
    problems: list[CheckMessage] = []
    for event, route in table.items():
        problems += _check_route(event, route)
    return problems + [
        Warning(
            f"{event.type_name()} is not routed",
            hint="Give an event without receivers an empty Route().",
            id="coordinator.W001",
        )
        for event in sorted(known_events() - set(table), key=lambda event: event.type_name())
    ]


def check_times(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check soft limit < hard limit < visibility timeout, because otherwise work could be done twice at once."""
    transport = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    ladder = [
        ("DELIVERY_SOFT_TIME_LIMIT", settings.DELIVERY_SOFT_TIME_LIMIT),
        ("DELIVERY_TIME_LIMIT", settings.DELIVERY_TIME_LIMIT),
        ("the broker's visibility timeout", transport.get("visibility_timeout", 3600)),
    ]
    return [
        Error(f"{shorter} ({low} s) must be shorter than {longer} ({high} s)", id="coordinator.E007")
        for (shorter, low), (longer, high) in pairwise(ladder)
        if low >= high
    ]


def known_events() -> set[type[Event]]:
    """Return the events declared in the `events` modules of the installed apps."""
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "events"):
            import_module(f"{app.name}.events")
    modules = tuple(f"{app.name}.events" for app in apps.get_app_configs())
    return {event for event in _descendants(Event) if event.__module__.startswith(modules)}


def _descendants(event: type[Event]) -> Iterator[type[Event]]:
    for child in event.__subclasses__():
        yield child
        yield from _descendants(child)


def _check_route(event: object, route: object) -> Iterator[CheckMessage]:
    if not (isinstance(event, type) and issubclass(event, Event) and is_dataclass(event)):
        yield Error(f"{event!r} is routed but is no Event", id="coordinator.E002")
        return
    if not isinstance(route, Route):
        yield Error(f"{event.type_name()} has no Route but {route!r}", id="coordinator.E002")
        return
    try:
        field_types(event)
    except (UnsuitableField, NameError) as error:
        yield Error(str(error), id="coordinator.E003")
    for side, receivers in (("within", route.within), ("after_commit", route.later)):
        where = f"{event.type_name()}, {side}"
        for receiver in receivers:
            yield from _check_receiver(receiver, where=where)
        for path, times in Counter(map(path_of, receivers)).items():
            if times > 1:
                yield Error(f"{where}: {path} is listed {times} times", id="coordinator.E006")


def _check_receiver(receiver: Receiver, *, where: str) -> Iterator[CheckMessage]:
    path = path_of(receiver)
    try:
        found = import_string(path)
    except ImportError:
        found = None
    if found is not receiver or not callable(receiver):
        yield Error(f"{where}: {path} can't be found by its name", hint=_RECEIVER_HINT, id="coordinator.E004")
        return
    try:
        inspect.signature(receiver).bind(object())
    except TypeError as error:
        yield Error(
            f"{where}: {path} can't be called with an event: {error}",
            hint=_RECEIVER_HINT,
            id="coordinator.E005",
        )
