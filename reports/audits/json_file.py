"""An audit as JSON, with all its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from mitxonline.kernel.spreadsheets import format_cell
from reports.audits.base import AuditResult, AuditRow
from reports.audits.statements import newest_reports
from reports.audits.wording import ROW_HEADINGS, figure_cell, row_cells


def json_pieces(result: AuditResult, rows: Iterator[AuditRow]) -> Iterator[str]:
    """Yield one JSON object in pieces, a row at a time: there may be a million."""
    head = {
        "audit": str(result.audit.name),
        "taken_at": result.taken_at.isoformat(),
        "course": result.scope.course,
        "from": result.scope.first,
        "to": result.scope.last,
        "reports": [
            {
                "gateway": each.gateway,
                "account": each.account,
                "until": each.until.isoformat(),
                "fetched_at": each.fetched_at.isoformat(),
            }
            for each in (newest_reports() if result.audit.has_money else [])
        ],
        "sections": [
            {
                "heading": str(section.heading),
                "currency": section.currency,
                "terms": [
                    {
                        "term": term.key,
                        "label": str(term.label),
                        "sign": term.sign,
                        "figure": figure_cell(term.figure),
                        "parts": {str(label): figure_cell(figure) for label, figure in term.parts},
                    }
                    for term in section.terms
                ],
            }
            for section in result.sections
        ],
        "causes": [
            {
                "cause": str(each.cause),
                "currency": each.currency,
                "count": each.count,
                "difference": figure_cell(each.difference) if each.difference is not None else None,
                "is_explained": each.is_explained,
            }
            for each in result.causes
        ],
        "days": [
            {
                "day": each.day,
                "currency": each.gateway.currency,
                "gateway": figure_cell(each.gateway),
                "shop": figure_cell(each.shop),
                "difference": figure_cell(each.difference),
            }
            for each in result.days
        ],
        "explained": result.explained,
        "unexplained": result.unexplained,
    }
    text = json.dumps(head, indent=2, ensure_ascii=False, default=str)
    yield text.removesuffix("\n}") + ',\n  "rows": ['
    for number, row in enumerate(rows):
        cells = dict(zip(ROW_HEADINGS, json_cells(row), strict=True))
        cells |= {"cause": row.cause, "is_explained": row.is_explained}
        yield "," * bool(number) + "\n    " + json.dumps(cells, ensure_ascii=False, default=str)
    yield "\n  ]\n}\n"


def json_cells(row: AuditRow) -> tuple[object, ...]:
    return tuple(format_cell(cell) if isinstance(cell, datetime) else cell for cell in row_cells(row))
