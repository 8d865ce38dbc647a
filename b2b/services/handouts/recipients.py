"""The people on a list of recipients, and what becomes of each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.names import ADDRESS_IN_NAME, clean_name, has_address
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import normalize_email

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NAME_MAX_LENGTH = 255


class RecipientOutcome(StrEnum):
    GETS_CODE = "gets_code"
    INCOMPLETE = "incomplete"
    UNCLEAR = "unclear"
    ADDRESS_IN_NAME = "address_in_name"
    DUPLICATE = "duplicate"
    HAS_COURSE = "has_course"
    HAS_SEAT = "has_seat"
    HAS_CODE = "has_code"
    WITHDRAWN = "withdrawn"


SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.GETS_CODE: _("Gets a code by e-mail."),
    RecipientOutcome.INCOMPLETE: _("This address is incomplete."),
    RecipientOutcome.UNCLEAR: _("We can’t tell the name from the address. Write one person per line: name, address."),
    RecipientOutcome.ADDRESS_IN_NAME: ADDRESS_IN_NAME,
    RecipientOutcome.DUPLICATE: _("Listed twice. We’ll use the first."),
    RecipientOutcome.HAS_COURSE: _("Already has this course."),
    RecipientOutcome.HAS_SEAT: _("Already has a seat, so this course is included."),
    RecipientOutcome.HAS_CODE: _("Already has an unused code for this course. You can send a reminder."),
    RecipientOutcome.WITHDRAWN: _("This person’s access was withdrawn, and only we can restore it. Ask us about it."),
}
# Staff can do themselves what managers have to ask for.
STAFF_SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.WITHDRAWN: _(
        "Access was withdrawn, and a code doesn’t restore it. Add the person under “Members”."
    ),
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone on a list. With `is_unclear`, `email` is what was written and couldn't be read."""

    email: str
    name: str = ""
    is_unclear: bool = False


@dataclass(frozen=True, slots=True)
class RecipientRow:
    email: str
    name: str
    outcome: RecipientOutcome

    @property
    def is_receiving_code(self) -> bool:
        return self.outcome is RecipientOutcome.GETS_CODE

    @property
    def sentence(self) -> str:
        return str(SENTENCES[self.outcome])

    @property
    def staff_sentence(self) -> str:
        return str(STAFF_SENTENCES.get(self.outcome, SENTENCES[self.outcome]))


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """Prefetched enrollments, seats, codes and withdrawals of the addresses on a list."""

    has_course: Collection[str] = frozenset()
    has_seat: Collection[str] = frozenset()
    has_code: Collection[str] = frozenset()
    withdrawn: Collection[str] = frozenset()

    def outcome(self, email: str) -> RecipientOutcome:
        if email in self.has_course:
            return RecipientOutcome.HAS_COURSE
        if email in self.has_seat:
            return RecipientOutcome.HAS_SEAT
        if email in self.has_code:
            return RecipientOutcome.HAS_CODE
        return RecipientOutcome.WITHDRAWN if email in self.withdrawn else RecipientOutcome.GETS_CODE


@dataclass(frozen=True, slots=True)
class RecipientList:
    """People as they were listed, with addresses and names brought into form."""

    people: tuple[Recipient, ...]

    @classmethod
    def read(cls, recipients: Sequence[Recipient]) -> RecipientList:
        return cls(tuple(_normalize(each) for each in recipients))

    @property
    def addresses(self) -> set[str]:
        return {each.email for each in self.people if not each.is_unclear and is_email_address(each.email)}

    def judge(self, facts: RecipientFacts) -> tuple[RecipientRow, ...]:
        rows, seen, complete = [], set(), self.addresses
        for each in self.people:
            if each.is_unclear:
                outcome = RecipientOutcome.UNCLEAR
            elif each.email not in complete:
                outcome = RecipientOutcome.INCOMPLETE
            elif has_address(each.name):
                outcome = RecipientOutcome.ADDRESS_IN_NAME
            elif each.email in seen:
                outcome = RecipientOutcome.DUPLICATE
            else:
                seen.add(each.email)
                outcome = facts.outcome(each.email)
            rows.append(RecipientRow(email=each.email, name=each.name, outcome=outcome))
        return tuple(rows)


def _normalize(recipient: Recipient) -> Recipient:
    email = recipient.email if recipient.is_unclear else normalize_email(recipient.email)
    return replace(recipient, email=email, name=clean_name(recipient.name)[:NAME_MAX_LENGTH].strip())
