"""What a receiver publishes, read from its code: the events made by the functions that it names, and by theirs.

A function or class counts as called where it is named. A method counts as called only where its class is named, so
what is called through a variable (`gateway.refund()`), by a signal or by the name of a task isn't seen: such a receiver
says what it publishes with `@publishes(…)`.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from celery import Task
from django.db.models import Model

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.places import show_path

_Function = TypeVar("_Function", bound=Callable[..., Any])
_DECLARATION = "publishes_events"
# Names of bytecode instructions, which are the same in Python 3.11 to 3.14.
_LOAD_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}
_LOAD_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
_COMPARISONS = {"IS_OP", "COMPARE_OP", "CONTAINS_OP"}
_QUESTIONS = {"isinstance", "issubclass"}


@dataclass(frozen=True)
class Publication:
    """An event that some code makes, and where."""

    event: type[Event]
    file: str
    line: int

    def __str__(self) -> str:
        return f"{show_path(self.file)}:{self.line}"


def publishes(*events: type[Event]) -> Callable[[_Function], _Function]:
    """Declare what a receiver publishes where its code doesn't show it."""

    def declare(function: _Function) -> _Function:
        setattr(function, _DECLARATION, events)
        return function

    return declare


def find_publications(receiver: Callable[..., Any], *, packages: frozenset[str]) -> dict[type[Event], Publication]:
    """Return what a receiver publishes, with the first place found. Only code of these top-level packages is read."""
    found: dict[type[Event], Publication] = {}
    seen: set[int] = set()
    waiting: list[Any] = [receiver]
    while waiting:
        thing = waiting.pop()
        for function in _functions_of(thing, packages):
            if id(function.__code__) in seen:
                continue
            seen.add(id(function.__code__))
            for event in getattr(function, _DECLARATION, ()):
                found.setdefault(event, _place(event, function.__code__, function.__code__.co_firstlineno))
            for named, line, code in _things_in(function):
                if isinstance(named, type) and issubclass(named, Event):
                    found.setdefault(named, _place(named, code, line))
                else:
                    waiting.append(named)
    return found


def _place(event: type[Event], code: CodeType, line: int) -> Publication:
    return Publication(event, code.co_filename, line)


def _functions_of(thing: Any, packages: frozenset[str]) -> Iterator[FunctionType]:
    if isinstance(thing, Task):
        thing = thing.run
    if isinstance(thing, type):
        if _is_ours(thing, packages) and not issubclass(thing, Model):
            for each in vars(thing).values():
                yield from _functions_of(getattr(each, "fget", None) or getattr(each, "__func__", each), packages)
        return
    if not callable(thing):
        return
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    if isinstance(thing, FunctionType) and _is_ours(thing, packages):
        yield thing


def _is_ours(thing: Any, packages: frozenset[str]) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in packages


@cache
def _things_in(function: FunctionType) -> list[tuple[Any, int, CodeType]]:
    return list(_named_things(function.__code__, function.__globals__))


def _named_things(code: CodeType, names: dict[str, Any]) -> Iterator[tuple[Any, int, CodeType]]:
    """Yield what a function names, with the line. Classes that it only compares with aren't named."""
    thing: Any = None
    line = code.co_firstlineno
    is_asking = False
    for step in dis.get_instructions(code):
        if isinstance(thing, ModuleType | type) and step.opname in _LOAD_ATTRIBUTE:
            thing = inspect.getattr_static(thing, step.argval, None)
            continue
        if thing is not None and not is_asking and step.opname not in _COMPARISONS:
            yield thing, line, code
        thing = None
        line = (step.positions.lineno if step.positions else None) or line
        if step.opname in _LOAD_GLOBAL:
            thing = names.get(step.argval)
            is_asking = is_asking or step.argval in _QUESTIONS
        elif step.opname == "CALL" and step.arg == 2:
            is_asking = False
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named_things(constant, names)
