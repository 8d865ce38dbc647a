"""Who used which code of a contract, as a file: for the organization's own books (B19)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from openpyxl import Workbook

from b2b.selectors.handouts import IN_CONTRACT
from b2b.selectors.managers import CodeStanding
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, OrderLine
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import escape_formula

CHUNK = 2_000

COLUMNS: tuple[str | Promise, ...] = (
    _("Course"),
    _("Course run"),
    _("Code"),
    _("Given to"),
    _("E-mail given to"),
    _("Given on"),
    _("Used by"),
    _("E-mail used by"),
    _("Used on"),
    _("State"),
    _("Paid"),
)


class _Line:
    """What ``csv`` writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def redemptions_csv(contract_id: int) -> Iterator[str]:
    """The file line by line, with the mark by which Excel knows the letters; memory and queries don't grow."""
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow([str(column) for column in COLUMNS])
    for cells in _redemptions(contract_id):
        yield writer.writerow(cells)


def write_redemptions(out: IO[bytes], contract_id: int) -> None:
    """The same as a workbook."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title="Redemptions")
    sheet.append([str(column) for column in COLUMNS])
    for cells in _redemptions(contract_id):
        sheet.append(list(cells))
    book.save(out)


def _redemptions(contract_id: int) -> Iterator[tuple[str, ...]]:
    paid = OrderLine.objects.filter(order=OuterRef("order"), code=OuterRef("code"))
    rows = (
        CodeUse.objects.filter(
            state__in=[UseState.CONFIRMED, UseState.RETIRED],
            **{f"code__{IN_CONTRACT}": contract_id},
        )
        .annotate(due=Subquery(paid.values("due")[:1]), due_currency=Subquery(paid.values("currency")[:1]))
        .order_by("created_at", "pk")
        .values_list(
            "code__discount__unlocks__course_run__title",
            "code__discount__unlocks__course_run__courseware_id",
            "code__text",
            "code__assigned_name",
            "code__assigned_email",
            "code__assigned_at",
            "user__name",
            "user__email",
            "created_at",
            "state",
            "due",
            "due_currency",
        )
    )
    with transaction.atomic():  # one moment for all rows, and a cursor on the server
        for *cells, given_at, name, email, used_at, state, due, currency in rows.iterator(chunk_size=CHUNK):
            standing = CodeStanding.JOINED if state == UseState.CONFIRMED else CodeStanding.WITHDRAWN
            line = (
                *cells,
                clock.date_of(given_at).isoformat() if given_at else "",
                name,
                email,
                clock.date_of(used_at).isoformat(),
                str(standing.label),
                str(Money(due, currency)) if due is not None else "",
            )
            yield tuple(escape_formula(cell) for cell in line)
