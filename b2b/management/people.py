"""People as operators name them: typed, or in a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.services.seats.bulk import Wish
from mitxonline.kernel.addresses import FileUnreadable, ListedPerson, parse_people_file

MOST_PEOPLE = 100_000


def read_wishes(*, add: Sequence[str] | None, remove: Sequence[str] | None, file: str | None) -> list[Wish]:
    """Who shall be in and who shall be out; a file's people go where the option without addresses says, or in."""
    if add is None and remove is None and file is None:
        raise CommandError(_("Say who: --add or --remove with addresses, or --file with a CSV file."))
    wishes = [Wish(email, joins=False) for email in remove or ()] + [Wish(email, joins=True) for email in add or ()]
    if file is not None:
        joins = _file_joins(add, remove)
        wishes += [Wish(person.email, joins=joins, line=person.line) for person in _read(file)]
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


def _read(name: str) -> list[ListedPerson]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        sentence = _("--file: %(file)s can't be read: %(reason)s.")
        raise CommandError(sentence % {"file": name, "reason": error.strerror or str(error)}) from error
    try:
        people = parse_people_file(data)
    except FileUnreadable as error:
        raise CommandError(_("--file: %(file)s: %(reason)s") % {"file": name, "reason": error.sentence}) from error
    if not people:
        raise CommandError(_("--file: %(file)s names no one.") % {"file": name})
    if len(people) > MOST_PEOPLE:
        sentence = _("--file: %(file)s names more than %(most)s people.")
        raise CommandError(sentence % {"file": name, "most": f"{MOST_PEOPLE:,}"})
    return people
