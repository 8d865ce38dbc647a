"""Which receiver hears which event, in which order and on which side of the commit.

The one file that knows both sides. `within` receivers share the publisher's transaction and may refuse it;
`after_commit` receivers are recorded as deliveries in that transaction and carried by the worker.
"""

from mitxonline.coordinator.bus import Route
from mitxonline.coordinator.events import Event

ROUTES: dict[type[Event], Route] = {}
