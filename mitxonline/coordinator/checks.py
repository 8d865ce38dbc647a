"""System checks of the route table: mistakes are reported when a process starts, not when an event is published.

Each message begins with the line to change (of the route table, the settings or the receiver) and says what to write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from typing import Any

from celery import Task
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string, module_has_submodule

from mitxonline.coordinator.events import Event, UnsuitableField, field_types
from mitxonline.coordinator.extras import SETTING, SIDES, BrokenExtra, ExtraReceiver, read_additions
from mitxonline.coordinator.graph import Cycle, build_hearings, find_cycles, find_silent_events
from mitxonline.coordinator.places import (
    Place,
    TableSource,
    names_in,
    place_in_settings,
    place_of_code,
    place_of_error,
)
from mitxonline.coordinator.routes import Route, merge_routes, ordering_of, path_of

_RECEIVER_HINT = "A receiver is a module-level function that takes the event and nothing else."
_NAME = re.compile(r"(?:cannot import name|has no attribute|name) '(\w+)'")


def check_routes(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that every event has a route, and that every receiver in it can be called and is listed once."""
    source = TableSource(settings.EVENT_ROUTES)
    try:
        table: object = import_string(settings.EVENT_ROUTES)
    except Exception as error:  # noqa: BLE001 - whatever a module raises while it is imported
        return [_report_import(error, source)]
    source = TableSource(settings.EVENT_ROUTES)
    if not isinstance(table, Mapping):
        hint = f"Write {settings.EVENT_ROUTES.rpartition('.')[2]} = {{SomeEvent: Route(…)}}."
        return [_error(source.place, "EVENT_ROUTES doesn't name a mapping of events to routes", hint, "E001")]
    additions = list(read_additions(settings.COMMERCE_EVENT_ROUTES_EXTRA))
    problems: list[CheckMessage] = [_report_addition(each) for each in additions if isinstance(each, BrokenExtra)]
    for event, route in table.items():
        problems += _check_entry(event, route, source)
    if problems:
        return problems
    good = [each for each in additions if isinstance(each, ExtraReceiver)]
    merged = merge_routes(table, good)
    places = _Places(source, good)
    for event, route in merged.items():
        problems += _check_route(event, route, places)
    if not problems:
        problems += [_report_cycle(cycle, places) for cycle in find_cycles(build_hearings(merged))]
    return problems + _check_events(merged, places)


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


class _Places:
    """Where a receiver of an event is listed: in the table, or in the setting that adds to it."""

    def __init__(self, source: TableSource, additions: Sequence[ExtraReceiver]) -> None:
        self.source = source
        self._added = [(each.event, each.receiver, each.path) for each in additions if each.side]

    def of_event(self, event: object) -> Place:
        return self.source.place_of(event)

    def of_receiver(self, event: object, receiver: object, *, is_last: bool = False) -> Place:
        for added_event, added, path in self._added:
            if added_event is event and added is receiver:
                place = place_in_settings(SETTING, path)
                return place if place.line else Place(f'{SETTING}, "{path}"')
        return self.source.place_of(event, receiver, time=1 if is_last else 0)


def _error(place: object, sentence: str, hint: str, number: str) -> Error:
    return Error(sentence, hint=hint, obj=place, id=f"coordinator.{number}")


def _report_import(error: Exception, source: TableSource) -> Error:
    """Report what failed while the route table was imported, with the nearest name that exists."""
    # Django reports a wrong name inside the table as if the table itself weren't there.
    cause = error.__cause__ if isinstance(error.__cause__, AttributeError) else error
    module, _dot, table = settings.EVENT_ROUTES.rpartition(".")
    if getattr(getattr(cause, "obj", None), "__name__", "") == module:
        near = get_close_matches(table, names_in(cause), 1) or ["ROUTES"]
        hint = f'Write EVENT_ROUTES = "{module}.{near[0]}".'
        return _error(place_in_settings("EVENT_ROUTES", settings.EVENT_ROUTES), f"{error}", hint, "E001")
    return _report_line(cause, source)


def _report_line(error: BaseException, source: TableSource) -> Error:
    place = place_of_error(error) or Place(source.file, 1)
    hint = f"The line is: {place.text}"
    if found := _NAME.search(str(error)):
        name = found[1]
        if near := get_close_matches(name, names_in(error), 1):
            hint = f"Write {near[0]} instead of {name}: {place.text.replace(name, near[0])}"
        elif isinstance(error, NameError):
            hint = _advise_import(name) or hint
    return _error(place, f"EVENT_ROUTES can't be imported: {error}", hint, "E001")


def _advise_import(name: str) -> str:
    known = {event.__name__: event for event in known_events()}
    if name in known:
        return f"Add the line: from {known[name].__module__} import {name}"
    near = get_close_matches(name, known, 1)
    return f"Write {near[0]} instead of {name}." if near else ""


def _report_addition(broken: BrokenExtra) -> Error:
    return _error(place_in_settings(SETTING, broken.entry), broken.sentence, f"{SETTING}: {broken.advice}", "E011")


