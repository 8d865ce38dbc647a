"""Courses in the Django admin: who is enrolled, and why. The catalog is edited in the Wagtail admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from courses.models import Course, CourseRun, CourseStaff, Enrollment, EnrollmentGrant
from courses.services.staff import appoint, dismiss
from mitxonline.kernel.admin import ReadOnlyAdminMixin


class GrantInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = EnrollmentGrant
    fields = ["source", "reference", "mode", "granted_at", "granted_by", "reason", "revoked_at", "revoked_reason"]
    fk_name = "enrollment"
    extra = 0


@admin.register(Enrollment)
class EnrollmentAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Enrollments with the rights they rest on."""

    list_display = ["user", "run", "mode", "active", "lms_state", "enrolled_at"]
    list_filter = ["mode", "active", "lms_state"]
    list_select_related = ["user", "run"]
    search_fields = ["user__email", "run__courseware_id", "run__title"]
    inlines = [GrantInline]


@admin.register(CourseRun)
class CourseRunAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """All runs, those of contracts too."""

    list_display = ["courseware_id", "title", "access", "live", "start_date", "end_date", "lms_state"]
    list_filter = ["access", "live", "is_self_paced", "lms_state"]
    search_fields = ["courseware_id", "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CourseRun]:
        return CourseRun.all_objects.all()


@admin.register(Course)
class CourseAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Courses, so that they can be found when one gets its staff."""

    list_display = ["readable_id", "title", "department", "live"]
    list_filter = ["live", "department"]
    list_select_related = ["department"]
    search_fields = ["readable_id", "title"]


@admin.register(CourseStaff)
class CourseStaffAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who looks after a course: they may give its learners discounts, and no one else's."""

    list_display = ["user", "course", "added_at"]
    list_select_related = ["user", "course"]
    search_fields = ["=user__email", "user__name", "course__readable_id", "course__title"]
    autocomplete_fields = ["course", "user"]
    fields = ["course", "user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is added and taken away, never made into someone else's."""
        return False

    def save_model(self, request: HttpRequest, obj: CourseStaff, form: Any, change: bool) -> None:
        """Appoint them."""
        staff = appoint(course_id=obj.course_id, user_id=obj.user_id, by_id=request.user.pk)
        obj.pk, obj.added_at = staff.pk, staff.added_at

    def delete_model(self, request: HttpRequest, obj: CourseStaff) -> None:
        """Dismiss them."""
        dismiss(course_id=obj.course_id, user_id=obj.user_id, by_id=request.user.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CourseStaff]) -> None:
        """Dismiss several."""
        for staff in queryset:
            dismiss(course_id=staff.course_id, user_id=staff.user_id, by_id=request.user.pk)
