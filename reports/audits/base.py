"""What the three audits share: a scope, one reading of one snapshot, and its terms and rows.

Each audit is one statement. It judges every row once (`fact`), adds up the terms and lists the rows that differ, so
figures and rows can't disagree. Rows are read from a cursor on the server, so memory doesn't grow with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import connection
from django.utils import timezone
from django.utils.formats import number_format

from courses.models import Course, CourseRun
from mitxonline.kernel import clock
from mitxonline.kernel.db import read_snapshot, run_sql
from mitxonline.kernel.money import Money
from reports.enums import EXPLAINED, AuditName, Cause
from reports.errors import CourseKeyUnknown, DaysReversed

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Figure: TypeAlias = "int | Money"
ROWS_AT_ONCE = 2000
# The statements sort and hash whole tables; with less memory the database writes them to disk several times.
# Rows are stored in the sequence of their orders: reading them by that index and grouping them as they come takes less
# than hashing them, which outgrows the memory.
SETTINGS = {"work_mem": "64MB", "random_page_cost": "1.1", "enable_hashagg": "off"}

TOTALS = """
SELECT 0, term, standing, cause, currency, count(*), sum(units), sum(gateway), sum(shop),
    NULL::timestamptz, '', '', '', '', NULL::bigint, NULL::bigint
FROM fact GROUP BY term, standing, cause, currency
"""
DAYS = """
UNION ALL SELECT 0, '', 'day', '', currency, count(*), count(*), sum(gateway), sum(shop),
    date_trunc('day', at AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s AS day, '', '', '', '', NULL, NULL
FROM fact WHERE standing IN ('gateway', 'shop') GROUP BY currency, day
"""
ROWS = """
SELECT 1, fact.term, standing, cause, fact.currency, 1, units, gateway, shop, fact.at, key, fact.note,
    coalesce(person.email, ''), coalesce(run.courseware_id, ''), order_id, enrollment_id
FROM fact
LEFT JOIN users_user AS person ON person.id = fact.user_id
LEFT JOIN courses_courserun AS run ON run.id = fact.run_id
WHERE {condition}
ORDER BY cause = ANY(%(explained)s), fact.currency, cause, fact.at, key, standing, fact.term, fact.note,
    enrollment_id
LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True, slots=True)
class AuditScope:
    """What an audit is about; empty is everything. Days are the shop's, and both belong to the time."""

    course: str = ""
    first: date | None = None
    last: date | None = None
    currency: str = ""

    def params(self) -> dict[str, object]:
        """Raises CourseKeyUnknown and DaysReversed."""
        if self.first and self.last and self.last < self.first:
            raise DaysReversed
        return {
            "runs": self.find_runs(),
            "since": clock.start_of_day(self.first) if self.first else None,
            "until": clock.start_of_day(self.last + timedelta(days=1)) if self.last else None,
            "currency": self.currency or None,
        }

    def find_runs(self) -> list[int] | None:
        """Return the runs of the course or the one run; None without a key."""
        key = self.course.strip()
        if not key:
            return None
        runs = CourseRun.all_objects
        found = list(runs.filter(courseware_id=key).values_list("pk", flat=True))
        if not found and not Course.objects.filter(readable_id=key).exists():
            raise CourseKeyUnknown(key=key)
        return found or list(runs.filter(course__readable_id=key).values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which rows are listed: those that differ, or those of a term. `cause` narrows the first down."""

    term: str = ""
    standing: str = ""
    cause: str = ""
    offset: int = 0
    limit: int | None = None

    @property
    def condition(self) -> str:
        if self.term:
            return "term = %(term)s" + (" AND standing = %(standing)s" if self.standing else "")
        return "cause = %(cause)s" if self.cause else "cause <> ''"


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows have this term, standing, cause and currency, and what they add up to.

    A summed statement counts what agrees once.
    """

    term: str
    standing: str
    cause: str
    currency: str
    count: int
    units: int
    gateway: Decimal
    shop: Decimal
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What moved on one day of the shop, in one currency."""

    day: date
    gateway: Money
    shop: Money

    @property
    def difference(self) -> Money:
        return self.gateway - self.shop


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of a term, or one that differs."""

    term: str
    standing: str
    cause: str
    currency: str
    units: int
    gateway: Decimal | None
    shop: Decimal | None
    at: datetime | None
    key: str
    note: str
    email: str
    run_key: str
    order_id: int | None
    enrollment_id: int | None

    @property
    def difference(self) -> Decimal | None:
        """By how much the gateway's figure is above the shop's."""
        if self.gateway is None and self.shop is None:
            return None
        return (self.gateway or Decimal(0)) - (self.shop or Decimal(0))

    @property
    def gateway_text(self) -> str:
        return self._describe(self.gateway)

    @property
    def shop_text(self) -> str:
        return self._describe(self.shop)

    @property
    def difference_text(self) -> str:
        return self._describe(self.difference)

    def _describe(self, amount: Decimal | None) -> str:
        return "–" if amount is None or not self.currency else Money(amount, self.currency).formatted()

    @property
    def is_explained(self) -> bool:
        return self.cause in EXPLAINED

    @property
    def cause_label(self) -> str:
        return str(Cause(self.cause).label) if self.cause else ""


@dataclass(frozen=True, slots=True)
class Term:
    """A line of the equation. `sign` is "+", "−", "=" or empty for what is only told beside it.

    `parts` say how the figure comes about. A term without `rows` has no list.
    """

    key: str
    label: StrOrPromise
    figure: Figure
    sign: str = "+"
    parts: tuple[tuple[StrOrPromise, Figure], ...] = ()
    rows: str = ""
    standing: str = ""

    @property
    def text(self) -> str:
        return describe_figure(self.figure)

    @property
    def is_zero(self) -> bool:
        return self.figure.is_zero if isinstance(self.figure, Money) else self.figure == 0

    @property
    def part_texts(self) -> list[tuple[StrOrPromise, str]]:
        return [(label, describe_figure(figure)) for label, figure in self.parts]


def describe_figure(figure: Figure) -> str:
    return figure.formatted() if isinstance(figure, Money) else number_format(figure, force_grouping=True)


@dataclass(frozen=True, slots=True)
class Section:
    """One equation: of the enrollments, of the seats, or of the money in one currency."""

    heading: StrOrPromise
    terms: tuple[Term, ...]
    currency: str = ""


@dataclass(frozen=True, slots=True)
class CauseTotal:
    """How many rows differ for one cause, and by how much."""

    cause: Cause
    currency: str
    count: int
    difference: Money | None

    @property
    def is_explained(self) -> bool:
        return self.cause in EXPLAINED


@dataclass(frozen=True, slots=True)
class Audit:
    """One of the three: its statement, and how its totals become terms.

    ``summed`` finds the same figures and the same rows that differ, but adds up what agrees instead of listing it. It
    can't list the rows of a term, and doesn't know which courses an order has.
    """

    name: AuditName
    fact: str
    build: Callable[[Sequence[Total], AuditScope], list[Section]]
    summed: str = ""
    has_money: bool = False
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class AuditResult:
    """The figures of an audit, at the moment `taken_at`."""

    audit: Audit
    scope: AuditScope
    taken_at: datetime
    sections: list[Section] = field(default_factory=list)
    causes: list[CauseTotal] = field(default_factory=list)
    days: list[DayTotal] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        """How many rows need someone."""
        return sum(each.count for each in self.causes if not each.is_explained)

    @property
    def explained(self) -> int:
        return sum(each.count for each in self.causes if each.is_explained)

    @property
    def is_balanced(self) -> bool:
        return self.unexplained == 0


@contextmanager
def open_audit(
    audit: Audit, scope: AuditScope, rows: RowChoice, *, by_day: bool = False
) -> Iterator[tuple[AuditResult, Iterator[AuditRow]]]:
    """Make an audit; the rows can be read within the block. Raises CourseKeyUnknown and DaysReversed.

    The rows are those that differ, unexplained ones first, or those of the chosen term. Only money is added up by day.
    """
    with read_snapshot() as taken_at:
        params: dict[str, Any] = {
            **scope.params(),
            **audit.params,
            "term": rows.term,
            "standing": rows.standing,
            "cause": rows.cause,
            "explained": [str(each) for each in EXPLAINED],
            "limit": rows.limit,
            "offset": rows.offset,
            "by_day": by_day and audit.has_money,
            "zone": timezone.get_default_timezone_name(),
        }
        days = DAYS if params["by_day"] else ""
        fact = audit.fact if rows.term or scope.course else audit.summed or audit.fact
        statement = f"{fact} {TOTALS} {days} UNION ALL ({ROWS.format(condition=rows.condition)})"
        for name, value in SETTINGS.items():
            run_sql("SELECT set_config(%s, %s, true)", [name, value])
        with connection.chunked_cursor() as cursor:
            cursor.execute(statement, params)
            # The database reads the parts of a union one after the other: totals come first.
            found = itertools.chain.from_iterable(iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), []))
            totals: list[Total] = []
            first_row: list[tuple[object, ...]] = []
            for row in found:
                if row[0] == 1:
                    first_row.append(row)
                    break
                totals.append(_make_total(row))
            result = AuditResult(audit, scope, taken_at)
            result.totals, result.days = totals, _list_days(totals)
            result.sections = audit.build(totals, scope)
            result.causes = list(_add_up_causes(totals, has_money=audit.has_money))
            yield result, (_make_row(row) for row in itertools.chain(first_row, found))


