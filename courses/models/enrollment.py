"""Enrollments and the grants they rest on."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import EnrollmentLmsState, EnrollmentMode, EnrollmentSource
from courses.models.program import Program
from courses.models.run import CourseRun
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel


class EnrollmentQuerySet(LockableQuerySet["Enrollment"]):
    def active(self) -> Self:
        return self.filter(active=True)

    def of(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)

    def refused(self) -> Self:
        """Select those that the course site refused, and that someone has to look at."""
        return self.filter(lms_state=EnrollmentLmsState.REFUSED)


class Enrollment(models.Model):
    """A learner in a run.

    ``active`` and ``mode`` are derived from the grants that aren't revoked. Revoking one grant never takes away what
    another gives: the refund of one order can't undo what a second order paid for.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.PROTECT,
        related_name="enrollments",
    )
    run = models.ForeignKey(CourseRun, verbose_name=_("run"), on_delete=models.PROTECT, related_name="enrollments")
    mode = models.CharField(_("mode"), max_length=20, choices=EnrollmentMode, default=EnrollmentMode.AUDIT)
    active = models.BooleanField(_("active"), default=True)
    lms_state = models.CharField(
        _("course site"), max_length=20, choices=EnrollmentLmsState, default=EnrollmentLmsState.PENDING
    )
    lms_username = models.CharField(
        _("name on the course site"),
        max_length=150,
        blank=True,
        default="",
        db_default="",
        help_text=_("Whom it enrolled. Kept until they are unenrolled, whatever becomes of the account here."),
    )
    lms_error = models.CharField(
        _("why refused"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text=_("What the course site says, without addresses of people."),
    )
    lms_asked_at = models.DateTimeField(_("course site last asked"), null=True, blank=True)
    forced_at = models.DateTimeField(
        _("forced"), null=True, blank=True, help_text=_("The course site takes the learner even if the run is closed.")
    )
    forced_reason = models.CharField(_("why forced"), max_length=255, blank=True, default="", db_default="")
    enrolled_at = models.DateTimeField(_("enrolled"))
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = EnrollmentQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        ordering = ["-enrolled_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "run"], name="enrollment_once_per_learner_and_run"),
            models.CheckConstraint(
                condition=Q(lms_state__in=EnrollmentLmsState.values), name="enrollment_lms_state_is_one_of_four"
            ),
            models.CheckConstraint(
                condition=~Q(lms_state=EnrollmentLmsState.REFUSED) | ~Q(lms_error=""),
                name="enrollment_refused_says_why",
            ),
            models.CheckConstraint(
                condition=Q(forced_at__isnull=True, forced_reason="")
                | (Q(forced_at__isnull=False) & ~Q(forced_reason="")),
                name="enrollment_forced_says_why",
            ),
        ]
        indexes = [
            # What the sweep asks about, and what staff look at: few rows of many.
            models.Index(
                fields=["lms_state", "lms_asked_at"],
                condition=~Q(lms_state=EnrollmentLmsState.THERE),
                name="enrollment_not_there",
            ),
            # For the comparison, which asks whom an account of the course site is.
            models.Index(fields=["lms_username", "run"], condition=~Q(lms_username=""), name="enrollment_by_site_name"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.run_id} ({self.mode})"


class EnrollmentGrant(TracedModel):
    """One reason why a learner may be in a run: an order, a code, a contract or a decision by staff."""

    enrollment = models.ForeignKey(
        Enrollment, verbose_name=_("enrollment"), on_delete=models.PROTECT, related_name="grants"
    )
    mode = models.CharField(_("mode"), max_length=20, choices=EnrollmentMode)
    source = models.CharField(_("source"), max_length=20, choices=EnrollmentSource)
    reference = models.CharField(
        _("reference"), max_length=100, blank=True, help_text=_("The order, contract or use of a code it came from.")
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("granted by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    granted_at = models.DateTimeField(_("granted"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("revoked by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    revoked_reason = models.CharField(_("why revoked"), max_length=255, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["granted_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "source", "reference"],
                condition=Q(revoked_at__isnull=True),
                name="grant_once_per_reason",
            ),
            models.CheckConstraint(
                condition=~Q(source=EnrollmentSource.MANUAL) | (Q(granted_by__isnull=False) & ~Q(reason="")),
                name="grant_by_staff_says_who_and_why",
                violation_error_message=_("Say who made this enrollment by hand, and why."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.reference}".strip()


class ProgramEnrollment(models.Model):
    """A program that a learner has on their list. It gives no course: orders, codes and contracts do."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.PROTECT,
        related_name="program_enrollments",
    )
    program = models.ForeignKey(
        Program, verbose_name=_("program"), on_delete=models.PROTECT, related_name="program_enrollments"
    )
    enrolled_at = models.DateTimeField(_("enrolled"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("program enrollment")
        verbose_name_plural = _("program enrollments")
        ordering = ["-enrolled_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "program"], name="program_enrollment_once_per_learner"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.program_id}"
