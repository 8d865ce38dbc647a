"""What the worker does for the shop."""

from __future__ import annotations

from celery import shared_task

from ecommerce.services.checkout import release_lapsed_orders
from mitxonline.kernel import clock


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def release_lapsed() -> None:
    """Free codes and seats of orders that nobody paid in time; safe to run twice and to miss."""
    release_lapsed_orders(now=clock.now())
