"""Who did what to money, seats and codes, and why: Wagtail's own log, which its reports already show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth import get_user_model
from django.db.models import Model
from wagtail.log_actions import log

# What JSON can carry; ids, counts, states and reasons, never a code or an address.
Detail = str | int | bool | None | list[str] | list[int]

_origin: ContextVar[str] = ContextVar("audit_origin", default="")


@contextmanager
def recording_origin(origin: str) -> Iterator[None]:
    """Record everything inside with its origin: a command, and who typed it on the machine."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def current_origin() -> str:
    """Where acts come from at the moment; empty on pages, where the account says it all."""
    return _origin.get()


def record(instance: Model, action: str, *, by_id: int | None, data: Mapping[str, Detail] | None = None) -> None:
    """Record an act on a page or a model; ``by_id`` is None for a command or the system itself.

    Call it in the transaction of the act: what is rolled back was not done. The action's name is registered in the
    app's ``wagtail_hooks`` (``register_log_actions``).
    """
    actor = get_user_model().objects.filter(pk=by_id).first() if by_id is not None else None
    # The key is older than the name: rows of the log have it.
    origin = {"way": current_origin()} if current_origin() else {}
    log(instance=instance, action=action, user=actor, data={**(data or {}), **origin})
