"""The coordinator's figures for monitoring: deliveries, the queue, the schedule, and durations counted in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Max
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from mitxonline.coordinator.models import Delivery, DeliveryState, ScheduledTask
from mitxonline.kernel import clock
from mitxonline.kernel.broker import measure_queues
from mitxonline.kernel.db import limit_statements
from mitxonline.kernel.metrics import read_durations

# Counting all that were ever done would read the whole table.
_RECENTLY = timedelta(hours=1)
_HISTOGRAMS = {
    "calls": ("tessera_call_seconds", "Calls to other systems, by outcome", ("service", "outcome")),
    "reconcile": ("tessera_reconcile_seconds", "Updating a contract's runs and codes, by outcome", ("outcome",)),
}


def collect_deliveries() -> Iterator[Metric]:
    now = clock.now()
    waiting = (DeliveryState.PENDING, DeliveryState.RUNNING, DeliveryState.DEAD)
    with limit_statements():
        yield _count("tessera_deliveries", "Deliveries that aren't over", state__in=waiting)
        yield _count(
            "tessera_deliveries_ended_last_hour",
            "Deliveries done or given up",
            state__in=(DeliveryState.DONE, DeliveryState.GIVEN_UP),
            finished_at__gte=now - _RECENTLY,
        )
        words = "For how long the oldest delivery that is due has waited"
        yield GaugeMetricFamily("tessera_oldest_delivery_seconds", words, find_oldest_age(now=now))
        if (beat := find_beat_age(now=now)) is not None:
            yield GaugeMetricFamily("tessera_schedule_seconds", "Since a task of the schedule last succeeded", beat)


def collect_durations() -> Iterator[Metric]:
    for name, (metric, words, labels) in _HISTOGRAMS.items():
        family = HistogramMetricFamily(metric, words, labels=labels)
        for each in read_durations(name):
            family.add_metric(each.labels, buckets=each.buckets, sum_value=each.seconds)
        yield family


def collect_queues() -> Iterator[Metric]:
    family = GaugeMetricFamily("tessera_queue_length", "Tasks that wait with the broker", labels=["queue"])
    for queue, length in measure_queues().items():
        family.add_metric([queue], length)
    yield family


def find_oldest_age(*, now: datetime) -> float:
    """Return for how many seconds the oldest delivery that is due has waited; 0 if none waits."""
    due = Delivery.objects.due(now=now).order_by("next_attempt_at").values_list("next_attempt_at", flat=True)
    oldest = due.first()
    return max((now - oldest).total_seconds(), 0.0) if oldest else 0.0


def find_beat_age(*, now: datetime) -> float | None:
    """Return how many seconds ago a task of the schedule last succeeded. None if none ever has."""
    last: datetime | None = ScheduledTask.objects.aggregate(last=Max("succeeded_at"))["last"]
    return max((now - last).total_seconds(), 0.0) if last else None


def _count(name: str, words: str, **conditions: object) -> Metric:
    family = GaugeMetricFamily(name, words, labels=["receiver", "state"])
    counts = Delivery.objects.filter(**conditions).order_by().values("handler", "state").annotate(count=Count("pk"))
    for receiver, state, count in counts.values_list("handler", "state", "count"):
        family.add_metric([receiver, state], count)
    return family
