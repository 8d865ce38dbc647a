"""The check of all sites that the admin's page asks for."""

from __future__ import annotations

from celery import shared_task

from frontend.site import last_check
from mitxonline.kernel import clock


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def check_sites() -> None:
    """Check all sites, if someone asked for it, and keep what was found."""
    last_check.run_check(now=clock.now())
