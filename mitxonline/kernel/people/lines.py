"""One line of a list of people, as it is typed, or pasted from mail programs and spreadsheets.

The reader doesn't decide whether an address is complete: it hands on what it can't read, so that it can be shown.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from mitxonline.kernel.names import clean_name
from mitxonline.kernel.people.headings import find_name_columns, is_email_heading
from mitxonline.kernel.people.labels import Labels, split_labels, split_records

EMAIL_MAX_LENGTH = 254  # RFC 5321, and what our columns hold
SEPARATORS = ",;\t|"

_MARKER = re.compile(r"\A\s*(?:[-*•·–—]|\d{1,4}[.)])\s+")
_LABEL = re.compile(r"\A(?:mailto|smtp|e-?mail)\s*:\s*", re.IGNORECASE)
_COLON_BEHIND = re.compile(r"(@[\w.-]+): ?(?=[^\W\d])")  # jane@x.example: Jane Doe
# Links as text, of mail programs and of documents: jane@x.example<mailto:jane@x.example>, [Jane](mailto:jane@x.example)
_REPEATED = re.compile(r"<mailto:([^\s<>]{1,254})>", re.IGNORECASE)
_LINKED = re.compile(r"\[([^\[\]\r\n]{1,300})\]\(mailto:([^()\s]{1,254})\)", re.IGNORECASE)
# What stands before the recipients of a mail that was copied as a whole.
_RECIPIENTS = re.compile(r"\A\s*(?:to|cc|bcc|an|à)\s*:\s*", re.IGNORECASE)
_LEADING, _TRAILING = "<>()[]{}\"'`“”„‘’‚«»", "<>()[]{}\"'`“”„‘’«».,;:!?"
_AROUND_NAMES = " \t,;:\"'`“”„‘’«»()[]-–—|/="


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """Someone on a list. `email` is as written, empty where there is none; `line` counts from 1 in a file.

    With `is_unclear`, `email` holds everything that was written: it could be read in more than one way.
    """

    email: str
    name: str = ""
    line: int | None = field(default=None, compare=False)
    is_unclear: bool = False


def is_email_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= EMAIL_MAX_LENGTH


def clean_text(text: str) -> str:
    """Return the text without characters that can't be seen; tabs and line ends stay."""
    kept = []
    for char in text.replace("\uff20", "@"):
        category = unicodedata.category(char)
        if category in ("Cc", "Zs", "Zl", "Zp") and char not in "\t\r\n":
            kept.append(" ")
        elif category != "Cf" or char in "\u200c\u200d":
            kept.append(char)
    plain = _LINKED.sub(lambda link: link[2] if "@" in link[1] else f"{link[1]} <{link[2]}>", "".join(kept))
    return _REPEATED.sub(lambda link: "" if plain.endswith(link[1], 0, link.start()) else link[0], plain)


def split_lines(text: str) -> list[str]:
    """Split at line ends only, where `str.splitlines` also splits at control characters in a name."""
    return re.split(r"\r\n|\r|\n", text)


def clean_address(text: str) -> str:
    """Return an address without what mail programs and sentences put around it and blanks beside its “@”."""
    plain = "".join(char for char in text if unicodedata.category(char) != "Cf")
    plain = _join_at(plain)
    plain = _LABEL.sub("", plain.lstrip(_LEADING + " "))
    address = plain.rstrip(_TRAILING + " ").lstrip(_LEADING)
    before, question, _after = address.partition("?")  # mailto:jane@x.example?subject=…
    address = before.rstrip(_TRAILING) if question and "@" in before else address
    return re.sub(r"\s+\.(?=\w)", ".", address) if "@" in address else address


def read_line(line: str, *, number: int | None = None) -> list[ListedPerson]:
    """Read “Name, address”, “Name <address>” or addresses alone, any number of them."""
    line = _RECIPIENTS.sub("", _MARKER.sub("", clean_text(line)))
    if labels := split_labels(line):
        return [_read_labels(record, number) for record in split_records(labels)]
    if mailboxes := _find_mailboxes(line):
        return _read_mailboxes(line, mailboxes, number)
    if find_separator(line) == ";":
        parts = split_line(line, ";")
        if sum("@" in part for part in parts) > 1:
            return [person for part in parts for person in read_line(part, number=number)]
    cells = split_line(line)
    if len(cells) == 1 and "@" in cells[0] and line.lstrip().startswith('"'):  # a whole line in quotes
        cells = split_line(cells[0])
    return read_cells(cells, number=number)


def _read_labels(labels: Labels, number: int | None) -> ListedPerson:
    addresses = [read_cell(value) for label, value in labels if is_email_heading(label) and "@" in value]
    headings, values = zip(*labels, strict=True)
    if len(addresses) != 1 or addresses[0].is_unclear or len(addresses[0].addresses) != 1:
        return unclear_person((f"{label}: {value}" for label, value in labels), number)
    name = tidy_name(find_name_columns(headings).read(values))
    return ListedPerson(addresses[0].addresses[0], name or addresses[0].name, number)


def find_separator(line: str) -> str:
    return next((each for each in "\t|;" if each in line), ",")


def split_line(line: str, separator: str = "") -> list[str]:
    """Split at tabs, else bars, else semicolons, else commas, but not inside quotes."""
    separator = separator or find_separator(line)
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        cells = line.split(separator)
    return [" ".join(cell.split()) for cell in cells]


