"""What courses have on a person, for that person."""

from __future__ import annotations

from typing import Any

from django.utils.translation import ngettext

from courses.models import CourseStaff, Enrollment, ProgramEnrollment
from mitxonline.kernel.text import list_titles
from mitxonline.users.models import User


def data_of_account(user: User) -> dict[str, Any]:
    """Return the courses someone is or was in and why, their programs, and the courses they look after."""
    enrollments = Enrollment.objects.of(user.pk).select_related("run").prefetch_related("grants").order_by("pk")
    programs = ProgramEnrollment.objects.filter(user=user).select_related("program").order_by("pk")
    looked_after = CourseStaff.objects.filter(user=user).select_related("course").order_by("pk")
    return {
        "enrollments": [_describe_enrollment(each) for each in enrollments],
        "programs": [{"program": each.program.readable_id, "enrolled_at": each.enrolled_at} for each in programs],
        "looks_after": [{"course": each.course.readable_id, "since": each.added_at} for each in looked_after],
    }


def _describe_enrollment(enrollment: Enrollment) -> dict[str, Any]:
    return {
        "course": enrollment.run.courseware_id,
        "title": enrollment.run.title,
        "mode": enrollment.mode,
        "is_active": enrollment.active,
        "enrolled_at": enrollment.enrolled_at,
        "course_site_name": enrollment.lms_username,
        "reasons": [
            {
                "source": each.source,
                "mode": each.mode,
                "granted_at": each.granted_at,
                "revoked_at": each.revoked_at,
            }
            for each in enrollment.grants.all()
        ],
    }


def losses_of_account(user: User) -> list[str]:
    """Return what someone loses with their account, in a sentence."""
    active = Enrollment.objects.active().of(user.pk).select_related("run").order_by("run__title", "pk")
    titles = list(dict.fromkeys(each.run.title for each in active))
    if not titles:
        return []
    sentence = ngettext(
        "You lose your course, with your progress: %(titles)s.",
        "You lose your %(count)d courses, with your progress: %(titles)s.",
        len(titles),
    )
    return [sentence % {"count": len(titles), "titles": list_titles(titles)}]
