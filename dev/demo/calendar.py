"""When the demonstration's courses take place, reckoned from today so that it never goes stale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dev.demo.specs import CourseSpec, RunSpec
from mitxonline.kernel import clock

ENROLLMENT_AFTER_START = timedelta(days=14)
ANY_TIME_TAG = "SELF"


@dataclass(frozen=True, slots=True)
class RunDates:
    """The tag and the dates of a run."""

    tag: str
    start: datetime
    end: datetime | None
    enrollment_start: datetime
    enrollment_end: datetime | None
    self_paced: bool


def run_dates(course: CourseSpec, run: RunSpec, *, today: date) -> RunDates:
    """When such a run takes place, if it is made today."""
    if run.kind == "any_time":
        begun = clock.start_of_day(date(today.year, 1, 1))
        return RunDates(ANY_TIME_TAG, begun, None, begun, None, self_paced=True)
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
    """The first Monday after today."""
    return today + timedelta(days=7 - today.weekday())


@dataclass(frozen=True, slots=True)
class ContractDates:
    """The days of the demonstration's contracts: one runs now, one begins with the year."""

    start: date
    end: date
    next_start: date
    next_end: date

    @property
    def year(self) -> int:
        """The year the running contract is named after."""
        return self.end.year


def contract_dates(today: date) -> ContractDates:
    """From the start of last month to the end of the June that lies at least half a year ahead."""
    end = date(today.year if today.month == 1 else today.year + 1, 6, 30)
    start = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return ContractDates(
        start=start, end=end, next_start=date(today.year + 1, 1, 1), next_end=date(today.year + 1, 12, 31)
    )
