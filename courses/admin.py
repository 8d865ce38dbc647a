"""Enrollments, runs and course staff in the Django admin. The catalog is edited in the Wagtail admin."""

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
    list_display = ["user", "run", "mode", "active", "lms_state", "enrolled_at"]
    list_filter = ["mode", "active", "lms_state"]
    list_select_related = ["user", "run"]
    search_fields = ["user__email", "run__courseware_id", "run__title"]
    inlines = [GrantInline]


@admin.register(CourseRun)
class CourseRunAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["courseware_id", "title", "access", "live", "start_date", "end_date", "lms_state"]
    list_filter = ["access", "live", "is_self_paced", "lms_state"]
    search_fields = ["courseware_id", "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CourseRun]:
        return CourseRun.all_objects.all()


@admin.register(Course)
class CourseAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Registered for the autocomplete of course staff."""

    list_display = ["readable_id", "title", "department", "live"]
    list_filter = ["live", "department"]
    list_select_related = ["department"]
    search_fields = ["readable_id", "title"]


@admin.register(CourseStaff)
class CourseStaffAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "course", "added_at"]
    list_select_related = ["user", "course"]
    search_fields = ["=user__email", "user__name", "course__readable_id", "course__title"]
    autocomplete_fields = ["course", "user"]
    fields = ["course", "user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # staff are appointed and dismissed

    def save_model(self, request: HttpRequest, obj: CourseStaff, form: Any, change: bool) -> None:
        staff = appoint(course_id=obj.course_id, user_id=obj.user_id, by_id=request.user.pk)
        obj.pk, obj.added_at = staff.pk, staff.added_at

    def delete_model(self, request: HttpRequest, obj: CourseStaff) -> None:
        dismiss(course_id=obj.course_id, user_id=obj.user_id, by_id=request.user.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CourseStaff]) -> None:
        for staff in queryset:
            dismiss(course_id=staff.course_id, user_id=staff.user_id, by_id=request.user.pk)
