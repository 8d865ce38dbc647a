"""The people that operators name: typed, or in a file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from b2b.services.seats.bulk import MembershipChange
from mitxonline.kernel.people.files import ENCODINGS, FileUnreadable
from mitxonline.kernel.people.lines import ListedPerson, read_line
from mitxonline.kernel.people.reader import About, PeopleList, Question, read_people_file

MAX_PEOPLE = 100_000


def read_membership_changes(
    *,
    add: Sequence[str] | None,
    remove: Sequence[str] | None,
    file: str | None,
    column: str = "",
    encoding: str = "",
    say: Callable[[str], None] = lambda _text: None,
) -> list[MembershipChange]:
    """Read whom to add and remove. People in a file are added, or removed if --remove was given without addresses."""
    if add is None and remove is None and file is None:
        raise CommandError(_("Name the people: --add or --remove with addresses, or --file with a CSV file."))
    changes = [MembershipChange(email, joins=False) for email in read_addresses(remove or ())]
    changes += [MembershipChange(email, joins=True) for email in read_addresses(add or ())]
    if file is not None:
        joins = _should_add_file_people(add, remove)
        found = _read_file(file, column=column, encoding=encoding)
        people = found.people
        if found.heading:
            say(_("The first line was taken for a heading: “%(heading)s”.") % {"heading": found.heading})
        changes += [MembershipChange(person.email or person.name, joins=joins, line=person.line) for person in people]
    elif not changes:
        raise CommandError(_("Write the addresses after --add or --remove, or name a file with --file."))
    _refuse_contradictions(changes)
    return changes


def read_addresses(texts: Sequence[str]) -> list[str]:
    """Return the addresses of people as an operator types or pastes them: “Jane Doe <jane@example.org>” too."""
    return [person.email for text in texts for person in read_line(text) or [ListedPerson(text)]]


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


def _read_file(name: str, *, column: str, encoding: str) -> PeopleList:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        sentence = _("--file: can’t read %(file)s: %(reason)s.")
        raise CommandError(sentence % {"file": name, "reason": error.strerror or str(error)}) from error
    try:
        found = read_people_file(data, column=column, encoding=encoding)
    except FileUnreadable as error:
        raise CommandError(_("--file: %(file)s: %(reason)s") % {"file": name, "reason": error.sentence}) from error
    if found.question is not None:
        raise CommandError(_describe_question(name, found.question))
    if not found.people:
        raise CommandError(_("--file: there are no people in %(file)s.") % {"file": name})
    if len(found.people) > MAX_PEOPLE:
        sentence = _("--file: there are more than %(most)s people in %(file)s.")
        raise CommandError(sentence % {"file": name, "most": f"{MAX_PEOPLE:,}"})
    return found


def _describe_question(name: str, question: Question) -> str:
    if question.about is About.COLUMN:
        choices = "\n".join(f"  {value.partition(':')[0]}  {label}" for value, label in question.choices)
        sentence = _(
            "--file: more than one column of %(file)s has e-mail addresses. Name the one to use with --address-column, "
            "by its number or heading:\n%(choices)s"
        )
    else:
        choices = "\n".join(f"  {value}  {label}" for value, label in question.choices)
        sentence = _(
            "--file: some letters of %(file)s can be read in more than one way. Name the right spelling with "
            "--encoding:\n%(choices)s"
        )
    return sentence % {"file": name, "choices": choices}


def add_file_options(parser: ArgumentParser) -> None:
    """Add the options that answer what a file of people leaves open."""
    parser.add_argument(
        "--address-column", default="", metavar="COLUMN", help="which column of the file has the addresses, if several"
    )
    parser.add_argument(
        "--encoding",
        default="",
        choices=ENCODINGS,
        metavar="NAME",
        help="how an older file spells letters: %(choices)s",
    )