def read_cells(cells: Sequence[str], *, number: int | None = None) -> list[ListedPerson]:
    """Read a row without headings: one person with their name, or addresses side by side."""
    filled = [cell for cell in cells if cell.strip(_AROUND_NAMES)]
    if not filled:
        return []
    found = [read_cell(cell) for cell in filled]
    addresses = [address for each in found for address in each.addresses]
    texts = [each.name for each in found if not each.addresses]
    if not addresses:
        return [ListedPerson(" ".join(filled).strip(_AROUND_NAMES), line=number)]
    if len(addresses) > 1:
        has_names_inside = all(len(each.addresses) == 1 for each in found)
        if texts or not (has_names_inside or not any(each.name for each in found)):
            return [unclear_person(filled, number)]
        return [
            ListedPerson(address, each.name, number, each.is_unclear) for each in found for address in each.addresses
        ]
    inside = next(each for each in found if each.addresses)
    if inside.is_unclear:
        return [unclear_person(filled, number)]
    name = inside.name or _join_names([text for text in texts if looks_like_name(text)])
    return [unclear_person(filled, number) if name is None else ListedPerson(addresses[0], name, number)]


@dataclass(frozen=True, slots=True)
class Cell:
    """What is in one cell: addresses, and the text beside them."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    is_unclear: bool = False


def read_cell(cell: str) -> Cell:
    """Read one cell: an address, “Name <address>”, “Name address”, or a text."""
    if mailboxes := _find_mailboxes(cell):
        people = _read_mailboxes(cell, mailboxes, None)
        is_one = len(people) == 1 and not people[0].is_unclear
        names = people[0].name if is_one else ""
        return Cell(names, tuple(person.email for person in people), is_unclear=not is_one)
    words = _COLON_BEHIND.sub(r"\1 ", _join_at(cell)).split()
    written = [word for word in words if "@" in word]
    if not written:
        return Cell(tidy_name(cell))
    addresses = tuple(clean_address(address) for address in written)
    beside = " ".join(word for word in words if "@" not in word)
    rest = tidy_name(_LABEL.sub("", f"{beside} "))
    if len(addresses) > 1:
        return Cell("", addresses, is_unclear=any(char.isalnum() for char in rest))
    if any(separator in addresses[0] for separator in SEPARATORS):
        return Cell("", addresses, is_unclear=True)
    # “jane doe@x.example” is more likely an address with a blank in it than a person called jane, and “ask
    # boss@x.example first” is a note.
    is_beside = "@" in words[0] or "@" in words[-1]
    is_name = is_beside and looks_like_name(rest) and (rest != rest.lower() or rest == rest.upper())
    return Cell(rest if is_name else "", addresses, is_unclear=bool(rest) and not is_name)


def is_address_cell(cell: str) -> bool:
    """Whether a cell is an address, possibly with a name, and not a sentence that mentions one."""
    found = read_cell(cell)
    return bool(found.addresses) and not found.is_unclear


def unclear_person(cells: Iterable[str], number: int | None) -> ListedPerson:
    return ListedPerson(", ".join(filter(None, cells)), line=number, is_unclear=True)


def tidy_name(text: str) -> str:
    return clean_name(clean_name(text).strip(_AROUND_NAMES))


def looks_like_name(text: str) -> bool:
    return any(char.isalpha() for char in text) and not any(char.isdigit() for char in text)


def format_people(people: Iterable[ListedPerson]) -> str:
    """Write the list as one would type it; the reader reads it back.

    Those without an address come last: above the others, the first of them would be taken for a heading.
    """
    ordered = sorted(people, key=lambda each: "@" not in each.email)
    return "\n".join(_format_person(each) for each in ordered)


def _format_person(person: ListedPerson) -> str:
    if not (person.name and person.email):
        return person.email or person.name
    line = f"{person.name}, {person.email}"
    if read_line(line) == [ListedPerson(person.email, person.name)]:
        return line
    name = re.sub(r'[<>"]', "", person.name)
    return f'"{name}" <{person.email}>'


def _join_names(texts: Sequence[str]) -> str | None:
    """Return the one name among the texts beside an address, or None if that can't be told."""
    if len(texts) < 2:
        return next(iter(texts), "")
    # First and last name side by side. Of “Jane Doe” and “Acme” one isn't a part of the name.
    return " ".join(texts) if len(texts) == 2 and not any(" " in text for text in texts) else None


def _join_at(text: str) -> str:
    """Return the text in one line without blanks around “@”."""
    return re.sub(r" ?@ ?", "@", " ".join(text.split()))


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """An address in angle brackets with the text before it; `end` is where the bracket closes."""

    before: str
    email: str
    end: int


def _find_mailboxes(line: str) -> list[_Mailbox]:
    # No pattern: on a long line without brackets one would start over at each character.
    found, start, place = [], 0, 0
    while (closes := line.find(">", place)) >= 0:
        opens = line.rfind("<", start, closes)
        if opens >= 0 and "@" in line[opens:closes]:
            found.append(_Mailbox(line[start:opens], line[opens + 1 : closes], closes + 1))
            start = closes + 1
        place = closes + 1
    return found


def _read_mailboxes(line: str, mailboxes: Sequence[_Mailbox], number: int | None) -> list[ListedPerson]:
    people: list[ListedPerson] = []
    for mailbox in mailboxes:
        before = mailbox.before
        at = before.rfind("@")
        if at >= 0:  # further addresses before this one's name
            cut = next((place for place in range(at, len(before)) if before[place] in SEPARATORS), -1)
            if cut >= 0:
                people += read_line(before[:cut], number=number)
            before = before[cut + 1 :] if cut >= 0 else ""
        people.append(ListedPerson(clean_address(mailbox.email), tidy_name(before), number))
    rest = line[mailboxes[-1].end :].strip(_AROUND_NAMES)
    if "@" in rest:
        return people + read_line(rest, number=number)
    if not rest:
        return people
    if len(people) == 1 and not people[0].name and looks_like_name(rest):
        return [ListedPerson(people[0].email, tidy_name(rest), number)]
    return [ListedPerson(" ".join(line.split()), line=number, is_unclear=True)]
