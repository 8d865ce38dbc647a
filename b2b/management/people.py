"""The people that operators name: typed, or in a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.services.seats.bulk import MembershipChange
from mitxonline.kernel.addresses import FileUnreadable, ListedPerson, parse_people_file

MAX_PEOPLE = 100_000


def read_membership_changes(
    *, add: Sequence[str] | None, remove: Sequence[str] | None, file: str | None
) -> list[MembershipChange]:
    """Read whom to add and remove. People in a file are added, or removed if --remove was given without addresses."""
    if add is None and remove is None and file is None:
        raise CommandError(_("Name the people: --add or --remove with addresses, or --file with a CSV file."))
    changes = [MembershipChange(email, joins=False) for email in remove or ()]
    changes += [MembershipChange(email, joins=True) for email in add or ()]
    if file is not None:
        joins = _should_add_file_people(add, remove)
        changes += [MembershipChange(person.email, joins=joins, line=person.line) for person in _read_file(file)]
    elif not changes:
        raise CommandError(_("Write the addresses after --add or --remove, or name a file with --file."))
    _refuse_contradictions(changes)
    return changes


def _should_add_file_people(add: Sequence[str] | None, remove: Sequence[str] | None) -> bool:
    file_is_added = add is not None and not add
    file_is_removed = remove is not None and not remove
    # With both options, exactly one of them must be without addresses: that one is about the file.
    if add is not None and remove is not None and file_is_added == file_is_removed:
        raise CommandError(_("--file: use either --add or --remove to tell whether its people join or leave."))
    return not file_is_removed


def _refuse_contradictions(changes: Sequence[MembershipChange]) -> None:
    joining = {change.email.strip().lower() for change in changes if change.joins}
    both = sorted({change.email.strip().lower() for change in changes if not change.joins} & joining)
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
    if len(people) > MAX_PEOPLE:
        sentence = _("--file: there are more than %(most)s people in %(file)s.")
        raise CommandError(sentence % {"file": name, "most": f"{MAX_PEOPLE:,}"})
    return people
