"""The one reader of lists of people: typed, pasted from a spreadsheet or a mail program, or in a file.

What can't be told from the list is asked for: which of several columns has the addresses, and how letters are spelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from mitxonline.kernel.people.files import FileUnreadable, ListRow, SpellingUnclear, read_rows, split_rows
from mitxonline.kernel.people.headings import find_name_columns, is_email_heading, is_heading_row
from mitxonline.kernel.people.labels import join_labeled_lines, split_labels
from mitxonline.kernel.people.lines import (
    ListedPerson,
    find_separator,
    is_address_cell,
    looks_like_name,
    read_cell,
    read_cells,
    read_line,
    split_line,
    split_lines,
    tidy_name,
    unclear_person,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_LOOKED_THROUGH = 10  # rows in which a heading may stand below a title
_EVERYONE = "all"


class About(StrEnum):
    """What a question is about."""

    COLUMN = "column"
    SPELLING = "spelling"


@dataclass(frozen=True, slots=True)
class Question:
    """What the list doesn't tell. `choices` are values and what to show for them."""

    about: About
    choices: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        if self.about is About.COLUMN:
            return _("More than one column has e-mail addresses. Which one should we use?")
        return _("Some letters of this file can be read in more than one way. Which spelling is right?")


@dataclass(frozen=True, slots=True)
class PeopleList:
    """What was read. With a question, there are no people yet.

    `heading` is a first line that was taken for one without being known as one.
    """

    people: tuple[ListedPerson, ...] = ()
    question: Question | None = None
    heading: str = ""


def read_people(text: str, *, column: str = "") -> PeopleList:
    """Read a typed or pasted list. `column` answers a question about columns: a choice, a number or a heading."""
    written = join_labeled_lines(enumerate(split_lines(text), start=1))
    lines = [(number, line) for number, line in written if line.strip(" \t,;|")]
    with_address = [number for number, line in lines if "@" in line]
    if not lines:
        return PeopleList()
    is_labeled = any(split_labels(line) for _number, line in lines)
    headings = "" if is_labeled or not with_address else _find_headings([line for _number, line in lines])
    if headings:
        try:
            return _read_table(split_rows(text, find_separator(headings)), column=column)
        except FileUnreadable:  # an open quote, in a list that is no table
            pass
    heading = ""
    if ("@" not in lines[0][1] and with_address) or is_heading_row([lines[0][1]]):
        first = lines.pop(0)[1].strip()
        heading = "" if is_heading_row([first]) else first
    separator = next((each for each in "\t|" if any(each in line for _number, line in lines)), "")
    rows = [ListRow(number, tuple(split_line(line, separator))) for number, line in lines]
    if not is_labeled and (question := _ask_for_column(rows, (), is_table=bool(separator))):
        answer = _find_column(question, column)
        return PeopleList(_pick(rows, answer), heading=heading) if answer else PeopleList(question=question)
    people = [person for _number, line in lines for person in read_line(line)]
    return PeopleList(tuple(people), heading=heading)


def read_people_file(data: bytes, *, column: str = "", encoding: str = "") -> PeopleList:
    """Read a CSV file or a workbook; `column` and `encoding` answer questions.

    Raises FileUnreadable.
    """
    try:
        rows = read_rows(data, encoding=encoding)
    except SpellingUnclear as unclear:
        if b"@" not in data:
            raise FileUnreadable(_no_addresses()) from None
        return PeopleList(question=Question(About.SPELLING, tuple(unclear.samples.items())))
    return _read_table(rows, column=column, is_file=True)


def _find_headings(lines: Sequence[str]) -> str:
    """Return the line with the headings of a table: the first one, or a known one below a title."""
    above = list(takewhile(lambda line: "@" not in line, lines[:_LOOKED_THROUGH]))
    if above and len(split_line(above[0])) > 1:
        return above[0]
    rows = ((line, split_line(line)) for line in above)
    return next((line for line, cells in rows if len(cells) > 1 and is_heading_row(cells)), "")


