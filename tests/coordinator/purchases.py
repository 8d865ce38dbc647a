"""The shop's own routes, with a course site that counts its calls; and an event of which the last release knew less."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.models import Group

from ecommerce.events import OrderFulfilled
from mitxonline import event_routes
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.routes import Route
from mitxonline.kernel.db import named_lock
from tests.coordinator.world import GATE, leave_trace

IS_LAST_RELEASE = os.environ.get("TEST_RELEASE") == "last"

if TYPE_CHECKING or not IS_LAST_RELEASE:

    @dataclass(frozen=True)
    class ShelfMoved(Event):
        shelf: int
        room: str = ""

else:

    @dataclass(frozen=True)
    class ShelfMoved(Event):
        shelf: int


def count_call(event: OrderFulfilled) -> str:
    """Enroll the buyer there: each call counts, and the second has no effect. Wait while the test holds the gate."""
    leave_trace("call", event.order_id)
    _account, is_new = Group.objects.get_or_create(name=f"enrolled by order {event.order_id}")
    with named_lock(*GATE):
        return "enrolled" if is_new else "was enrolled"


def note_move(event: ShelfMoved) -> None:
    leave_trace("noted", event.shelf)


def draw_map(event: ShelfMoved) -> None:
    leave_trace(f"drawn in {event.room}", event.shelf)


_fulfilled = event_routes.ROUTES[OrderFulfilled]
ROUTES = {
    **event_routes.ROUTES,
    OrderFulfilled: Route(
        within=_fulfilled.within,
        after_commit=_fulfilled.after_commit,
        remote=(*_fulfilled.remote, count_call),
    ),
    ShelfMoved: Route(after_commit=(note_move,) if IS_LAST_RELEASE else (note_move, draw_map)),
}
