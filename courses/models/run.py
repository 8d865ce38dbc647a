"""Course runs."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from courses.enums import RunAccess, RunLmsState
from courses.models.course import Course
from courses.models.keys import validate_run_key
from mitxonline.kernel.db import LockableQuerySet

SOURCE_TAG = "SOURCE"


class CourseRunQuerySet(LockableQuerySet["CourseRun"]):
    def live(self) -> Self:
        return self.filter(live=True)

    def enrollable(self, now: datetime) -> Self:
        """Live runs whose enrollment is open, both ends included. Source runs are only there to be copied."""
        return self.live().filter(
            ~Q(run_tag=SOURCE_TAG),
            Q(enrollment_start__isnull=True) | Q(enrollment_start__lte=now),
            Q(enrollment_end__isnull=True) | Q(enrollment_end__gte=now),
            Q(end_date__isnull=True) | Q(end_date__gte=now),
        )

    def not_over(self, now: datetime) -> Self:
        """Live runs whose enrollment is open or still to come."""
        return self.live().filter(
            Q(enrollment_end__isnull=True) | Q(enrollment_end__gte=now),
            Q(end_date__isnull=True) | Q(end_date__gte=now),
        )

    def of_site(self, site_id: int | None) -> Self:
        """Return the runs of the courses of a site."""
        return self.filter(course__in=Course.objects.of_site(site_id))


_RunManager = models.Manager.from_queryset(CourseRunQuerySet)


class PublicRunManager(_RunManager["CourseRun"]):
    """Hides contract runs, so that a forgotten filter can't show one to the public."""

    def get_queryset(self) -> CourseRunQuerySet:
        return CourseRunQuerySet(self.model, using=self._db).filter(access=RunAccess.PUBLIC)


class CourseRun(models.Model):
    """A run of a course in Open edX.

    ``objects`` and ``course.runs`` see public runs only; ``all_objects`` and foreign keys see contract runs too.
    """

    course = models.ForeignKey(Course, verbose_name=_("course"), on_delete=models.PROTECT, related_name="runs")
    courseware_id = models.CharField(
        _("course key"),
        max_length=255,
        unique=True,
        validators=[validate_run_key],
        help_text=_("For example course-v1:TesseraX+OC101+2026_T1, as in Open edX."),
    )
    run_tag = models.CharField(
        _("run tag"),
        max_length=100,
        help_text=_("The last part of the key. SOURCE marks the run that others are made from."),
    )
    title = models.CharField(_("title"), max_length=255)
    access = models.CharField(_("access"), max_length=20, choices=RunAccess, default=RunAccess.PUBLIC)
    start_date = models.DateTimeField(_("starts"), null=True, blank=True)
    end_date = models.DateTimeField(_("ends"), null=True, blank=True)
    enrollment_start = models.DateTimeField(_("enrollment opens"), null=True, blank=True)
    enrollment_end = models.DateTimeField(_("enrollment closes"), null=True, blank=True)
    upgrade_deadline = models.DateTimeField(_("last day to upgrade"), null=True, blank=True)
    certificate_available_date = models.DateTimeField(_("certificates from"), null=True, blank=True)
    is_self_paced = models.BooleanField(_("self-paced"), default=False)
    is_free = models.BooleanField(
        _("free"),
        default=False,
        db_default=False,
        help_text=_("Anyone can enroll without paying. Otherwise the run is offered once it has a price."),
    )
    places = models.PositiveIntegerField(
        _("places"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many people can be in the run. Empty means no limit."),
    )
    # What pages say. Whoever takes a place counts (`courses.places`); one that was given up shows a minute later.
    is_full = models.BooleanField(_("full"), default=False, db_default=False, editable=False)
    live = models.BooleanField(_("live"), default=False)
    source_run = models.ForeignKey(
        "self",
        verbose_name=_("made from"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reruns",
    )
    lms_state = models.CharField(
        _("course site"), max_length=20, choices=RunLmsState, default=RunLmsState.NOT_NEEDED, editable=False
    )
    lms_error = models.CharField(
        _("course site says"), max_length=300, blank=True, default="", db_default="", editable=False
    )
    # Since when it is in this state, and when the course site was last asked.
    lms_changed_at = models.DateTimeField(_("state since"), null=True, blank=True, editable=False)
    lms_tried_at = models.DateTimeField(_("last tried"), null=True, blank=True, editable=False)
    # The course site made it for us, so it follows our dates.
    is_made_by_us = models.BooleanField(_("made by us"), default=False, db_default=False, editable=False)
    # What Studio last had, as far as we know: a value that differs from ours was changed on one of the two sides.
    synced_at = models.DateTimeField(_("compared with Studio"), null=True, blank=True, editable=False)
    synced_title = models.CharField(
        _("title in Studio"), max_length=255, blank=True, default="", db_default="", editable=False
    )
    synced_start = models.DateTimeField(_("starts in Studio"), null=True, blank=True, editable=False)
    synced_end = models.DateTimeField(_("ends in Studio"), null=True, blank=True, editable=False)
    synced_enrollment_start = models.DateTimeField(
        _("enrollment opens in Studio"), null=True, blank=True, editable=False
    )
    synced_enrollment_end = models.DateTimeField(
        _("enrollment closes in Studio"), null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = PublicRunManager()
    all_objects = CourseRunQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("course run")
        verbose_name_plural = _("course runs")
        ordering = ["start_date", "pk"]
        default_manager_name = "objects"
        base_manager_name = "all_objects"
        indexes = [
            models.Index(fields=["course", "start_date"], name="run_course_start"),
            models.Index(
                fields=["lms_state"],
                name="run_open_in_lms",
                condition=~Q(lms_state__in=[RunLmsState.NOT_NEEDED, RunLmsState.THERE]),
            ),
        ]
        constraints = [
            # Rows that name a run and its course refer to both columns, so that the two can't disagree.
            models.UniqueConstraint(fields=["id", "course"], name="run_with_its_course"),
            models.CheckConstraint(
                condition=Q(start_date__isnull=True) | Q(end_date__isnull=True) | Q(end_date__gte=F("start_date")),
                name="run_ends_after_it_starts",
                violation_error_message=_("The run can’t end before it starts."),
            ),
            models.CheckConstraint(
                condition=Q(enrollment_start__isnull=True)
                | Q(enrollment_end__isnull=True)
                | Q(enrollment_end__gte=F("enrollment_start")),
                name="run_enrollment_closes_after_it_opens",
                violation_error_message=_("Enrollment can’t close before it opens."),
            ),
            models.CheckConstraint(
                condition=Q(places__isnull=True) | Q(places__gte=1),
                name="run_has_a_place",
                violation_error_message=_("A run has at least one place. Leave the field empty for no limit."),
            ),
            models.CheckConstraint(condition=Q(lms_state__in=RunLmsState.values), name="run_lms_state_known"),
            models.CheckConstraint(
                condition=~Q(lms_state=RunLmsState.REFUSED) | ~Q(lms_error=""), name="run_refused_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.courseware_id})"

    @property
    def is_contract_only(self) -> bool:
        return self.access == RunAccess.CONTRACT

    def has_ended(self, now: datetime) -> bool:
        return self.end_date is not None and self.end_date < now

    def has_started(self, now: datetime) -> bool:
        """Also true of a run without a start date."""
        return self.start_date is None or self.start_date <= now