def _read_table(rows: Sequence[ListRow], *, column: str, is_file: bool = False) -> PeopleList:
    place = _find_heading(rows)
    if place is None:
        if is_file and rows and not any("@" in cell for row in rows for cell in row.cells):
            raise FileUnreadable(_no_addresses())
        if question := _ask_for_column(rows, (), is_table=True):
            answer = _find_column(question, column)
            return PeopleList(_pick(rows, answer)) if answer else PeopleList(question=question)
        return PeopleList(tuple(person for row in rows for person in _read_row(row)))
    headings, rows = rows[place].cells, rows[place + 1 :]
    heading = "" if is_heading_row(headings) else ", ".join(filter(None, headings))
    if _are_lines(rows, headings):
        return PeopleList(tuple(person for row in rows for person in _read_row(row)), heading=heading)
    if question := _ask_for_column(rows, headings, is_table=True):
        answer = _find_column(question, column)
        if not answer:
            return PeopleList(question=question)
        address_column = _place_of(answer)
    else:
        address_column = _find_address_column(rows, headings)
    names = find_name_columns(headings)
    people = []
    for row in rows:
        cell = row.cells[address_column] if address_column < len(row.cells) else ""
        people.append(_read_person(row, cell, _read_name(names.read(row.cells))))
    return PeopleList(tuple(people), heading=heading)


def _are_lines(rows: Sequence[ListRow], headings: Sequence[str]) -> bool:
    """Whether below a heading stand lines of a mail program, “Doe, Jane <jane@x.example>”, which fit no columns."""
    has_rivals = sum(is_email_heading(heading) for heading in headings) > 1
    counts = [sum("@" in cell for cell in row.cells) for row in rows]
    if has_rivals or _are_bare(rows) or max(counts, default=0) > 1:
        return False
    return len(_address_columns(rows)) > 1


def _read_person(row: ListRow, cell: str, name: str) -> ListedPerson:
    """Read a row of a table whose columns are known."""
    found = read_cell(cell)
    if found.is_unclear or len(found.addresses) > 1:
        return unclear_person(row.cells, row.number)
    if not found.addresses:
        return ListedPerson(cell, name, row.number)
    return ListedPerson(found.addresses[0], name or found.name, row.number)


def _read_name(text: str) -> str:
    """Return the name in a cell under a heading of names, which some fill with the address or write it behind."""
    return read_cell(text).name if "@" in text else tidy_name(text)


def _read_row(row: ListRow) -> Iterator[ListedPerson]:
    """Read a row of a table without headings."""
    if sum(map(bool, row.cells)) == 1:  # a file of lines, each in quotes
        yield from read_line("".join(row.cells), number=row.number)
    elif any("<" in cell and "@" in cell for cell in row.cells):
        yield from read_line(", ".join(filter(None, row.cells)), number=row.number)
    else:
        yield from read_cells(row.cells, number=row.number)


def _find_heading(rows: Sequence[ListRow]) -> int | None:
    """Return the place of the heading: a known one, or a first row without an address above rows with one."""
    leading = []
    for place, row in enumerate(rows[:_LOOKED_THROUGH]):
        if any("@" in cell for cell in row.cells):
            break
        leading.append(place)
    known = next((place for place in leading if is_heading_row(rows[place].cells)), None)
    if known is not None or not leading:
        return known
    if not any("@" in cell for row in rows for cell in row.cells):
        return None
    return max(leading, key=lambda place: (sum(map(bool, rows[place].cells)), -place))


def _find_address_column(rows: Sequence[ListRow], headings: Sequence[str]) -> int:
    """Return the one column with addresses; without any, the one whose heading says so."""
    columns = _address_columns(rows)
    if columns:
        return columns[0]
    return next((place for place, heading in enumerate(headings) if is_heading_row([heading])), 0)


