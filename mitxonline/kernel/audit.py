"""Who did what to money, seats and codes, and why: entries in Wagtail's log, which its reports show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth import get_user_model
from django.db.models import Model
from wagtail.log_actions import log

from mitxonline.kernel.trace import trace_id

# Ids, counts, states and reasons, as JSON. Never a code or an e-mail address.
Detail = str | int | bool | None | list[str] | list[int]

TRACE = "trace"  # the key of an entry's data under which timelines find the request it belongs to

_origin: ContextVar[str] = ContextVar("audit_origin", default="")


@contextmanager
def recording_origin(origin: str) -> Iterator[None]:
    """Record the actions in this block with their origin: a command, and who typed it on the machine."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def current_origin() -> str:
    """Return where actions come from, or an empty string on pages, whose log names the account."""
    return _origin.get()


def record(instance: Model, action: str, *, by_id: int | None, data: Mapping[str, Detail] | None = None) -> None:
    """Log an action on a page or a model, in the transaction of the action.

    `by_id` is None for commands and tasks. The action's name is registered in the app's `wagtail_hooks`
    (`register_log_actions`).
    """
    actor = get_user_model().objects.filter(pk=by_id).first() if by_id is not None else None
    # The key is older than the name: rows of the log have it.
    origin = {"way": current_origin()} if current_origin() else {}
    trace = {TRACE: trace_id()} if trace_id() else {}
    log(instance=instance, action=action, user=actor, data={**(data or {}), **origin, **trace})
