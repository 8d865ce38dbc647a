"""The audits of every night: kept, logged, and e-mailed to finance when something new differs."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from ecommerce.services.orders.alerts import find_finance_addresses
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.mail import send_email
from reports.audits.base import Audit, AuditResult, AuditScope, RowChoice, open_audit
from reports.audits.registry import AUDITS
from reports.audits.statements import fetch_reports
from reports.models import AuditRun

logger = logging.getLogger(__name__)

# Payments of the last weeks: a dispute takes longer, but it shows on the day its money moves.
PAYMENT_DAYS = 62
# Rows beyond these don't tell one night from another.
MAX_COMPARED = 10_000


def audit_all(*, now: datetime) -> list[AuditRun]:
    """Make and keep the three audits, and e-mail finance where they differ from the night before."""
    first = clock.date_of(now) - timedelta(days=PAYMENT_DAYS)
    fetched = fetch_reports(now=now, since=clock.start_of_day(first))
    failure = ", ".join(each.name for each in fetched if each.failure)
    runs = [
        _audit(audit, AuditScope(first=first) if audit.has_money else AuditScope(), failure if audit.has_money else "")
        for audit in AUDITS.values()
    ]
    _email_finance([run for run in runs if _is_news(run)], now=now)
    return runs


def newest_runs() -> list[AuditRun]:
    """Return last night's run of each audit."""
    newest = {run.audit: run for run in AuditRun.objects.order_by("audit", "-taken_at", "-pk").distinct("audit")}
    return [newest[name] for name in AUDITS if name in newest]


def _audit(audit: Audit, scope: AuditScope, failure: str) -> AuditRun:
    with open_audit(audit, scope, RowChoice(limit=MAX_COMPARED)) as (result, rows):
        digest = fingerprint(*((row.cause, row.key, row.email, row.run_key) for row in rows if not row.is_explained))
    run = AuditRun(
        audit=audit.name,
        taken_at=result.taken_at,
        unexplained=result.unexplained,
        explained=result.explained,
        summary=_summarize(result),
        digest=digest,
        failure=failure[:255],
    )
    run.save()
    if run.unexplained or failure:
        facts = {"audit": str(audit.name), "rows": run.unexplained, "failure": failure}
        logger.error("audit found differences", extra=facts)
    return run


def _summarize(result: AuditResult) -> list[dict[str, object]]:
    return [
        {
            "cause": str(each.cause.value),
            "currency": each.currency,
            "count": each.count,
            "difference": str(each.difference.amount) if each.difference is not None else "",
            "is_explained": each.is_explained,
        }
        for each in result.causes
    ]


def _is_news(run: AuditRun) -> bool:
    """Whether finance should be told: something differs, and not the same as they were told last."""
    if not (run.unexplained or run.failure):
        return False
    told = AuditRun.objects.filter(audit=run.audit, mailed_at__isnull=False).exclude(pk=run.pk).first()
    before = AuditRun.objects.filter(audit=run.audit).exclude(pk=run.pk).first()
    is_known = told is not None and (told.digest, told.failure) == (run.digest, run.failure)
    return not is_known or before is None or not (before.unexplained or before.failure)


def _email_finance(runs: list[AuditRun], *, now: datetime) -> None:
    addresses = find_finance_addresses()
    if not runs or not addresses:
        return
    entries = [
        {
            "run": run,
            "label": run.get_audit_display(),
            "link": f"{settings.SITE_BASE_URL}{reverse('audits:audit', args=[run.audit])}",
        }
        for run in runs
    ]
    link = f"{settings.SITE_BASE_URL}{reverse('audits:index')}"
    send_email("reports/emails/audits_differ", to=addresses, context={"entries": entries, "link": link})
    AuditRun.objects.filter(pk__in=[run.pk for run in runs]).update(mailed_at=now)
