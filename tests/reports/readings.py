"""Reading an audit in a test: its figures by term, and its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from reports.audits.base import Audit, AuditResult, AuditRow, AuditScope, RowChoice, open_audit
from reports.audits.enrollments import ENROLLMENTS
from reports.audits.payments import PAYMENTS
from reports.audits.seats import SEATS


@dataclass(frozen=True)
class Reading:
    result: AuditResult
    rows: list[AuditRow]

    def figures(self, currency: str = "") -> dict[str, Any]:
        """Every term's figure: a count, or an amount in the currency."""
        sections = [each for each in self.result.sections if each.currency == currency]
        return {
            term.key: term.figure if isinstance(term.figure, int) else term.figure.amount
            for section in sections
            for term in section.terms
        }

    def parts(self, key: str) -> dict[str, Any]:
        terms = {term.key: term for section in self.result.sections for term in section.terms}
        return {str(label): figure for label, figure in terms[key].parts}


def read_audit(audit: Audit, *, rows: RowChoice | None = None, **scope: Any) -> Reading:
    """Read an audit, also with every row judged by itself, which has to find the same."""
    choice, chosen = rows or RowChoice(), AuditScope(**scope)
    with open_audit(audit, chosen, choice) as (result, found):
        reading = Reading(result, list(found))
    with open_audit(audit, chosen, choice, by_day=True) as (by_day, found):
        assert (by_day.sections, by_day.causes, list(found)) == (result.sections, result.causes, reading.rows)
    with open_audit(replace(audit, summed=""), chosen, choice, by_day=True) as (whole, found):
        assert (whole.sections, whole.causes, list(found)) == (result.sections, result.causes, reading.rows)
        assert whole.days == by_day.days
    return reading


def read_enrollments(**options: Any) -> Reading:
    return read_audit(ENROLLMENTS, **options)


def read_payments(**options: Any) -> Reading:
    return read_audit(PAYMENTS, **options)


def read_seats(**options: Any) -> Reading:
    return read_audit(SEATS, **options)
