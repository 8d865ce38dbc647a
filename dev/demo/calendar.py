"""Dates of the demo, relative to today so that they never go stale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dev.demo.specs import CourseSpec, RunSpec
from mitxonline.kernel import clock

ENROLLMENT_AFTER_START = timedelta(days=14)
ANY_TIME_TAG = "SELF"


@dataclass(frozen=True, slots=True)
class RunDates:
    tag: str
    start: datetime
    end: datetime | None
    enrollment_start: datetime
    enrollment_end: datetime | None
    self_paced: bool


def run_dates(course: CourseSpec, run: RunSpec, *, today: date) -> RunDates:
    if run.kind == "any_time":
        new_year = clock.start_of_day(date(today.year, 1, 1))
        return RunDates(ANY_TIME_TAG, new_year, None, new_year, None, self_paced=True)
    monday = next_monday(today) + timedelta(weeks=run.week)
    last = monday + timedelta(weeks=course.weeks, days=-1)
    opens = next_monday(today) + timedelta(weeks=run.opens) if run.opens else monday - timedelta(weeks=26)
    year, week, _day = monday.isocalendar()
    return RunDates(
        tag=f"{year}W{week:02d}",
        start=clock.start_of_day(monday),
        end=clock.end_of_day(last),
        enrollment_start=clock.start_of_day(opens),
        enrollment_end=clock.end_of_day(monday + ENROLLMENT_AFTER_START),
        self_paced=False,
    )


def next_monday(today: date) -> date:
    """Return the first Monday after ``today``."""
    return today + timedelta(days=7 - today.weekday())


@dataclass(frozen=True, slots=True)
class ContractDates:
    """Dates of the contract that runs now and of the one that starts next year."""

    start: date
    end: date
    next_start: date
    next_end: date
    ends_soon: date

    @property
    def year(self) -> int:
        return self.end.year


def contract_dates(today: date) -> ContractDates:
    # The current contract runs from the start of last month to the next June 30 that is at least five months away.
    end = date(today.year if today.month == 1 else today.year + 1, 6, 30)
    start = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return ContractDates(
        start=start,
        end=end,
        next_start=date(today.year + 1, 1, 1),
        next_end=date(today.year + 1, 12, 31),
        ends_soon=today + timedelta(days=20),
    )
