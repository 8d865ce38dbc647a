"""What the last check of all sites found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class CheckState(models.TextChoices):
    WAITING = "waiting", _("Waiting for a worker")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Broken off")
    UNSENT = "unsent", _("Not taken by the broker")


class SiteCheck(models.Model):
    """The check that someone asked for last, and what the last finished one found. There is one row."""

    ONLY = 1

    state = models.CharField(_("state"), max_length=10, choices=CheckState)
    asked_at = models.DateTimeField(_("asked"))
    language = models.CharField(_("language"), max_length=10, blank=True)
    checked_at = models.DateTimeField(_("checked"), null=True)
    findings = models.JSONField(_("findings"), default=list)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("site check")
        verbose_name_plural = _("site checks")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="site_check_is_one_row")]

    def __str__(self) -> str:
        return f"{self.get_state_display()}"

    @property
    def is_open(self) -> bool:
        return self.state in (CheckState.WAITING, CheckState.RUNNING)
