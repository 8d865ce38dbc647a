"""What the nightly audits found."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.models import TracedModel
from reports.enums import AuditName


class AuditRun(TracedModel):
    """One audit of one night. `digest` tells whether it found the same as the night before."""

    audit = models.CharField(_("audit"), max_length=20, choices=AuditName)
    taken_at = models.DateTimeField(_("as of"))
    unexplained = models.PositiveIntegerField(_("unexplained rows"))
    explained = models.PositiveIntegerField(_("explained rows"))
    summary = models.JSONField(_("causes"), default=list)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    failure = models.CharField(_("gateways that gave no report"), max_length=255, blank=True)
    mailed_at = models.DateTimeField(_("e-mailed"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("nightly audit")
        verbose_name_plural = _("nightly audits")
        ordering = ["-taken_at", "-pk"]
        indexes = [models.Index(fields=["audit", "-taken_at"], name="audit_run_newest")]

    def __str__(self) -> str:
        return f"{self.audit} {self.taken_at:%Y-%m-%d}"
