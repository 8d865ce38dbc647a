"""Course keys as Open edX reads them."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

PROGRAM_PREFIX = "program-v1:"


def parse_course_key(key: str) -> CourseKey | None:
    """The run's key as Open edX reads it, or None where Open edX would refuse it."""
    try:
        parsed = CourseKey.from_string(key)
    except InvalidKeyError:
        return None
    return parsed if key.startswith("course-v1:") else None


def validate_run_key(key: str) -> None:
    """Raise ValidationError unless Open edX would accept this key for a run."""
    if parse_course_key(key) is None:
        raise ValidationError(
            _("“%(key)s” is not a course key. It looks like course-v1:ORG+NUMBER+RUN, without blanks."),
            code="course_key",
            params={"key": key},
        )


def validate_course_id(readable_id: str) -> None:
    """Raise ValidationError unless a run of this course could have a key (course-v1:ORG+NUMBER)."""
    if readable_id.count("+") != 1 or parse_course_key(f"{readable_id}+RUN") is None:
        raise ValidationError(
            _("“%(key)s” is not a course id. It looks like course-v1:ORG+NUMBER, without blanks."),
            code="course_id",
            params={"key": readable_id},
        )


def validate_program_id(readable_id: str) -> None:
    """Raise ValidationError unless this is a program id (program-v1:ORG+NAME)."""
    rest = readable_id.removeprefix(PROGRAM_PREFIX)
    if rest == readable_id or parse_course_key(f"course-v1:{rest}+RUN") is None or rest.count("+") != 1:
        raise ValidationError(
            _("“%(key)s” is not a program id. It looks like program-v1:ORG+NAME, without blanks."),
            code="program_id",
            params={"key": readable_id},
        )


def course_number(key: str) -> str:
    """The number in the middle of a course id or run key."""
    parts = key.split("+")
    return parts[1] if len(parts) > 1 else ""
