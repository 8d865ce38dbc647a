"""Departments and courses."""

from __future__ import annotations

from typing import Self

from django.conf.global_settings import LANGUAGES
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from courses.enums import Level
from courses.models.keys import course_number, validate_course_id
from courses.models.sites import is_of_site, site_field
from mitxonline.kernel.countries import list_countries


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


class Topic(models.Model):
    """What courses are about, across departments: “Python”, “Leadership”. Visitors filter the catalog by it."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    slug = models.SlugField(_("short name"), max_length=60, unique=True)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


def language_choices() -> list[tuple[str, str]]:
    """Return the languages a course may be taught in. Those of Django, not the ones this site is translated into."""
    return sorted(((code, str(name)) for code, name in LANGUAGES), key=lambda choice: choice[1])


class CourseQuerySet(models.QuerySet["Course"]):
    def of_site(self, site_id: int | None) -> Self:
        return self.filter(is_of_site(site_id))

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
    language = models.CharField(
        _("language"),
        max_length=20,
        choices=language_choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("What it is taught in. Visitors can filter by it once courses are taught in several languages."),
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        choices=list_countries,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where it is taught or comes from. Visitors can filter by it once courses have several countries."),
    )
    topics = models.ManyToManyField(
        Topic,
        verbose_name=_("topics"),
        blank=True,
        related_name="courses",
        help_text=_("What learners get better at. Visitors search and filter by it."),
    )
    duration_weeks = models.PositiveSmallIntegerField(_("length in weeks"), null=True, blank=True)
    hours_per_week_min = models.PositiveSmallIntegerField(_("hours a week, at least"), null=True, blank=True)
    hours_per_week_max = models.PositiveSmallIntegerField(_("hours a week, at most"), null=True, blank=True)
    site = site_field(help_text=_("Where it is shown and sold. Empty: on all sites."))
    live = models.BooleanField(_("offered"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = CourseQuerySet.as_manager()

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ["title", "pk"]
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
