"""Celery tasks of the coordinator."""

from celery import shared_task
from django.conf import settings

from mitxonline.coordinator import deliveries
from mitxonline.kernel import clock


# Acknowledged on receipt, because the lease brings back the delivery of a lost worker, not the broker.
@shared_task(
    acks_late=False,
    ignore_result=True,
    soft_time_limit=settings.DELIVERY_SOFT_TIME_LIMIT,
    time_limit=settings.DELIVERY_TIME_LIMIT,
)
def deliver(*delivery_ids: int) -> None:
    """Call the receivers of deliveries, except where that has been done."""
    deliveries.run_deliveries(delivery_ids, now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_deliveries() -> None:
    """Send deliveries that are due and not with the broker."""
    deliveries.sweep(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def purge_deliveries() -> None:
    """Delete deliveries that were done long ago."""
    deliveries.purge(now=clock.now())
