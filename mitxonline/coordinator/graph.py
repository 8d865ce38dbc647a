"""The route table as a graph: events lead to receivers, and receivers to the events that they publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.apps import apps

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.publications import Publication, find_publications
from mitxonline.coordinator.routes import Receiver, Route

SIDES = {"within": "within", "after_commit": "after commit", "remote": "after commit, remote"}


@dataclass(frozen=True)
class Hearing:
    """An event heard by one receiver, and what that one publishes."""

    event: type[Event]
    side: str
    receiver: Receiver
    publications: Mapping[type[Event], Publication] = field(hash=False)


Cycle = Sequence[tuple[Hearing, Publication]]


def build_hearings(table: Mapping[type[Event], Route]) -> list[Hearing]:
    """Return every receiver of the table, events in the order of their names."""
    packages = top_packages(table)
    return [
        Hearing(event, side, receiver, find_publications(receiver, packages=packages))
        for event, route in sorted(table.items(), key=lambda item: item[0].type_name())
        for side in SIDES
        for receiver in getattr(route, side)
    ]


def top_packages(table: Mapping[type[Event], Route]) -> frozenset[str]:
    """Return the top-level packages of the table's events and receivers: the code that is read."""
    things = [*table, *(each for route in table.values() for each in (*route.within, *route.later))]
    return frozenset(str(getattr(each, "__module__", "")).partition(".")[0] for each in things)


def find_cycles(steps: Iterable[Hearing]) -> Iterator[Cycle]:
    """Return the shortest way from each event back to itself; each cycle once."""
    by_event: dict[type[Event], list[Hearing]] = {}
    for step in steps:
        by_event.setdefault(step.event, []).append(step)
    reported: set[frozenset[type[Event]]] = set()
    for event in by_event:
        cycle = _shortest_way_back(event, by_event)
        members = frozenset(step.event for step, _publication in cycle)
        if cycle and members not in reported:
            reported.add(members)
            yield cycle


def _shortest_way_back(start: type[Event], by_event: Mapping[type[Event], Sequence[Hearing]]) -> Cycle:
    ways: list[list[tuple[Hearing, Publication]]] = [[]]
    seen: set[type[Event]] = set()
    for way in ways:  # grows while it is walked: breadth first
        event = way[-1][1].event if way else start
        for step in by_event.get(event, ()):
            for publication in step.publications.values():
                longer = [*way, (step, publication)]
                if publication.event is start:
                    return longer
                if publication.event not in seen:
                    seen.add(publication.event)
                    ways.append(longer)
    return []


def find_silent_events(events: Iterable[type[Event]]) -> list[type[Event]]:
    """Return the events that no code of an installed app makes.

    Looks for `Event(` outside of comments, first in the apps that declare events, so that most runs read no library.
    """
    waiting = {event.__name__: event for event in events}
    declaring = tuple(event.__module__ for event in waiting.values())
    own = [each for each in apps.get_app_configs() if f"{each.name}.events" in declaring]
    for app in (*own, *(each for each in apps.get_app_configs() if each not in own)):
        for path in Path(app.path).rglob("*.py") if waiting else ():
            text = path.read_text(encoding="utf-8")
            for name in [each for each in waiting if f"{each}(" in text]:
                if re.search(rf"^(?!\s*class\s)[^#\n]*\b{name}\(", text, re.MULTILINE):
                    del waiting[name]
    return list(waiting.values())


def draw_mermaid(table: Mapping[type[Event], Route], hearings: Iterable[Hearing]) -> str:
    """Return the graph as a Mermaid flowchart: solid lines to receivers, dotted ones to what those publish."""
    lines = ["flowchart LR"]
    lines += [f'  {event.__name__}(["{event.__name__}"])' for event in sorted(table, key=lambda each: each.__name__)]
    drawn: set[str] = set()
    for each in hearings:
        app, name = each.receiver.__module__.rpartition(".")[0], each.receiver.__name__
        node = f"{app}.{name}".replace(".", "_")
        lines.append(f'  {each.event.__name__} -->|{SIDES[each.side]}| {node}["{app}.{name}"]')
        if node not in drawn:
            drawn.add(node)
            lines += [f"  {node} -.-> {event}" for event in sorted(event.__name__ for event in each.publications)]
    return "\n".join(lines) + "\n"
