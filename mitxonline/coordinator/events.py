"""Events: what happened, as ids and plain values, so that a receiver can get it now or in another process.

An event is stored as JSON and read back by the types of its fields: `int`, `str`, `bool`, `date`, `datetime`,
`Decimal`, `UUID`, tuples of these, and `… | None`.
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
    """A field of an event has a type that can't be stored: a model, a float, a mapping."""


@dataclass(frozen=True)
class Event:
    """Something that happened. Subclasses are frozen dataclasses. A system check looks at the types of their fields."""

    @classmethod
    def type_name(cls) -> str:
        """Return the dotted path by which a delivery names the event."""
        return f"{cls.__module__}.{cls.__qualname__}"

    def to_payload(self) -> Payload:
        """Return the fields as JSON values. Raises TypeError for a value of another type than its field's."""
        return {
            name: _encode(getattr(self, name), kind, where=f"{self.type_name()}.{name}")
            for name, kind in field_types(type(self)).items()
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, JSON]) -> Self:
        """Return the event as it was published.

        Fields that a later release removed are ignored and those it added get their defaults, so deliveries outlive a
        deployment.
        """
        kinds = field_types(cls)
        return cls(**{name: _decode(value, kinds[name]) for name, value in payload.items() if name in kinds})


_types_by_event: dict[type[Event], dict[str, Any]] = {}


def field_types(event: type[Event]) -> dict[str, Any]:
    """Return the event's fields and their types. Raises UnsuitableField."""
    if event in _types_by_event:
        return _types_by_event[event]
    hints = typing.get_type_hints(event)
    kinds = {field.name: hints[field.name] for field in fields(event)}
    for name, kind in kinds.items():
        inner = kind
        while inner is not None and inner not in (*_PLAIN, *_TEXTUAL):
            inner = _optional_type(inner) or _item_type(inner)
        if inner is None:
            raise UnsuitableField(f"{event.type_name()}.{name} is {kind!r}; events carry ids and plain values only")
    _types_by_event[event] = kinds
    return kinds


def _optional_type(kind: Any) -> Any:
    """Return `X` for `X | None`, else None."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return None
    rest = [each for each in typing.get_args(kind) if each is not types.NoneType]
    return rest[0] if len(rest) == 1 else None


def _item_type(kind: Any) -> Any:
    """Return `X` for `tuple[X, ...]`, else None."""
    args = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and len(args) == 2 and args[1] is Ellipsis:
        return args[0]
    return None


def _encode(value: Any, kind: Any, *, where: str) -> JSON:
    if (inner := _optional_type(kind)) is not None:
        return None if value is None else _encode(value, inner, where=where)
    if (inner := _item_type(kind)) is not None:
        if not isinstance(value, tuple):
            raise TypeError(f"{where} is {type(value).__name__}, not a tuple")
        return [_encode(each, inner, where=where) for each in value]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{where} is {type(value).__name__}, not {kind.__name__}")
    if kind in _PLAIN:
        plain: bool | int | str = kind(value)  # Turns a member of an enum into its value.
        return plain
    return value.isoformat() if isinstance(value, date) else str(value)


def _decode(value: JSON, kind: Any) -> Any:
    if (inner := _optional_type(kind)) is not None:
        return None if value is None else _decode(value, inner)
    if (inner := _item_type(kind)) is not None:
        return tuple(_decode(each, inner) for each in typing.cast("list[JSON]", value))
    if kind in (date, datetime):
        return kind.fromisoformat(value)
    return kind(value) if kind in (Decimal, UUID) else value
