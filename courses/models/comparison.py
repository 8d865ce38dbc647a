"""What the last comparison with the course site found: who is enrolled on one side only, or in another mode."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import DifferenceKind
from courses.models.run import CourseRun


class EnrollmentComparison(models.Model):
    """One comparison. Without `finished_at` it is running, or was stopped."""

    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    runs = models.PositiveIntegerField(_("runs"), default=0)
    enrollments = models.PositiveIntegerField(_("enrollments"), default=0)
    differences = models.PositiveIntegerField(_("differences"), default=0)
    error = models.CharField(_("what stopped it"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("comparison of enrollments")
        verbose_name_plural = _("comparisons of enrollments")
        ordering = ["-started_at", "-pk"]
        get_latest_by = ["started_at", "pk"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class EnrollmentDifference(models.Model):
    """A difference that the last comparison of its run found. `username` is the name in the course site, if known."""

    run = models.ForeignKey(CourseRun, verbose_name=_("run"), on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    username = models.CharField(_("name in the course site"), max_length=150, blank=True)
    kind = models.CharField(_("difference"), max_length=10, choices=DifferenceKind)
    note = models.CharField(_("note"), max_length=300, blank=True)
    found_at = models.DateTimeField(_("found"))
    fix_asked_at = models.DateTimeField(_("repair asked for"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("difference of enrollments")
        verbose_name_plural = _("differences of enrollments")
        ordering = ["run", "kind", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=DifferenceKind.values), name="difference_kind_known"),
            models.CheckConstraint(
                condition=Q(user__isnull=False) | ~Q(username=""), name="difference_is_about_someone"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.run_id}"
