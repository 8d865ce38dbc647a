"""The courseware of contracts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.models.pages import ContractPage
from courses.models import Course, CourseRun, Program


class ContractCourseware(models.Model):
    """A course, a program or a single run that a contract covers. Changes act at once, without the page's revisions."""

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="courseware"
    )
    course = models.ForeignKey(
        Course, verbose_name=_("course"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    program = models.ForeignKey(
        Program, verbose_name=_("program"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    course_run = models.ForeignKey(
        CourseRun,
        verbose_name=_("course run"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    create_runs = models.BooleanField(_("create runs"), default=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    added_at = models.DateTimeField(_("added"))
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("added by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("courseware")
        verbose_name_plural = _("courseware")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, program__isnull=True, course_run__isnull=True)
                | Q(course__isnull=True, program__isnull=False, course_run__isnull=True)
                | Q(course__isnull=True, program__isnull=True, course_run__isnull=False),
                name="courseware_is_one_thing",
            ),
            models.UniqueConstraint(
                fields=["contract", "course"],
                condition=Q(course__isnull=False),
                name="courseware_course_once",
            ),
            models.UniqueConstraint(
                fields=["contract", "program"],
                condition=Q(program__isnull=False),
                name="courseware_program_once",
            ),
            models.UniqueConstraint(
                fields=["contract", "course_run"],
                condition=Q(course_run__isnull=False),
                name="courseware_run_once",
            ),
        ]

    def __str__(self) -> str:
        return str(self.course or self.program or self.course_run)

    @property
    def readable_id(self) -> str:
        """The id of the course, program or run, as a person would type it."""
        if self.course is not None:
            return self.course.readable_id
        if self.program is not None:
            return self.program.readable_id
        return self.course_run.courseware_id if self.course_run is not None else ""