def _address_columns(rows: Sequence[ListRow]) -> list[int]:
    found = {
        place
        for row in rows
        for place, cell in enumerate(row.cells)
        if "@" in cell and (is_address_cell(cell) or len(read_cell(cell).addresses) > 1)
    }
    different: list[int] = []
    for place in sorted(found):
        if not any(_is_same_column(rows, place, other) for other in different):
            different.append(place)
    return different


def _is_same_column(rows: Sequence[ListRow], place: int, other: int) -> bool:
    """Whether each address of a column stands in the other too, as in Outlook's “E-mail Display Name”."""
    found = [read_cell(row.cells[place]).addresses for row in rows if place < len(row.cells)]
    others = [read_cell(row.cells[other]).addresses for row in rows if place < len(row.cells)]
    return all(not mine or mine == theirs for mine, theirs in zip(found, others, strict=True))


def _ask_for_column(rows: Sequence[ListRow], headings: Sequence[str], *, is_table: bool) -> Question | None:
    """Return the question which column has the addresses, if several have some and it isn't a list of addresses."""
    columns = _address_columns(rows)
    if len(columns) < 2:
        return None
    # With the heading in it, the answer about one file isn't one about the next.
    choices = [
        (f"{place + 1}:{''.join(headings[place : place + 1])}", _describe_column(rows, headings, place))
        for place in columns
    ]
    if headings:
        return Question(About.COLUMN, tuple(choices))
    counts = [[place for place, cell in enumerate(row.cells) if "@" in cell] for row in rows]
    several = [places for places in counts if len(places) > 1]
    if not several:
        return None
    has_texts = any(
        looks_like_name(cell) and "@" not in cell
        for row, places in zip(rows, counts, strict=True)
        if len(places) > 1
        for cell in row.cells
    )
    is_aligned = all(places == several[0] for places in several)
    if has_texts and is_aligned and _are_bare(rows):
        return Question(About.COLUMN, tuple(choices))
    if not has_texts and is_table and len(rows) > 1 and len(several) == len(rows) and is_aligned and _are_bare(rows):
        everyone = (_EVERYONE, _("All of them: each address is a person of its own"))
        return Question(About.COLUMN, (*choices, everyone))
    return None


def _are_bare(rows: Sequence[ListRow]) -> bool:
    return not any("<" in cell for row in rows for cell in row.cells)


def _describe_column(rows: Sequence[ListRow], headings: Sequence[str], place: int) -> str:
    example = next(
        (row.cells[place] for row in rows if place < len(row.cells) and "@" in row.cells[place]),
        "",
    )
    heading = headings[place] if place < len(headings) else ""
    return f"{heading or _('Column %(n)d') % {'n': place + 1}} ({example})"


def _find_column(question: Question, answer: str) -> str:
    """Return the value of the choice that was meant: by its value, its number or its heading; empty if none was."""
    wanted = answer.strip().casefold()
    if not wanted:
        return ""
    for value, label in question.choices:
        if wanted in (value.casefold(), value.partition(":")[0], label.rpartition(" (")[0].casefold()):
            return value
    return ""


def _place_of(answer: str) -> int:
    return int(answer.partition(":")[0]) - 1


def _pick(rows: Sequence[ListRow], answer: str) -> tuple[ListedPerson, ...]:
    """Read rows without headings by the column that was chosen; the other columns with addresses are left out."""
    if answer == _EVERYONE:
        return tuple(person for row in rows for person in _read_row(row))
    chosen = _place_of(answer)
    kept = [
        ListRow(row.number, tuple(cell for place, cell in enumerate(row.cells) if place == chosen or "@" not in cell))
        for row in rows
    ]
    return tuple(person for row in kept for person in _read_row(row))


def _no_addresses() -> StrOrPromise:
    return _("This file has no e-mail addresses. Put them in a column with the heading “E-mail”, or one on each line.")
