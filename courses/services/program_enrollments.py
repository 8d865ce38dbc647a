"""Putting programs on a learner's list, and taking them off."""

from __future__ import annotations

from datetime import datetime

from courses.models import ProgramEnrollment


def enroll_in_program(*, user_id: int, program_id: int, now: datetime) -> bool:
    """Put a program on the learner's list; return whether it is new there. Callers check that they may see it."""
    _row, is_new = ProgramEnrollment.objects.get_or_create(
        user_id=user_id, program_id=program_id, defaults={"enrolled_at": now}
    )
    return is_new


def leave_program(*, user_id: int, program_id: int) -> bool:
    """Take a program off the learner's list; return whether it was there. Their courses stay."""
    deleted, _by_model = ProgramEnrollment.objects.filter(user_id=user_id, program_id=program_id).delete()
    return bool(deleted)
