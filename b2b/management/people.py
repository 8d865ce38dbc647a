"""The people that operators name: typed, or in a file."""

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
    """Read who joins and who leaves. People of a file join, unless --remove stands without addresses beside it."""
    if add is None and remove is None and file is None:
        raise CommandError(_("Name the people: --add or --remove with addresses, or --file with a CSV file."))
    wishes = [Wish(email, joins=False) for email in remove or ()] + [Wish(email, joins=True) for email in add or ()]
    if file is not None:
        joins = _do_file_people_join(add, remove)
        wishes += [Wish(person.email, joins=joins, line=person.line) for person in _read_file(file)]
    elif not wishes:
        raise CommandError(_("Write the addresses after --add or --remove, or name a file with --file."))
    _refuse_contradictions(wishes)
    return wishes


def _do_file_people_join(add: Sequence[str] | None, remove: Sequence[str] | None) -> bool:
    if remove is not None and add is not None and not (bool(add) ^ bool(remove)):
        raise CommandError(_("--file: use either --add or --remove to tell whether its people join or leave."))
    return remove is None or bool(remove)


def _refuse_contradictions(wishes: Sequence[Wish]) -> None:
    joining = {wish.email.strip().lower() for wish in wishes if wish.joins}
    both = sorted({wish.email.strip().lower() for wish in wishes if not wish.joins} & joining)
    if both:
        raise CommandError(_("%(email)s can’t be both added and removed.") % {"email": both[0]})


def _read_file(name: str) -> list[ListedPerson]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        sentence = _("--file: can’t read %(file)s: %(reason)s.")
        raise CommandError(sentence % {"file": name, "reason": error.strerror or str(error)}) from error
    try:
        people = parse_people_file(data)
    except FileUnreadable as error:
        raise CommandError(_("--file: %(file)s: %(reason)s") % {"file": name, "reason": error.sentence}) from error
    if not people:
        raise CommandError(_("--file: there are no people in %(file)s.") % {"file": name})
    if len(people) > MOST_PEOPLE:
        sentence = _("--file: there are more than %(most)s people in %(file)s.")
        raise CommandError(sentence % {"file": name, "most": f"{MOST_PEOPLE:,}"})
    return people