def _check_entry(event: object, route: object, source: TableSource) -> Iterator[CheckMessage]:
    if not (isinstance(event, type) and issubclass(event, Event) and is_dataclass(event)):
        hint = "Write an Event: a frozen dataclass of ids and plain values, from an events module."
        yield _error(source.place_of(event), f"{event!r} is routed but is no Event", hint, "E002")
        return
    place = source.place_of(event)
    name = event.__name__
    if not isinstance(route, Route):
        hint = f"Write {name}: Route(after_commit=(…,))."
        yield _error(place, f"{event.type_name()} has no Route but {route!r}", hint, "E002")
        return
    for side in SIDES:
        receivers = getattr(route, side)
        if not isinstance(receivers, tuple):
            hint = f"Write {side}=({getattr(receivers, '__name__', '…')},) with a comma before the closing bracket."
            yield _error(place, f"{name}, {side}: {receivers!r} is no tuple of receivers", hint, "E002")
    try:
        field_types(event)
    except (UnsuitableField, NameError) as error:
        hint = "Write an int, str, bool, date, datetime, Decimal or UUID, a tuple of these, or one of them | None."
        declared = inspect.getsourcelines(event)[1]
        yield _error(Place(inspect.getsourcefile(event) or name, declared), str(error), hint, "E003")


def _check_route(event: type[Event], route: Route, places: _Places) -> Iterator[CheckMessage]:
    seen: dict[str, str] = {}
    for side in SIDES:
        for receiver in getattr(route, side):
            path = path_of(receiver)
            where = f"{event.type_name()}, {side}"
            if path in seen:
                place = places.of_receiver(event, receiver, is_last=True)
                also = f"{where} and {seen[path]}" if seen[path] != side else where
                hint = f"Remove {receiver.__name__} from the line: one delivery per receiver is enough."
                yield _error(place, f"{also}: {path} is listed twice", hint, "E006")
            else:
                seen[path] = side
                place = places.of_receiver(event, receiver)
                yield from _check_receiver(receiver, where=where, place=place)
                yield from _check_ordering(event, receiver, where=where, place=place)


def _check_receiver(receiver: Any, *, where: str, place: Place) -> Iterator[CheckMessage]:
    path = path_of(receiver)
    if (task := _find_task(receiver)) is not None:
        hint = (
            f"Write a plain function instead of the task {task.name}: def hear(event): … in a receivers module. "
            "The coordinator's own worker calls it, and repeats it when it fails."
        )
        yield _error(place, f"{where}: {task.name} is a Celery task, not a function", hint, "E008")
        return
    try:
        found = import_string(path)
    except ImportError:
        found = None
    if found is not receiver or not callable(receiver) or isinstance(receiver, type):
        hint = f"{_RECEIVER_HINT} Write one, and its name here."
        yield _error(place, f"{where}: {path} can't be found by its name as a function", hint, "E004")
        return
    at = place_of_code(inspect.unwrap(receiver))
    hint = f"{_RECEIVER_HINT} Write def {receiver.__name__}(event): … at {at}."
    try:
        inspect.signature(receiver).bind(object())
    except (TypeError, ValueError) as error:
        yield _error(place, f"{where}: {path} can't be called with the event alone: {error}", hint, "E005")
    if inspect.iscoroutinefunction(receiver) or inspect.isgeneratorfunction(receiver):
        yield _error(place, f"{where}: calling {path} would run nothing: it is async or a generator", hint, "E009")


def _check_ordering(event: type[Event], receiver: Any, *, where: str, place: Place) -> Iterator[CheckMessage]:
    ordering = ordering_of(receiver)
    if ordering is None or ordering.field in field_types(event):
        return
    near = get_close_matches(ordering.field, field_types(event), 1) or list(field_types(event)) or ["…"]
    at = place_of_code(inspect.unwrap(receiver))
    hint = f'Write @ordered_by("{near[0]}") at {at}, or give the event the field {ordering.field}.'
    yield _error(
        place, f"{where}: {path_of(receiver)} is ordered by {ordering.field}, which the event lacks", hint, "E013"
    )


def _find_task(receiver: Any) -> Task[Any, Any] | None:
    """Return the Celery task that a receiver is, or is a method of: `send.delay`."""
    owner = getattr(receiver, "__self__", None)
    for each in (receiver, owner):
        if isinstance(each, Task):
            return each
    return None


def _report_cycle(cycle: Cycle, places: _Places) -> Error:
    way = cycle[0][0].event.__name__
    for step, publication in cycle:
        way += f" → {path_of(step.receiver)} → {publication.event.__name__} ({publication})"
    last, publication = cycle[-1]
    hint = (
        f"Remove {last.receiver.__name__} from the line, or make it not publish {publication.event.__name__} "
        f"at {publication}: each of these events would publish the next for ever."
    )
    return _error(places.of_receiver(last.event, last.receiver), f"a cycle: {way}", hint, "E012")


def _check_events(table: Mapping[type[Event], Route], places: _Places) -> list[CheckMessage]:
    """Check that every declared event is routed, and that something publishes each."""
    known = sorted(known_events(), key=lambda event: event.type_name())
    unrouted: list[CheckMessage] = [
        _error(
            places.source.end,
            f"{event.type_name()} is not routed, so publishing it would fail",
            f"Write above this line: {event.__name__}: Route(), with from {event.__module__} import {event.__name__}. "
            f'A package of your own adds "{event.type_name()}": [] to {SETTING}.',
            "E010",
        )
        for event in known
        if event not in table
    ]
    return unrouted + [
        Warning(
            f"no code of an installed app publishes {event.type_name()}",
            hint=f"Publish {event.__name__}(…) where it happens, or remove this line and the event.",
            obj=places.of_event(event),
            id="coordinator.W002",
        )
        for event in find_silent_events(event for event in known if event in table)
    ]
