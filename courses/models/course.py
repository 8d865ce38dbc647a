"""Departments and courses."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from courses.enums import Level
from courses.models.keys import course_number, validate_course_id


class Department(models.Model):
    """A section of the catalog. Its slug chooses the colors of its courses' covers."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    slug = models.SlugField(_("slug"), max_length=120, unique=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("department")
        verbose_name_plural = _("departments")
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class CourseQuerySet(models.QuerySet["Course"]):
    def live(self) -> Self:
        """Courses on offer. Whether visitors see one also depends on its page (``cms.selectors.pages``)."""
        return self.filter(live=True)


class Course(models.Model):
    readable_id = models.CharField(
        _("course id"),
        max_length=255,
        unique=True,
        validators=[validate_course_id],
        help_text=_("For example course-v1:TesseraX+OC101. Ask the course team if you aren’t sure."),
    )
    title = models.CharField(_("title"), max_length=255)
    summary = models.CharField(
        _("summary"), max_length=255, blank=True, help_text=_("One sentence, shown under the title.")
    )
    department = models.ForeignKey(
        Department, verbose_name=_("department"), on_delete=models.PROTECT, related_name="courses"
    )
    level = models.CharField(_("level"), max_length=20, choices=Level, default=Level.INTRO)
    duration_weeks = models.PositiveSmallIntegerField(_("length in weeks"), null=True, blank=True)
    hours_per_week_min = models.PositiveSmallIntegerField(_("hours a week, at least"), null=True, blank=True)
    hours_per_week_max = models.PositiveSmallIntegerField(_("hours a week, at most"), null=True, blank=True)
    live = models.BooleanField(_("offered"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    search = models.GeneratedField(
        expression=SearchVector("title", weight="A", config="english")
        + SearchVector("summary", weight="B", config="english")
        + SearchVector("readable_id", weight="C", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = CourseQuerySet.as_manager()

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ["title", "pk"]
        indexes = [GinIndex(fields=["search"], name="course_search")]
        constraints = [
            models.CheckConstraint(
                condition=Q(hours_per_week_max__isnull=True)
                | Q(hours_per_week_min__isnull=True)
                | Q(hours_per_week_max__gte=F("hours_per_week_min")),
                name="course_hours_in_order",
                violation_error_message=_("The maximum hours a week can’t be less than the minimum."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.readable_id})"

    @property
    def number(self) -> str:
        return course_number(self.readable_id)
