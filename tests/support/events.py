"""What was published."""

from __future__ import annotations

from django.db.models import QuerySet

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery


def deliveries_of(event: type[Event]) -> QuerySet[Delivery]:
    """Return the deliveries of an event, the earliest first."""
    return Delivery.objects.filter(event_type=event.type_name()).order_by("pk")
