"""Celery tasks of the coordinator."""

from functools import partial
from time import monotonic

from celery import shared_task
from django.conf import settings

from mitxonline.coordinator import deliveries
from mitxonline.coordinator.sending import take_waiting
from mitxonline.kernel import clock


# Acknowledged on receipt, because the lease brings back the delivery of a lost worker, not the broker.
@shared_task(
    acks_late=False,
    ignore_result=True,
    soft_time_limit=settings.DELIVERY_SOFT_TIME_LIMIT,
    time_limit=settings.DELIVERY_TIME_LIMIT,
)
def deliver(delivery_id: int) -> None:
    """Call the receiver of a delivery unless that has been done, and then of those that wait for a worker."""
    deliveries.run_delivery(delivery_id=delivery_id, now=clock.now(), take=_find_taker())


def _find_taker() -> deliveries.Take | None:
    """Return what takes further deliveries. None in the queue for remote calls, each of which may be slow."""
    request = deliver.request
    queue = (request.delivery_info or {}).get("routing_key")
    if request.called_directly or request.is_eager or queue == settings.REMOTE_QUEUE:
        return None
    return partial(_take_until, monotonic() + settings.DELIVERY_TAKE_SECONDS)


def _take_until(end: float) -> int | None:
    return take_waiting() if monotonic() < end else None


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_deliveries() -> None:
    """Send deliveries that are due and not with the broker."""
    deliveries.sweep(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def purge_deliveries() -> None:
    """Delete deliveries that were done long ago."""
    deliveries.purge(now=clock.now())
