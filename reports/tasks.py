"""The nightly audits. They may run twice or be missed."""

from __future__ import annotations

from celery import shared_task

from mitxonline.kernel import clock
from reports.audits import nightly, statements


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3400)
def audit_nightly() -> None:
    """Ask gateways, make the three audits, and tell finance what is new."""
    nightly.audit_all(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=3300, time_limit=3400)
def fetch_gateway_reports() -> None:
    """Ask gateways what moved since their last report."""
    statements.fetch_reports(now=clock.now())
