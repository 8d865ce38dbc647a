"""Next year's run made from last year's: every field is copied, and every date moves by the same number of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from courses.enums import RunLmsState
from courses.errors import RunKeyTaken
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from mitxonline.kernel import clock

# Which of the dates counts as the run's beginning: the first that it has.
ANCHORS = ("start_date", "enrollment_start", "enrollment_end", "end_date")
DATES = (
    "start_date",
    "end_date",
    "enrollment_start",
    "enrollment_end",
    "upgrade_deadline",
    "certificate_available_date",
)
# Earlier years are typing errors; the first ones have no moment in some zones.
EARLIEST_YEAR = 1970
# The copy's own. It isn't live before someone has looked at it.
OWN = frozenset(
    {
        *("id", "courseware_id", "run_tag", "live", "source_run", "created_at", "updated_at"),
        *(field.name for field in CourseRun._meta.concrete_fields if field.name.startswith(("lms_", "synced_"))),
        *("is_made_by_us", "is_full"),
    }
)


@dataclass(frozen=True, slots=True)
class ShiftedDate:
    """A date of the run, if it has one, and of its copy; `label` is the field's."""

    label: str
    before: datetime | None
    after: datetime


def has_beginning(run: CourseRun) -> bool:
    """Whether copies begin on some day: others are taken at one's own pace at any time, and have no dates at all."""
    return not run.is_self_paced or any(getattr(run, name) is not None for name in DATES)


def moves_of(run: CourseRun, *, start: date | None) -> list[ShiftedDate]:
    """Return the dates of a copy that begins on this day, beside the run's."""
    labels = {field.name: str(field.verbose_name) for field in CourseRun._meta.concrete_fields}
    dates = _dates_of_copy(run, start)
    return [ShiftedDate(labels[name], getattr(run, name), after) for name, after in dates.items() if after is not None]


def can_begin(run: CourseRun, start: date) -> bool:
    """Whether all dates of a copy that begins on this day are within the calendar."""
    try:
        moves_of(run, start=start)
        clock.start_of_day(start).astimezone(UTC)
    except (OverflowError, ValueError):
        return False
    return start.year >= EARLIEST_YEAR


def key_of_copy(run: CourseRun, tag: str) -> str:
    return f"{run.course.readable_id}+{tag}"


def copy_run(*, run_id: int, tag: str, start: date | None) -> CourseRun:
    """Copy a public run, not live, with its dates moved. Raises RunKeyTaken."""
    run = CourseRun.objects.select_related("course").get(pk=run_id)
    values: dict[str, Any] = {
        field.attname: getattr(run, field.attname)
        for field in CourseRun._meta.concrete_fields
        if field.name not in OWN and field.name not in DATES
    }
    key = key_of_copy(run, tag)
    values |= _dates_of_copy(run, start)
    copy = CourseRun(**values, courseware_id=key, run_tag=tag, live=False, lms_state=RunLmsState.NOT_NEEDED)
    copy.source_run = run if run.run_tag != SOURCE_TAG else None
    try:
        with transaction.atomic():
            copy.save(force_insert=True)
    except IntegrityError as error:
        if not CourseRun.all_objects.filter(courseware_id=key).exists():
            raise
        raise RunKeyTaken(key=key) from error
    return copy


def _dates_of_copy(run: CourseRun, start: date | None) -> dict[str, datetime | None]:
    days = _days_to(run, start)
    dates = {name: _shift(before, days) if (before := getattr(run, name)) is not None else None for name in DATES}
    if run.start_date is None and not run.is_self_paced and start is not None:
        dates["start_date"] = clock.start_of_day(start)
    return dates


def _days_to(run: CourseRun, start: date | None) -> int:
    anchor: datetime | None = next((moment for name in ANCHORS if (moment := getattr(run, name)) is not None), None)
    return (start - clock.date_of(anchor)).days if anchor is not None and start is not None else 0


def _shift(moment: datetime, days: int) -> datetime:
    """Move by days and keep the time on the site's clock, also across daylight saving."""
    zone = timezone.get_default_timezone()
    local = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone)
