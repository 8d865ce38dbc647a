"""Course keys of Open edX."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

PROGRAM_PREFIX = "program-v1:"


def parse_course_key(key: str) -> CourseKey | None:
    """Parse a run's key; None if Open edX would reject it."""
    try:
        parsed = CourseKey.from_string(key)
    except InvalidKeyError:
        return None
    return parsed if key.startswith("course-v1:") else None


def validate_run_key(key: str) -> None:
    if parse_course_key(key) is None:
        raise ValidationError(
            _("“%(key)s” isn’t a course key. It should look like course-v1:ORG+NUMBER+RUN, without spaces."),
            code="course_key",
            params={"key": key},
        )


def validate_course_id(readable_id: str) -> None:
    # A course id is valid if the key of a run would be.
    if readable_id.count("+") != 1 or parse_course_key(f"{readable_id}+RUN") is None:
        raise ValidationError(
            _("“%(key)s” isn’t a course ID. It should look like course-v1:ORG+NUMBER, without spaces."),
            code="course_id",
            params={"key": readable_id},
        )


def validate_program_id(readable_id: str) -> None:
    rest = readable_id.removeprefix(PROGRAM_PREFIX)
    if rest == readable_id or parse_course_key(f"course-v1:{rest}+RUN") is None or rest.count("+") != 1:
        raise ValidationError(
            _("“%(key)s” isn’t a program ID. It should look like program-v1:ORG+NAME, without spaces."),
            code="program_id",
            params={"key": readable_id},
        )


def course_number(key: str) -> str:
    """Return NUMBER of course-v1:ORG+NUMBER, or of a run's key."""
    parts = key.split("+")
    return parts[1] if len(parts) > 1 else ""
