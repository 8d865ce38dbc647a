"""Courses in the Django admin: who is enrolled, and why. The catalogue is edited in the Wagtail admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from courses.models import CourseRun, Enrollment, EnrollmentGrant
from mitxonline.kernel.looking import LookOnly


class GrantInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = EnrollmentGrant
    fields = ["source", "reference", "mode", "granted_at", "granted_by", "reason", "revoked_at", "revoked_reason"]
    fk_name = "enrollment"
    extra = 0


@admin.register(Enrollment)
class EnrollmentAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Enrollments with the rights they rest on."""

    list_display = ["user", "run", "mode", "active", "lms_state", "enrolled_at"]
    list_filter = ["mode", "active", "lms_state"]
    list_select_related = ["user", "run"]
    search_fields = ["user__email", "run__courseware_id", "run__title"]
    inlines = [GrantInline]


@admin.register(CourseRun)
class CourseRunAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """All runs, those of contracts too."""

    list_display = ["courseware_id", "title", "access", "live", "start_date", "end_date", "lms_state"]
    list_filter = ["access", "live", "is_self_paced", "lms_state"]
    search_fields = ["courseware_id", "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CourseRun]:
        return CourseRun.all_objects.all()
