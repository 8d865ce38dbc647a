"""Programs and their requirements."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import RequirementKind
from courses.models.course import Course, Department
from courses.models.keys import validate_program_id
from courses.models.sites import is_of_site, site_field


class ProgramQuerySet(models.QuerySet["Program"]):
    def of_site(self, site_id: int | None) -> Self:
        return self.filter(is_of_site(site_id))


class Program(models.Model):
    readable_id = models.CharField(_("program id"), max_length=255, unique=True, validators=[validate_program_id])
    title = models.CharField(_("title"), max_length=255)
    summary = models.CharField(_("summary"), max_length=255, blank=True)
    department = models.ForeignKey(
        Department, verbose_name=_("department"), on_delete=models.PROTECT, related_name="programs"
    )
    site = site_field(help_text=_("Where it is shown and sold. Empty: on all sites."))
    live = models.BooleanField(_("offered"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = ProgramQuerySet.as_manager()

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return f"{self.title} ({self.readable_id})"


class ProgramRequirement(models.Model):
    """A node in the tree of a program's requirements: all of, at least n of, or a course.

    Nodes without a parent are all required. Courses are leaves. Trees are small, so one query reads a whole tree,
    which is then built in memory.
    """

    program = models.ForeignKey(
        Program, verbose_name=_("program"), on_delete=models.CASCADE, related_name="requirements"
    )
    parent = models.ForeignKey(
        "self",
        verbose_name=_("part of"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="children",
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    kind = models.CharField(_("asks for"), max_length=20, choices=RequirementKind)
    at_least = models.PositiveSmallIntegerField(_("how many"), null=True, blank=True)
    title = models.CharField(_("title"), max_length=255, blank=True)
    course = models.ForeignKey(
        Course,
        verbose_name=_("course"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="required_by",
    )

    class Meta:
        verbose_name = _("requirement")
        verbose_name_plural = _("requirements")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=RequirementKind.COURSE, course__isnull=False)
                | (~Q(kind=RequirementKind.COURSE) & Q(course__isnull=True)),
                name="requirement_course_is_a_leaf",
                violation_error_message=_("A course requirement names a course; the others don’t."),
            ),
            models.CheckConstraint(
                condition=Q(kind=RequirementKind.AT_LEAST, at_least__gte=1)
                | (~Q(kind=RequirementKind.AT_LEAST) & Q(at_least__isnull=True)),
                name="requirement_at_least_has_a_number",
                violation_error_message=_("“At least” needs a number of one or more."),
            ),
            models.UniqueConstraint(
                fields=["program", "course"],
                condition=Q(course__isnull=False),
                name="requirement_course_once_per_program",
                violation_error_message=_("This course is already one of the program’s requirements."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.course) if self.course_id else self.title or self.get_kind_display()
