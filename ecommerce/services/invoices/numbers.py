"""Numbers of invoices and credit notes, without gaps in each series and year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Max

from ecommerce.models import Invoice, InvoiceEntry
from mitxonline.kernel.db import transaction_lock


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    """“INV-2027-00012”."""

    series: str
    year: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.series}-{self.year}-{self.sequence:05}"


def allocate_number(model: type[Invoice] | type[InvoiceEntry], *, series: str, on: date) -> DocumentNumber:
    """Return the next number; call it in the transaction that uses it.

    The lock is kept until that transaction ends. The next one waits for it, then sees its number, or that it was
    undone: so there are neither gaps nor duplicates. A trigger refuses a number whose predecessor doesn't exist.
    """
    transaction_lock("document numbers", f"{series}-{on.year}")
    return next_number(model, series=series, on=on)


def next_number(model: type[Invoice] | type[InvoiceEntry], *, series: str, on: date) -> DocumentNumber:
    """Return the number that the next document would get, without keeping it."""
    used = model._default_manager.filter(series=series, year=on.year).aggregate(last=Max("sequence"))["last"]
    return DocumentNumber(series, on.year, (used or 0) + 1)
