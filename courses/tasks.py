"""Background work for runs and enrollments in the course site."""

from __future__ import annotations

import logging

from celery import shared_task

from courses import places
from courses.gateways.openedx.client import OpenEdxClient
from courses.gateways.openedx.studio import Studio, is_studio_configured
from courses.selectors.course_address import is_course_site_connected
from courses.selectors.course_sites import each_course_site
from courses.services import course_site
from courses.services.comparison import Compared
from courses.services.comparison import compare_enrollments as compare
from courses.services.run_sync import RunOutcome, RunSyncReport, sync_runs
from courses.services.site_runs import ask_for_lost, start_waiting
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_course_runs() -> None:
    """Request the runs whose course has a source by now, and those whose request was lost."""
    now = clock.now()
    start_waiting(now=now)
    for _site in each_course_site():
        if is_studio_configured():
            ask_for_lost(now=now)


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def update_full_runs() -> None:
    """Refresh which runs pages show as full, after places were given up. Taking a place refreshes it at once."""
    places.update_full_runs()


@shared_task(ignore_result=True, soft_time_limit=1500, time_limit=1560)
def sync_courseruns() -> None:
    """Bring in what was changed in Studio. What people set by hand here is counted in the log and on the first page."""
    report = RunSyncReport()
    now = clock.now()
    for _site in each_course_site():
        if is_studio_configured():
            report.join(sync_runs(studio=Studio.from_settings(), now=now))
    counts = {outcome.value: report.counts[outcome] for outcome in RunOutcome if report.counts[outcome]}
    logger.info("runs compared with Studio", extra={"outcomes": counts})


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def sweep_enrollments() -> None:
    """Send enrollments that wait for their learner, and those from before a course site was connected."""
    for _site in each_course_site():
        if is_course_site_connected():
            course_site.sweep_enrollments(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3360)
def compare_enrollments() -> None:
    """Compare who is enrolled with the course site. The differences are listed in the admin."""
    for _site in each_course_site():
        if is_course_site_connected():
            _log_compared(compare(client=OpenEdxClient.from_settings(), now=clock.now()))


def _log_compared(compared: Compared) -> None:
    facts = {"runs": compared.runs, "enrollments": compared.enrollments, "differences": compared.differences}
    if compared.differences or compared.refused:
        logger.warning("enrollments differ from the course site", extra={**facts, "refused": len(compared.refused)})
    else:
        logger.info("enrollments compared with the course site", extra=facts)
