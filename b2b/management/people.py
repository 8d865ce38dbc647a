"""People as operators name them: typed, or in a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.services.seats.bulk import Wish

HEADINGS = ("email", "e-mail", "mail", "email address", "e-mail address")
MOST_PEOPLE = 100_000
DELIMITERS = ",;\t"


def read_wishes(*, add: Sequence[str] | None, remove: Sequence[str] | None, file: str | None) -> list[Wish]:
    """Who shall be in and who shall be out; a file's people go where the option without addresses says, or in."""
    if add is None and remove is None and file is None:
        raise CommandError(_("Say who: --add or --remove with addresses, or --file with a CSV file."))
    wishes = [Wish(email, joins=False) for email in remove or ()] + [Wish(email, joins=True) for email in add or ()]
    if file is not None:
        wishes += [Wish(email, joins=_file_joins(add, remove), line=line) for line, email in _read(file)]
    elif not wishes:
        raise CommandError(_("Write the addresses after --add or --remove, or name a file with --file."))
    _refuse_both_ways(wishes)
    return wishes


def _file_joins(add: Sequence[str] | None, remove: Sequence[str] | None) -> bool:
    if remove is not None and add is not None and not (bool(add) ^ bool(remove)):
        raise CommandError(_("--file: say whether its people shall be added or removed, by one of --add and --remove."))
    return remove is None or bool(remove)


def _refuse_both_ways(wishes: Sequence[Wish]) -> None:
    coming = {wish.email.strip().lower() for wish in wishes if wish.joins}
    both = sorted({wish.email.strip().lower() for wish in wishes if not wish.joins} & coming)
    if both:
        raise CommandError(_("%(email)s is to be added and removed. Say one of them.") % {"email": both[0]})


def _read(name: str) -> list[tuple[int, str]]:
    """The addresses of a CSV file with their lines: the column headed “email”, or the first one."""
    people = list(_addresses(name, _lines(name)))
    if not people:
        raise CommandError(_("--file: %(file)s names no one.") % {"file": name})
    if len(people) > MOST_PEOPLE:
        sentence = _("--file: %(file)s names more than %(most)s people.")
        raise CommandError(sentence % {"file": name, "most": f"{MOST_PEOPLE:,}"})
    return people


def _lines(name: str) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        sentence = _("--file: %(file)s can't be read: %(reason)s.")
        raise CommandError(sentence % {"file": name, "reason": error.strerror or str(error)}) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        sentence = _("--file: %(file)s is not UTF-8 text. Save it as “CSV UTF-8”.")
        raise CommandError(sentence % {"file": name}) from None
    if "\0" in text:
        raise CommandError(_("--file: %(file)s is not a text file. Save it as “CSV UTF-8”.") % {"file": name})
    return text.splitlines()


def _addresses(name: str, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    column: int | None = None
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if column is None:
                column = _email_column(cells)
                if column >= 0:
                    continue
                column = 0
            yield reader.line_num, cells[column].strip() if column < len(cells) else ""
    except csv.Error as error:
        sentence = _("--file: line %(line)d of %(file)s is not CSV: %(reason)s.")
        raise CommandError(sentence % {"line": reader.line_num, "file": name, "reason": error}) from error


def _email_column(cells: Sequence[str]) -> int:
    """Which column the heading calls the address; -1 where the first line is no heading."""
    names = [cell.strip().lower() for cell in cells]
    found = [place for place, name in enumerate(names) if name in HEADINGS]
    if not found and not any("@" in name for name in names):
        raise CommandError(
            _("--file: the first line has neither an address nor a heading “email”: %(line)s.")
            % {"line": ", ".join(names)[:80]}
        )
    return found[0] if found else -1
