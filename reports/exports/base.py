"""What every report is: a question about some days and courses, and rows, totals and charts that answer it.

Amounts of different currencies are never added. Days are days of the shop's zone, both ends included. Rows of large
reports come through a server-side cursor, so memory stays flat for any number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ecommerce.roles import Action, ShopScope, scope_of
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.spreadsheets import Cell
from reports.charts import Chart

ROWS_AT_ONCE = 2000

Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Asked:
    """What someone asked of a report. `scope` is what they may see, narrowed to a course if they chose one."""

    first: date
    last: date
    scope: ShopScope
    by: str = ""
    state: str = ""
    company: str = ""
    contract_id: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what was chosen; what may be seen is looked at again when it is used."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "by": self.by,
            "state": self.state,
            "company": self.company,
            "contract_id": self.contract_id,
        }

    @classmethod
    def from_json(cls, chosen: dict[str, Any], scope: ShopScope) -> Asked:
        days = {name: date.fromisoformat(chosen[name]) for name in ("first", "last")}
        return cls(**{**chosen, **days}, scope=scope)

    @property
    def start(self) -> datetime:
        return clock.start_of_day(self.first)

    @property
    def end(self) -> datetime:
        return clock.end_of_day(self.last)

    def within(self, column: str) -> Q:
        """Match moments on these days."""
        return Q(**{f"{column}__gte": self.start, f"{column}__lte": self.end})


@dataclass(frozen=True, slots=True)
class ReportFact:
    """A figure above the table; of amounts there is one for each currency."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a report beside days and course."""

    name: str
    label: Any
    options: Callable[[], list[tuple[str, str]]] | None = None


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What a page shows beside the rows."""

    facts: tuple[ReportFact, ...] = ()
    charts: tuple[Chart, ...] = field(default=())


class Report:
    """One report. Subclasses name what they are asked and yield rows below `head`."""

    slug: ClassVar[str]
    title: ClassVar[Any]
    about: ClassVar[Any]
    action: ClassVar[Action] = Action.REPORT_VIEW
    choices: ClassVar[tuple[Choice, ...]] = ()
    has_days: ClassVar[bool] = True
    has_course: ClassVar[bool] = True
    # Columns of amounts and counts, which a page aligns at the end.
    numbers: ClassVar[frozenset[int]] = frozenset()

    def scope_of(self, user: Any) -> ShopScope:
        return scope_of(user, self.action)

    def head(self, asked: Asked) -> list[str]:
        raise NotImplementedError

    def count(self, asked: Asked) -> int:
        raise NotImplementedError

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        raise NotImplementedError

    def answer(self, asked: Asked) -> ReportAnswer:
        """Return the figures above the table and the charts."""
        return ReportAnswer()


def stream(rows: QuerySet[Any], *, limit: int | None) -> Iterator[Any]:
    """Read rows through a server-side cursor; for the first few of a page, without one."""
    return iter(rows[:limit]) if limit is not None else rows.iterator(chunk_size=ROWS_AT_ONCE)


def amount(value: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount with the decimals of its currency."""
    return Money(value, currency).amount if value is not None else None


def money_facts(label: str, totals: dict[str, Decimal]) -> tuple[ReportFact, ...]:
    """Return a fact for each currency; with none, one that says nothing came."""
    if not totals:
        return (ReportFact(label, "–"),)
    return tuple(ReportFact(label, Money(total, currency).formatted()) for currency, total in sorted(totals.items()))


def name_of_program_or_course(title: str | None) -> str:
    return title or _("Several courses")
