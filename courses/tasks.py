"""Background work for runs in the course site."""

from __future__ import annotations

from celery import shared_task

from courses.gateways.openedx.studio import is_studio_configured
from courses.services.site_runs import ask_for_lost, start_waiting
from mitxonline.kernel import clock


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_course_runs() -> None:
    """Request the runs whose course has a source by now, and those whose request was lost."""
    now = clock.now()
    start_waiting(now=now)
    if is_studio_configured():
        ask_for_lost(now=now)
