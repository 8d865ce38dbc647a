"""The nightly audits, and reports in the background. Each may run twice or be missed."""

from __future__ import annotations

from celery import shared_task

from mitxonline.kernel import clock
from reports.audits import nightly, statements
from reports.exports import jobs


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3400)
def audit_nightly() -> None:
    """Ask gateways, make the three audits, and tell finance what is new."""
    nightly.audit_all(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3400)
def fetch_gateway_reports() -> None:
    """Ask gateways what moved since their last report."""
    statements.fetch_reports(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3400)
def write_report(job_id: int) -> None:
    """Write the file of a report that someone asked for."""
    jobs.write_job(job_id=job_id, now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def sweep_reports() -> None:
    """Look after reports that no worker took or finished, and delete old files."""
    jobs.sweep_jobs(now=clock.now())
