"""Lists of people with their e-mail addresses: typed, pasted from a spreadsheet, or in a CSV file.

The parser doesn't decide whether an address is complete: it hands on what it can't read, so that the caller can report
it with its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

EMAIL_MAX_LENGTH = 254  # RFC 5321, and what our columns hold

_NAMED = re.compile(r"\A(?P<name>[^<>]*)<(?P<email>[^<>\s]+)>\Z")
_SEPARATORS = ",;\t"
_EMAIL_HEADINGS = frozenset({"email", "e-mail", "mail", "email address", "e-mail address", "address"})
_NAME_HEADINGS = frozenset({"name", "full name", "first name", "last name", "given name", "family name", "surname"})
_BYTE_ORDER_MARKS = (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"))


class FileUnreadable(Exception):
    """The file isn't a list of people; the sentence says what to do."""

    def __init__(self, sentence: StrOrPromise) -> None:
        self.sentence = sentence
        super().__init__(str(sentence))


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """Someone on a list. `email` is as written, empty where there is none; `line` counts from 1 in a file."""

    email: str
    name: str = ""
    line: int | None = field(default=None, compare=False)


def is_email_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= EMAIL_MAX_LENGTH


def parse_people(text: str) -> list[ListedPerson]:
    """Read a typed or pasted list: “Name, address”, “Name <address>” or addresses alone, any number on a line."""
    people = []
    for line in text.splitlines():
        cells = [cell.strip(" \"'") for cell in re.split(rf"[{_SEPARATORS}]", line)]
        people += _parse_cells(cells)
    return people


def parse_people_file(data: bytes) -> list[ListedPerson]:
    """Read a CSV file as Excel and others write it: any of the usual separators and encodings, headings or none.

    Raises FileUnreadable.
    """
    if data[:2] == b"PK":
        raise FileUnreadable(
            _("This is an Excel file. Save it as CSV (UTF-8) in your spreadsheet program, then choose it.")
        )
    lines = _decode(data).splitlines(keepends=True)
    separator, first = _find_separator(lines)
    reader = csv.reader(lines[first:], delimiter=separator)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            if any(cells):
                rows.append((first + reader.line_num, cells))
    except csv.Error:
        raise FileUnreadable(_("This file can’t be read as CSV. Save it as CSV (UTF-8), then choose it.")) from None
    columns = _find_columns(rows[0][1]) if rows else None
    if columns is not None:
        email_column, name_columns = columns
        return [
            ListedPerson(
                email=cells[email_column] if email_column < len(cells) else "",
                name=" ".join(cells[place] for place in name_columns if place < len(cells) and cells[place]),
                line=number,
            )
            for number, cells in rows[1:]
        ]
    if rows and not any("@" in cell for _number, cells in rows for cell in cells):
        raise FileUnreadable(
            _("This file has no e-mail addresses. Put them in a column with the heading “E-mail”, or one on each line.")
        )
    return [person for number, cells in rows for person in _parse_cells(cells, line=number)]


def format_people(people: Iterable[ListedPerson]) -> str:
    """Write the list as one would type it; `parse_people` reads it back."""
    return "\n".join(f"{each.name}, {each.email}" if each.name else each.email for each in people)


def _decode(data: bytes) -> str:
    if b"\x00" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileUnreadable(_("This isn’t a text file. Save your list as CSV (UTF-8), then choose it."))
    encodings = [name for name, mark in _BYTE_ORDER_MARKS if data.startswith(mark)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.replace("\x00", "")
    raise FileUnreadable(_("We can’t read this file’s encoding. Save it as CSV (UTF-8), then choose it."))


def _find_separator(lines: Sequence[str]) -> tuple[str, int]:
    """Return the separator and how many lines to skip: Excel may name it in a first line “sep=;”."""
    number, first = next(((number, line) for number, line in enumerate(lines) if line.strip()), (0, ""))
    named = first.strip("\r\n ")
    if named.lower().startswith("sep=") and len(named) == 5:
        return named[4], number + 1
    return max(_SEPARATORS, key=first.count), 0


def _find_columns(headings: Sequence[str]) -> tuple[int, list[int]] | None:
    """Return the column of the address and those of the name; None if the first row is a person."""
    names = [cell.casefold().replace("_", " ") for cell in headings]
    emails = [place for place, name in enumerate(names) if name in _EMAIL_HEADINGS]
    if not emails:
        return None
    return emails[0], [place for place, name in enumerate(names) if name in _NAME_HEADINGS]


def _parse_cells(cells: Sequence[str], *, line: int | None = None) -> list[ListedPerson]:
    """Read one person with name and address, or several addresses side by side."""
    # Addresses with only blanks between them are in one cell.
    filled = [part for cell in cells if cell for part in (cell.split() if cell.count("@") > 1 else [cell])]
    addresses = [cell for cell in filled if "@" in cell]
    if not filled:
        return []
    if not addresses:
        return [ListedPerson(email=" ".join(filled), line=line)]
    if len(addresses) > 1:
        return [_parse_person(cell, line) for cell in addresses]
    person = _parse_person(addresses[0], line)
    name = " ".join(cell for cell in filled if cell != addresses[0])
    return [ListedPerson(email=person.email, name=name or person.name, line=line)]


def _parse_person(cell: str, line: int | None) -> ListedPerson:
    named = _NAMED.match(cell)
    if named is None:
        return ListedPerson(email=cell, line=line)
    return ListedPerson(email=named["email"], name=named["name"].strip(" \"'"), line=line)
