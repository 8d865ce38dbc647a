"""Course staff."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from courses.models.course import Course


class CourseStaff(models.Model):
    """A person who may give discounts on one course."""

    course = models.ForeignKey(Course, verbose_name=_("course"), on_delete=models.CASCADE, related_name="staff")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        related_name="courses_looked_after",
    )
    added_at = models.DateTimeField(_("since"), auto_now_add=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("course staff")
        verbose_name_plural = _("course staff")
        ordering = ["course", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "user"],
                name="course_staff_once",
                violation_error_message=_("This person already looks after the course."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.course}"
