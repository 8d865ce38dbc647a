"""Routes that settings add to the table, so that other installed packages hear events with no change here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from mitxonline.coordinator.events import Event

SETTING = "COMMERCE_EVENT_ROUTES_EXTRA"
SIDES = ("within", "after_commit", "remote")


class BrokenExtra(ImproperlyConfigured):
    """What an entry of the setting gets wrong. `entry` is its text in the settings, `advice` what to write."""

    def __init__(self, sentence: str, *, entry: str, advice: str) -> None:
        super().__init__(f"{SETTING}: {sentence} {advice}")
        self.sentence, self.entry, self.advice = sentence, entry, advice


@dataclass(frozen=True, slots=True)
class ExtraReceiver:
    """A receiver that the setting adds to an event's route, and the path by which the setting names it."""

    event: type[Event]
    side: str
    receiver: Any
    path: str


def read_additions(extra: object) -> Iterator[ExtraReceiver | BrokenExtra]:
    """Read `{"app.events.Event": {"after_commit": ["app.receivers.function"]}}`; a list alone means after the commit.

    Each event comes once without a receiver first, because it may have none. Mistakes are returned, not raised, so that
    all of them can be reported at once.
    """
    if not isinstance(extra, Mapping):
        yield BrokenExtra(
            f"it is {_describe(extra)}, not a mapping.",
            entry="",
            advice='Write {"app.events.Event": {"after_commit": ["app.receivers.function"]}}.',
        )
        return
    for path, sides in extra.items():
        event = _import_event(path)
        if isinstance(event, BrokenExtra):
            yield event
            continue
        yield ExtraReceiver(event, "", None, str(path))
        yield from _read_sides(event, sides, entry=str(path))


def _read_sides(event: type[Event], sides: object, *, entry: str) -> Iterator[ExtraReceiver | BrokenExtra]:
    by_side = sides if isinstance(sides, Mapping) else {"after_commit": sides}
    for side, receivers in by_side.items():
        if side not in SIDES:
            near = get_close_matches(str(side), SIDES, 1, 0.4) or ["after_commit"]
            yield BrokenExtra(
                f"{entry} has no side {side!r}.", entry=entry, advice=f'Write "{near[0]}" (or {_others(near[0])}).'
            )
        elif not isinstance(receivers, list | tuple):
            yield BrokenExtra(
                f"the receivers of {entry} are {_describe(receivers)}, not a list.",
                entry=entry,
                advice=f'Write "{side}": ["app.receivers.function"].',
            )
        else:
            for path in receivers:
                receiver = _import_receiver(path)
                broken = isinstance(receiver, BrokenExtra)
                yield receiver if broken else ExtraReceiver(event, side, receiver, str(path))


def _import_event(path: object) -> type[Event] | BrokenExtra:
    try:
        found = import_string(str(path))
    except Exception as error:  # noqa: BLE001 - whatever a package raises while it is imported
        return BrokenExtra(f"the event {path!r} can't be imported: {error}.", entry=str(path), advice=_near(path))
    if isinstance(found, type) and issubclass(found, Event):
        return found
    return BrokenExtra(f"{path!r} is no Event.", entry=str(path), advice=_near(path))


def _import_receiver(path: object) -> Any:
    if not isinstance(path, str):
        return BrokenExtra(
            f"{path!r} isn't the path of a receiver.", entry="", advice='Write "app.receivers.function", in quotes.'
        )
    try:
        return import_string(path)
    except Exception as error:  # noqa: BLE001 - as for events
        return BrokenExtra(f"the receiver {path!r} can't be imported: {error}.", entry=path, advice=_near(path))


def _near(path: object) -> str:
    """Return what to write instead of a path that leads nowhere: the nearest name in its module."""
    module_name, _dot, name = str(path).rpartition(".")
    try:
        names = [each for each in dir(import_module(module_name)) if not each.startswith("_")] if module_name else []
    except Exception:  # noqa: BLE001 - as for events
        return f"Install the package of {module_name}, and list its app in COMMERCE_APPS_EXTRA, or remove the entry."
    near = get_close_matches(name, names, 1)
    return f'Write "{module_name}.{near[0]}".' if near else "Write the path of what you meant, or remove the entry."


def _others(chosen: str) -> str:
    return " or ".join(f'"{side}"' for side in SIDES if side != chosen)


def _describe(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
