"""Appointing and dismissing course staff."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from courses.models import CourseStaff
from mitxonline.kernel import audit
from mitxonline.users.models import User

# Gives access to the Wagtail admin. What its members may do there depends on their courses.
GROUP = "Course staff"
PERMISSIONS = ("access_admin", "view_coursestaff")


def appoint(*, course_id: int, user_id: int, by_id: int | None) -> CourseStaff:
    """Make a user staff of a course and let them into the Wagtail admin. Appointing them again changes nothing."""
    with transaction.atomic():
        staff, is_new = CourseStaff.objects.get_or_create(course_id=course_id, user_id=user_id)
        _ensure_group().user_set.add(user_id)
        if is_new:
            audit.record(staff.course, "courses.staff.appoint", by_id=by_id, data={"user": user_id})
    return staff


def dismiss(*, course_id: int, user_id: int, by_id: int | None) -> None:
    """Remove a user from a course's staff, and from the group with their last course. Their discounts stay."""
    with transaction.atomic():
        staff = CourseStaff.objects.filter(course_id=course_id, user_id=user_id).select_related("course").first()
        if staff is None:
            return
        course = staff.course
        staff.delete()
        if not CourseStaff.objects.filter(user_id=user_id).exists():
            _ensure_group().user_set.remove(User.objects.get(pk=user_id))
        audit.record(course, "courses.staff.dismiss", by_id=by_id, data={"user": user_id})


def _ensure_group() -> Group:
    group, is_new = Group.objects.get_or_create(name=GROUP)
    if is_new:
        group.permissions.set(
            Permission.objects.filter(content_type__app_label__in=["wagtailadmin", "courses"], codename__in=PERMISSIONS)
        )
    return group
