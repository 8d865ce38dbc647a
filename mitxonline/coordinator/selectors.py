"""What pages and commands show of deliveries. Every query has an index, because there may be millions of rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, TextChoices
from django.utils.translation import gettext_lazy as _

from mitxonline.coordinator.models import Delivery, DeliveryQuerySet, DeliveryState
from mitxonline.coordinator.routes import path_of, routes
from mitxonline.kernel.db import fetch_sql

# PostgreSQL reads a whole index for DISTINCT; this jumps from one receiver to the next.
_RECEIVERS = """
    WITH RECURSIVE known (handler) AS (
        (SELECT handler FROM coordinator_delivery ORDER BY handler LIMIT 1)
        UNION ALL
        SELECT (
            SELECT delivery.handler FROM coordinator_delivery AS delivery
            WHERE delivery.handler > known.handler ORDER BY delivery.handler LIMIT 1
        ) FROM known WHERE known.handler IS NOT NULL
    )
    SELECT handler FROM known WHERE handler IS NOT NULL
"""


class Age(TextChoices):
    HOUR = "hour", _("Within the last hour")
    DAY = "day", _("Within the last 24 hours")
    OLDER = "older", _("Older than 24 hours")
    WEEK = "week", _("Older than a week")

    def published(self, now: datetime) -> Q:
        """Return the condition for deliveries published within this time."""
        match self:
            case Age.HOUR:
                return Q(created_at__gte=now - timedelta(hours=1))
            case Age.DAY:
                return Q(created_at__gte=now - timedelta(days=1))
            case Age.OLDER:
                return Q(created_at__lt=now - timedelta(days=1))
            case Age.WEEK:
                return Q(created_at__lt=now - timedelta(weeks=1))


def listed_deliveries() -> DeliveryQuerySet:
    """Return all deliveries, each with the number of the one it waits for (`blocker_id`)."""
    ahead = Delivery.objects.ahead_of(OuterRef("order_key"), OuterRef("pk")).order_by("pk").values("pk")[:1]
    # Text of any size, which a list doesn't show.
    return Delivery.objects.defer("payload").annotate(blocker_id=Subquery(ahead))


def find_deliveries(deliveries: QuerySet[Delivery], words: str) -> QuerySet[Delivery]:
    """Return those with this number or this trace, which has to be whole. All of them for no words."""
    words = words.strip()
    if not words:
        return deliveries
    if words.isdecimal() and len(words) < 16:
        return deliveries.filter(Q(pk=int(words)) | Q(trace_id=words))
    return deliveries.filter(trace_id=words)


def known_receivers() -> list[str]:
    """Return the receivers of the route table, and those that only old deliveries name."""
    return sorted(_routed_receivers() | _unrouted_receivers())


def known_event_types() -> list[str]:
    """Return the events of the route table, and those that only receivers taken out of it heard."""
    routed = {event.type_name() for event, route in routes().items() if route.later}
    return sorted(routed | {event for receiver in _unrouted_receivers() for event in _latest_event(receiver)})


def of_event(event_type: str) -> Q:
    """Return the condition for deliveries of an event, with its receivers, because those are indexed."""
    receivers = {path_of(each) for event, route in routes().items() for each in route.later
                 if event.type_name() == event_type}  # fmt: skip
    return Q(event_type=event_type, handler__in=sorted(receivers | _unrouted_receivers()))


def dead_by_receiver() -> list[Any]:
    """Return each receiver with dead deliveries (`handler`) and how many there are (`count`)."""
    dead = Delivery.objects.filter(state=DeliveryState.DEAD)
    return [*dead.values("handler").annotate(count=Count("pk")).order_by("handler")]


def _routed_receivers() -> set[str]:
    return {path_of(receiver) for route in routes().values() for receiver in route.later}


def _unrouted_receivers() -> set[str]:
    return {handler for (handler,) in fetch_sql(_RECEIVERS)} - _routed_receivers()


def _latest_event(receiver: str) -> list[str]:
    latest = Delivery.objects.filter(handler=receiver).order_by("-pk").values_list("event_type", flat=True)
    return list(latest[:1])
