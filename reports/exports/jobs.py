"""Reports that a worker writes: asked for on a page, announced by e-mail, fetched by whoever asked, and deleted."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import IO
from uuid import uuid4

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import get_language, override

from ecommerce.roles import ShopScope
from mitxonline.kernel import clock
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.mail import send_email
from mitxonline.kernel.spreadsheets import csv_pieces, write_workbook
from mitxonline.users.models import User
from reports.enums import OPEN_JOB_STATES, JobState
from reports.errors import ReportRunning
from reports.exports.base import Asked, Report, Row
from reports.exports.catalog import REPORTS
from reports.models import ReportJob

logger = logging.getLogger(__name__)

WRITE = "reports.tasks.write_report"
# Proxies don't serve this folder of the storage; only our pages do, to whom they may.
FOLDER = "documents/reports"
KEPT = timedelta(days=7)
# A worker that has written nothing for so long is gone.
SILENT = timedelta(minutes=15)
RETRIED = timedelta(minutes=2)
ROWS_PER_NOTE = 5000


def start_job(*, report: Report, asked: Asked, style: str, user: User, now: datetime) -> ReportJob:
    """Ask a worker for a file. Raises ReportRunning while the person's last one of this report is being written."""
    scope = asked.scope
    try:
        with transaction.atomic():
            job = ReportJob.objects.create(
                report=report.slug,
                asked=asked.to_json(),
                courses=None if scope.is_whole else sorted(scope.courses),
                style=style,
                asked_by=user,
                asked_at=now,
                changed_at=now,
                language=get_language() or "",
                rows_total=report.count(asked),
            )
            transaction.on_commit(lambda: send_tasks(WRITE, [(job.pk,)]))
    except IntegrityError:
        raise ReportRunning from None
    return job


def may_fetch(job: ReportJob, user: User) -> bool:
    """Whether the person still may see every row of the file: looked at again each time."""
    held = REPORTS[job.report].scope_of(user) if job.report in REPORTS else ShopScope()
    if job.asked_by_id != user.pk:
        return False
    return held.is_whole or (job.courses is not None and bool(held) and set(job.courses) <= held.courses)


def write_job(*, job_id: int, now: datetime) -> None:
    """Write the file, note the progress, and e-mail its link. A job that isn't waiting is left alone."""
    taken = ReportJob.objects.filter(pk=job_id, state=JobState.WAITING).update(state=JobState.RUNNING, changed_at=now)
    if not taken:
        return
    job = ReportJob.objects.select_related("asked_by").get(pk=job_id)
    try:
        if not may_fetch(job, job.asked_by):
            raise PermissionError("the role is gone")
        with override(job.language or settings.LANGUAGE_CODE):
            name = _write_file(job)
    except Exception:
        logger.exception("report failed", extra={"job": job.pk, "report": job.report})
        ReportJob.objects.filter(pk=job.pk).update(state=JobState.FAILED, changed_at=now)
        return
    if ReportJob.objects.filter(pk=job.pk, state=JobState.RUNNING).update(
        state=JobState.DONE, file=name, changed_at=now
    ):
        _send_link(job)
    else:
        default_storage.delete(name)


def sweep_jobs(*, now: datetime) -> None:
    """Ask again for what no worker took, give up what a worker left, and delete files after their time."""
    waiting = ReportJob.objects.filter(state=JobState.WAITING, changed_at__lte=now - RETRIED)
    send_tasks(WRITE, [(pk,) for pk in waiting.values_list("pk", flat=True)])
    silent = ReportJob.objects.filter(state=JobState.RUNNING, changed_at__lte=now - SILENT)
    silent.update(state=JobState.FAILED, changed_at=now)
    for job in ReportJob.objects.filter(state=JobState.DONE, changed_at__lte=now - KEPT):
        default_storage.delete(job.file)
        ReportJob.objects.filter(pk=job.pk).update(state=JobState.EXPIRED, changed_at=now)


def find_open_job(user_id: int, report: str) -> ReportJob | None:
    return ReportJob.objects.filter(asked_by=user_id, report=report, state__in=OPEN_JOB_STATES).first()


def _write_file(job: ReportJob) -> str:
    report = REPORTS[job.report]
    scope = ShopScope(is_whole=job.courses is None, courses=frozenset(job.courses or ()))
    asked = Asked.from_json(job.asked, scope)
    rows = itertools.chain([report.head(asked)], _count_rows(job, report.rows(asked)))
    with TemporaryFile() as file:
        _write_rows(file, rows, style=job.style, title=str(report.title))
        file.seek(0)
        return default_storage.save(f"{FOLDER}/{uuid4().hex}.{job.style}", File(file))


def _write_rows(file: IO[bytes], rows: Iterable[Row], *, style: str, title: str) -> None:
    if style == "csv":
        for piece in csv_pieces(rows):
            file.write(piece.encode())
    else:
        write_workbook(file, rows, title=title)


def _count_rows(job: ReportJob, rows: Iterator[Row]) -> Iterator[Row]:
    """Note every few thousand rows how far the file is; who deleted the job in the meantime ends it."""
    for number, row in enumerate(rows, start=1):
        if number % ROWS_PER_NOTE == 0:
            ReportJob.objects.filter(pk=job.pk).update(rows_done=number, changed_at=clock.now())
        yield row
    ReportJob.objects.filter(pk=job.pk).update(rows_done=job.rows_total, changed_at=clock.now())


def _send_link(job: ReportJob) -> None:
    link = f"{settings.SITE_BASE_URL}{reverse('shop_reports:job', args=[job.pk])}"
    try:
        send_email(
            "reports/emails/report_ready",
            to=[job.asked_by.email],
            context={"title": REPORTS[job.report].title, "link": link, "days": KEPT.days},
            language=job.language,
            about=job.asked_by,
        )
    except OSError:
        # The page shows the file all the same.
        logger.exception("report not announced", extra={"job": job.pk})
