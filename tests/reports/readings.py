"""Reading an audit in a test: its figures by term, and its rows."""

from __future__ import annotations

from dataclasses import dataclass
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
    with open_audit(audit, AuditScope(**scope), rows or RowChoice()) as (result, found):
        return Reading(result, list(found))


def read_enrollments(**options: Any) -> Reading:
    return read_audit(ENROLLMENTS, **options)


def read_payments(**options: Any) -> Reading:
    return read_audit(PAYMENTS, **options)


def read_seats(**options: Any) -> Reading:
    return read_audit(SEATS, **options)
