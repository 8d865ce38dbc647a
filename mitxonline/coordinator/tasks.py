"""What the worker does for the coordinator."""

from celery import shared_task
from django.conf import settings

from mitxonline.coordinator import deliveries
from mitxonline.kernel import clock


# Acknowledged on receipt: a lost worker's delivery comes back by its lease, not by the broker.
@shared_task(
    acks_late=False,
    ignore_result=True,
    soft_time_limit=settings.DELIVERY_SOFT_TIME_LIMIT,
    time_limit=settings.DELIVERY_TIME_LIMIT,
)
def deliver(delivery_id: int) -> None:
    """Carry one event to one receiver; harmless when someone else has done so."""
    deliveries.run_delivery(delivery_id=delivery_id, now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_deliveries() -> None:
    """Send what is due and not with the broker."""
    deliveries.sweep(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def purge_deliveries() -> None:
    """Forget what was delivered long ago."""
    deliveries.purge(now=clock.now())