def _make_total(row: Sequence[Any]) -> Total:
    _part, term, standing, cause, currency, count, units, gateway, shop, at, *_rest = row
    return Total(term, standing, cause, currency, count, int(units or 0), gateway or Decimal(0), shop or Decimal(0), at)


def _make_row(row: Sequence[object]) -> AuditRow:
    return AuditRow(*row[1:5], *row[6:])  # type: ignore[arg-type]  # the columns of ROWS


def _list_days(totals: Sequence[Total]) -> list[DayTotal]:
    days = [
        DayTotal(clock.date_of(total.at), Money(total.gateway, total.currency), Money(total.shop, total.currency))
        for total in totals
        if total.standing == "day" and total.at is not None
    ]
    return sorted(days, key=lambda each: (each.gateway.currency, each.day))


def _add_up_causes(totals: Sequence[Total], *, has_money: bool) -> Iterator[CauseTotal]:
    counts: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for total in totals:
        if total.cause:
            count, difference = counts.get((total.currency, total.cause), (0, Decimal(0)))
            counts[total.currency, total.cause] = count + total.count, difference + total.gateway - total.shop
    for (currency, cause), (count, difference) in sorted(counts.items()):
        yield CauseTotal(Cause(cause), currency, count, Money(difference, currency) if has_money else None)
