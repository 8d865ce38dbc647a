"""People on a list that a manager typed, pasted from a spreadsheet or uploaded: who they are, as far as can be read.

Whether an address is one is not decided here: what can't be read is handed on as it stands, and reported at its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from b2b.services.handouts.assign import Recipient

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_BYTES = 1_000_000
MOST_PEOPLE = 5_000

_NAMED = re.compile(r"\A(?P<name>[^<>]*)<(?P<email>[^<>\s]+)>\Z")
_SEPARATORS = ",;\t"
_EMAIL_HEADS = frozenset({"email", "e-mail", "mail", "email address", "e-mail address", "address"})
_NAME_HEADS = frozenset({"name", "full name", "first name", "last name", "given name", "family name", "surname"})
_BOMS = (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"))


class FileUnreadable(Exception):
    """The file isn't a list of people; the sentence says what to do."""

    def __init__(self, sentence: StrOrPromise) -> None:
        self.sentence = sentence
        super().__init__(str(sentence))


def from_text(text: str) -> list[Recipient]:
    """People typed or pasted: one line for each, “Name, address”, “Name <address>”, or just addresses."""
    return [person for line in text.splitlines() for person in _of_line(line)]


def from_file(data: bytes) -> list[Recipient]:
    """People in a CSV file as Excel and others write it: any of the usual separators and encodings, heads or none.

    Raises FileUnreadable.
    """
    if data[:2] == b"PK":
        raise FileUnreadable(
            _("This is an Excel file. Save it as CSV (UTF-8) in your spreadsheet program, then choose it.")
        )
    lines = _decode(data).splitlines(keepends=True)
    separator, lines = _separator(lines)
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error:
        raise FileUnreadable(_("This file can’t be read as CSV. Save it as CSV (UTF-8), then choose it.")) from None
    rows = [row for row in rows if any(row)]
    columns = _columns(rows[0]) if rows else None
    if columns is None:
        return [person for row in rows for person in _of_cells(row)]
    return [_by_columns(row, *columns) for row in rows[1:]]


def as_text(people: Iterable[Recipient]) -> str:
    """The list as one would type it."""
    return "\n".join(f"{each.name}, {each.email}" if each.name else each.email for each in people)


def _decode(data: bytes) -> str:
    if b"\x00" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileUnreadable(_("This isn’t a text file. Save your list as CSV (UTF-8), then choose it."))
    encodings = [name for name, mark in _BOMS if data.startswith(mark)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.replace("\x00", "")
    raise FileUnreadable(_("We can’t read this file’s encoding. Save it as CSV (UTF-8), then choose it."))


def _separator(lines: list[str]) -> tuple[str, list[str]]:
    """What separates the cells: what Excel's first line says, else the most frequent sign of the first line."""
    first = next((line for line in lines if line.strip()), "")
    said = first.strip("\r\n ")
    if said.lower().startswith("sep=") and len(said) == 5:
        return said[4], lines[lines.index(first) + 1 :]
    return max(_SEPARATORS, key=first.count), lines


def _columns(head: Sequence[str]) -> tuple[int, list[int]] | None:
    """Where the address and the parts of the name stand; None where the first row is a person already."""
    names = [cell.casefold().replace("_", " ") for cell in head]
    emails = [place for place, name in enumerate(names) if name in _EMAIL_HEADS]
    if not emails:
        return None
    return emails[0], [place for place, name in enumerate(names) if name in _NAME_HEADS]


def _by_columns(row: Sequence[str], email: int, names: Sequence[int]) -> Recipient:
    return Recipient(
        email=row[email] if email < len(row) else "",
        name=" ".join(row[place] for place in names if place < len(row) and row[place]),
    )


def _of_line(line: str) -> list[Recipient]:
    cells = re.split(rf"[{_SEPARATORS}]", line)
    return _of_cells([cell.strip(" \"'") for cell in cells])


def _of_cells(cells: Sequence[str]) -> list[Recipient]:
    """One person with name and address, or several addresses side by side."""
    filled = [cell for cell in cells if cell]
    addresses = [cell for cell in filled if "@" in cell]
    if not filled:
        return []
    if len(addresses) > 1:
        return [_person(cell) for cell in addresses]
    if not addresses:
        return [Recipient(email=" ".join(filled))]
    person = _person(addresses[0])
    name = " ".join(cell for cell in filled if cell != addresses[0])
    return [Recipient(email=person.email, name=name or person.name)]


def _person(cell: str) -> Recipient:
    named = _NAMED.match(cell)
    if named is None:
        return Recipient(email=cell)
    return Recipient(email=named["email"], name=named["name"].strip(" \"'"))
