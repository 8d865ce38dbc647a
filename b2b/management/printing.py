"""How rows look: for people in words, for programs as plain values under stable names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from mitxonline.kernel.console import Output, write_rows

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for programs, its heading for people, and the word for “none”."""

    name: str
    heading: StrOrPromise
    none: StrOrPromise = ""


def print_rows(out: Output, rows: Sequence[Mapping[str, object]], columns: Sequence[Column], *, style: str) -> None:
    """Print the rows as a table, as CSV, or as JSON with the columns' names as keys."""
    if style == "json":
        chosen = [{column.name: row[column.name] for column in columns} for row in rows]
        out.write(json.dumps(chosen, indent=2, ensure_ascii=False, default=str) + "\n")
        return
    write_rows(
        out,
        [[_cell(row[column.name], column) for column in columns] for row in rows],
        columns=[str(column.heading) for column in columns],
        style=style,
    )


def _cell(value: object, column: Column) -> object:
    if value is None:
        return str(column.none)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return f"{value.normalize():f}" if isinstance(value, Decimal) and value == value.to_integral() else value
