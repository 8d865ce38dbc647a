"""By which way an act came about, where no account stands for it: a command, and who typed it on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.db.models import Model

from mitxonline.kernel.audit import Detail, record

_way: ContextVar[str] = ContextVar("b2b_way", default="")


@contextmanager
def acting_by(way: str) -> Iterator[None]:
    """Note this way with every act inside the block."""
    token = _way.set(way)
    try:
        yield
    finally:
        _way.reset(token)


def way() -> str:
    """How the act under way came about; empty where an account says it all."""
    return _way.get()


def note(instance: Model, action: str, *, by_id: int | None, data: Mapping[str, Detail]) -> None:
    """Note an act with its way in the audit log. Call it in the transaction of the act."""
    record(instance, action, by_id=by_id, data={**data, "way": way()} if way() else data)
