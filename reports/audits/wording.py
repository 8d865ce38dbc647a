"""An audit in words and cells: the same in files, on pages and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.money import Money
from mitxonline.kernel.spreadsheets import Cell
from reports.audits.base import AuditResult, AuditRow, Figure

# The cells of a row: a key for programs and a heading for people.
ROW_HEADINGS = {
    "cause": _("Cause"),
    "about": _("About"),
    "day": _("Day"),
    "units": _("Number"),
    "currency": _("Currency"),
    "gateway": _("Gateway"),
    "shop": _("Shop"),
    "difference": _("Difference"),
    "learner": _("Learner"),
    "course": _("Course key"),
    "note": _("Note"),
}


def row_cells(row: AuditRow) -> tuple[Cell, ...]:
    def amount(value: Decimal | None) -> Decimal | None:
        return Money(value, row.currency).amount if value is not None and row.currency else None

    return (
        row.cause_label,
        row.key or row.email,
        row.at,
        row.units,
        row.currency,
        amount(row.gateway),
        amount(row.shop),
        amount(row.difference),
        row.email,
        row.run_key,
        row.note,
    )


def figure_cell(figure: Figure) -> int | Decimal:
    return figure.amount if isinstance(figure, Money) else figure


def file_rows(result: AuditResult, rows: Iterator[AuditRow]) -> Iterator[tuple[Cell, ...]]:
    """Yield a file of the whole audit: its moment, its terms, then its rows."""
    blank = ("",) * len(ROW_HEADINGS)
    yield (_("Record"), _("Term"), _("Figure"), *ROW_HEADINGS.values())
    yield (_("As of"), "", "", "", "", result.taken_at, *blank[3:])
    for section in result.sections:
        for term in section.terms:
            yield (_("Term"), term.label, figure_cell(term.figure), *blank[:4], section.currency, *blank[5:])
    for row in rows:
        yield (_("Row"), row.term, "", *row_cells(row))
