"""Leaving every course, because the account is deleted."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from courses.models import CourseStaff, EnrollmentGrant, ProgramEnrollment
from courses.services.enrollments import revoke


def leave_courses(*, user_id: int, now: datetime) -> None:
    """Revoke whatever gives the person a course, in the caller's transaction, and end what they look after."""
    grants = EnrollmentGrant.objects.filter(enrollment__user_id=user_id, revoked_at=None)
    rows = grants.order_by("enrollment__run_id", "pk").values_list("enrollment__run_id", "source", "reference")
    for run_id, source, reference in list(rows):
        revoke(
            user_id=user_id,
            run_id=run_id,
            source=source,
            reference=reference,
            now=now,
            revoked_by_id=user_id,
            reason=_("Account deleted"),
        )
    CourseStaff.objects.filter(user_id=user_id).delete()
    ProgramEnrollment.objects.filter(user_id=user_id).delete()
