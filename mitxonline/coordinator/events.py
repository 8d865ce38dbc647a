"""Events: what happened, as ids and plain values, so that a receiver can hear it now or in another process.

An event is stored as JSON and read back by the types of its fields: `int`, `str`, `bool`, `date`,
`datetime`, `Decimal`, `UUID`, tuples of them, and `… | None`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self, TypeAlias
from uuid import UUID

Payload: TypeAlias = "dict[str, JSON]"
JSON: TypeAlias = "bool | int | str | list[JSON] | None"

_PLAIN = (bool, int, str)
_TEXTUAL = (date, datetime, Decimal, UUID)


class UnsuitableField(TypeError):
    """An event's field has a type that can't travel: a model, a float, a mapping."""


@dataclass(frozen=True)
class Event:
    """Something that happened. Subclasses are frozen dataclasses; their field types are checked at start."""

    @classmethod
    def type_name(cls) -> str:
        """The dotted path a delivery row knows the event by."""
        return f"{cls.__module__}.{cls.__qualname__}"

    def to_payload(self) -> Payload:
        """The fields as JSON values; TypeError for a value that is not what its field says."""
        return {
            name: _encode(getattr(self, name), kind, where=f"{self.type_name()}.{name}")
            for name, kind in field_types(type(self)).items()
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, JSON]) -> Self:
        """The event as it was published.

        Fields that a later release dropped are ignored and those it added take their defaults, so a delivery
        written before a deployment arrives after it.
        """
        kinds = field_types(cls)
        return cls(**{name: _decode(value, kinds[name]) for name, value in payload.items() if name in kinds})


def field_types(event: type[Event]) -> dict[str, Any]:
    """The event's fields and their types; UnsuitableField where one can't travel."""
    if event not in _known_types:
        hints = typing.get_type_hints(event)
        kinds = {field.name: hints[field.name] for field in fields(event)}
        for name, kind in kinds.items():
            _refuse_unless_plain(kind, where=f"{event.type_name()}.{name}")
        _known_types[event] = kinds
    return _known_types[event]


_known_types: dict[type[Event], dict[str, Any]] = {}


def _refuse_unless_plain(kind: Any, *, where: str) -> None:
    if kind in _PLAIN or kind in _TEXTUAL:
        return
    inner = _inner_of_optional(kind) or _inner_of_tuple(kind)
    if inner is None:
        raise UnsuitableField(f"{where} is {kind!r}; events carry ids and plain values only")
    _refuse_unless_plain(inner, where=where)


def _inner_of_optional(kind: Any) -> Any:
    """`X` of `X | None`, else None."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return None
    rest = [each for each in typing.get_args(kind) if each is not types.NoneType]
    return rest[0] if len(rest) == 1 else None


def _inner_of_tuple(kind: Any) -> Any:
    """`X` of `tuple[X, ...]`, else None."""
    args = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and len(args) == 2 and args[1] is Ellipsis:
        return args[0]
    return None


def _encode(value: Any, kind: Any, *, where: str) -> JSON:
    if (inner := _inner_of_optional(kind)) is not None:
        return None if value is None else _encode(value, inner, where=where)
    if (inner := _inner_of_tuple(kind)) is not None:
        if not isinstance(value, tuple):
            raise TypeError(f"{where} is {type(value).__name__}, not a tuple")
        return [_encode(each, inner, where=where) for each in value]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{where} is {type(value).__name__}, not {kind.__name__}")
    if kind in _PLAIN:
        plain: bool | int | str = kind(value)  # an enum's member travels as its value
        return plain
    return value.isoformat() if isinstance(value, date) else str(value)


def _decode(value: JSON, kind: Any) -> Any:
    if (inner := _inner_of_optional(kind)) is not None:
        return None if value is None else _decode(value, inner)
    if (inner := _inner_of_tuple(kind)) is not None:
        return tuple(_decode(each, inner) for each in typing.cast("list[JSON]", value))
    if kind in (date, datetime):
        return kind.fromisoformat(value)
    return kind(value) if kind in (Decimal, UUID) else value
