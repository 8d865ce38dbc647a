"""Cells of files: plain numbers, no formulas, no characters that break a file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mitxonline.kernel.spreadsheets import Cell, csv_pieces, format_cell


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1, "1"),
        (-12, "-12"),
        (Decimal("1E+2"), "100"),
        (Decimal("10.50"), "10.50"),
        (Decimal("-3"), "-3"),
        (None, ""),
        (True, "Yes"),
        (date(2026, 2, 1), "2026-02-01"),
        (datetime(2026, 2, 1, 9, 30, 15, 123456, tzinfo=UTC), "2026-02-01 09:30"),
        ("=1+1", "'=1+1"),
        ("Ada\x0bLovelace\x00", "AdaLovelace"),
        ("\x0b=1+1", "'=1+1"),
        ("Žofie 李", "Žofie 李"),
    ],
)
def test_a_cell_is_plain_text(cell: Cell, text: str) -> None:
    assert format_cell(cell) == text


def test_a_file_begins_with_a_byte_order_mark() -> None:
    assert "".join(csv_pieces([["a", 1], ["b", Decimal("2.50")]])) == "\ufeffa,1\r\nb,2.50\r\n"
