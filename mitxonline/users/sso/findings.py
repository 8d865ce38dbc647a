"""What `check_sso` finds, and where other apps add what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from django.utils.module_loading import import_string


class State(Enum):
    FINE = "fine"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `sentence` says what was found, and where something is missing what to do."""

    provider: str
    subject: str
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class Sayer:
    """Makes the findings about one provider."""

    provider: str

    def fine(self, subject: str, sentence: str) -> Finding:
        return Finding(self.provider, subject, State.FINE, sentence)

    def missing(self, subject: str, sentence: str) -> Finding:
        return Finding(self.provider, subject, State.MISSING, sentence)

    def unknown(self, subject: str, sentence: str) -> Finding:
        return Finding(self.provider, subject, State.UNKNOWN, sentence)


# What other apps look at. They are above this one, so they register it.
_further: dict[str, None] = {}


def register_findings(path: str) -> None:
    """Have ``check_sso`` say also what the function at this dotted path yields: ``Finding`` after ``Finding``."""
    _further[path] = None


def further_findings() -> Iterator[Finding]:
    """What the other apps found, in the order they registered in."""
    for path in _further:
        find: Callable[[], Iterable[Finding]] = import_string(path)
        yield from find()
