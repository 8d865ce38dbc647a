"""Reports that a worker writes, because they are large."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from reports.enums import OPEN_JOB_STATES, JobState


class ReportJob(models.Model):
    """One file of a report, from the request until it is deleted. Only who asked for it may fetch it.

    `asked` says what was chosen. `courses` are those that the rows are limited to, None for the whole shop: whoever
    has lost one of them since can't fetch the file.
    """

    report = models.SlugField(_("report"), max_length=40)
    asked = models.JSONField(_("asked"))
    courses = models.JSONField(_("courses"), null=True)
    style = models.CharField(_("kind of file"), max_length=4)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("asked by"), on_delete=models.CASCADE, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked"))
    language = models.CharField(_("language"), max_length=10, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=JobState, default=JobState.WAITING)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows written"), default=0)
    changed_at = models.DateTimeField(_("changed"))
    file = models.CharField(_("file"), max_length=255, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("report in the background")
        verbose_name_plural = _("reports in the background")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["asked_by", "report"], condition=Q(state__in=OPEN_JOB_STATES), name="report_job_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.DONE) | ~Q(file=""), name="report_job_done_has_its_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.report} {self.asked_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_JOB_STATES

    @property
    def percent(self) -> int:
        return min(100, self.rows_done * 100 // self.rows_total) if self.rows_total else 0
