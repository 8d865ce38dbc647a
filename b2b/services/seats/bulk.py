"""Add many people to a contract or remove them at once: the whole list is judged before anything is written.

No accounts are created. People without one are listed, to be told to register or to use a code. Each seat is given or
taken by `add_member` and `remove_member`, with all their checks and records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from django.db import transaction
from django.utils.translation import gettext as _

from b2b.enums import MembershipState
from b2b.errors.contracts import PeopleUnclear, SeatsGoneMeanwhile, TooFewSeats
from b2b.models import ContractMembership, ContractTerms, Withdrawal
from b2b.seats import SeatCount, count_seats, lock_terms
from b2b.selectors.contracts import terms_in_force
from b2b.selectors.handouts import waiting_addresses
from b2b.services.seats.membership import add_member, remove_member
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User

# Learners wait for the lock of the terms, so it is released after this many people.
PORTION = 100

Progress: TypeAlias = "Callable[[int, int], None]"


class MemberOutcome(StrEnum):
    JOINS = "joins"
    COMES_BACK = "comes_back"
    IS_IN = "is_in"
    LEAVES = "leaves"
    NOT_IN = "not_in"
    DUPLICATE = "twice"
    NO_ADDRESS = "no_address"
    NO_ACCOUNT = "no_account"
    ACCOUNT_OFF = "account_off"


# One of these stops the whole list.
PROBLEMS = (MemberOutcome.NO_ADDRESS, MemberOutcome.NO_ACCOUNT, MemberOutcome.ACCOUNT_OFF)
COMING = (MemberOutcome.JOINS, MemberOutcome.COMES_BACK)


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A person to add (`joins`) or to remove; `line` is the line in the file, None if typed."""

    email: str
    joins: bool
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeMembers:
    """Add people to a contract and remove others; `skip_unknown` leaves out people without an account."""

    contract_id: int
    changes: Sequence[MembershipChange]
    skip_unknown: bool = False


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One change with its outcome; `has_place` if they have or were promised a seat."""

    change: MembershipChange
    outcome: MemberOutcome
    user_id: int | None = None
    has_place: bool = False

    @property
    def email(self) -> str:
        return self.change.email

    @property
    def sentence(self) -> str:
        return {
            MemberOutcome.JOINS: _("gets a seat"),
            MemberOutcome.COMES_BACK: _("gets back access that was withdrawn"),
            MemberOutcome.IS_IN: _("already has a seat"),
            MemberOutcome.LEAVES: _("loses the seat; their codes are refused from now on"),
            MemberOutcome.NOT_IN: _("has no seat"),
            MemberOutcome.DUPLICATE: _("listed twice"),
            MemberOutcome.NO_ADDRESS: _("is not an e-mail address"),
            MemberOutcome.NO_ACCOUNT: _("has no account: ask them to register, or give them a code"),
            MemberOutcome.ACCOUNT_OFF: _("has a deactivated account"),
        }[self.outcome]


@dataclass(frozen=True, slots=True)
class MembersPlan:
    """The outcome for everyone, with the seats before the change."""

    contract_id: int
    rows: tuple[PersonRow, ...]
    seats: SeatCount
    skips_unknown: bool = False

    def with_outcome(self, *outcomes: MemberOutcome) -> tuple[PersonRow, ...]:
        return tuple(row for row in self.rows if row.outcome in outcomes)

    @property
    def problems(self) -> tuple[PersonRow, ...]:
        """The people who stop the whole list."""
        skipped = {MemberOutcome.NO_ACCOUNT} if self.skips_unknown else set()
        return self.with_outcome(*(outcome for outcome in PROBLEMS if outcome not in skipped))

    @property
    def seats_needed(self) -> int:
        """Seats for people who have none yet, neither held nor promised."""
        return sum(not row.has_place for row in self.with_outcome(*COMING))

    @property
    def seats_left(self) -> int | None:
        """Free seats once the people to remove have left; None without a cap."""
        return (
            None
            if self.seats.remaining is None
            else max(0, self.seats.remaining + len(self.with_outcome(MemberOutcome.LEAVES)))
        )

    @property
    def refusal(self) -> PeopleUnclear | TooFewSeats | None:
        if self.problems:
            return PeopleUnclear(problems=len(self.problems), people=len(self.rows))
        if not self.seats.has_room_for(self.seats_needed, leaving=len(self.with_outcome(MemberOutcome.LEAVES))):
            return TooFewSeats(left=self.seats_left or 0, needed=self.seats_needed, invited=self.seats.invited)
        return None


def plan_change_members(request: ChangeMembers) -> MembersPlan:
    """Tell what the change would do; writes nothing. Raises ContractUnknown, ContractNotPublished."""
    return _make_plan(terms_in_force(request.contract_id), request)


def change_members(
    request: ChangeMembers,
    *,
    reason: str,
    now: datetime,
    by_id: int | None = None,
    progress: Progress | None = None,
    at_once: bool = False,
) -> MembersPlan:
    """Remove people, then add people, and return the plan that was followed. May be repeated.

    With `at_once` the lock is kept to the end: all of them or no one. Otherwise it is released after every PORTION.

    Raises the plan's refusal before anything is written, and SeatsGoneMeanwhile if others took the seats while a long
    list was worked through: then the people before that point are in, and the rest aren't.
    """
    contract_id = request.contract_id
    terms_in_force(contract_id)
    plan: MembersPlan | None = None
    waiting: list[PersonRow] = []
    total = done = 0
    while plan is None or waiting:
        try:
            with transaction.atomic():
                terms = lock_terms([contract_id])[contract_id]
                if plan is None:
                    plan = _make_plan(terms, request)
                    if plan.refusal is not None:
                        raise plan.refusal
                    waiting = [*plan.with_outcome(MemberOutcome.LEAVES), *plan.with_outcome(*COMING)]
                    total = len(waiting)
                most = len(waiting) if at_once else PORTION
                portion, waiting = waiting[:most], waiting[most:]
                for row in portion:
                    _change_member(row, contract_id=contract_id, reason=reason, by_id=by_id, now=now)
        except TooFewSeats as full:
            if plan is None or not done:
                raise
            raise SeatsGoneMeanwhile(done=done, left=total - done) from full
        done += len(portion)
        if progress is not None:
            progress(done, total)
    return plan


def _change_member(row: PersonRow, *, contract_id: int, reason: str, by_id: int | None, now: datetime) -> None:
    if row.user_id is None:
        return
    if row.change.joins:
        add_member(contract_id=contract_id, user_id=row.user_id, now=now, added_by_id=by_id)
        return
    if ContractMembership.objects.filter(contract_id=contract_id, user_id=row.user_id).exists():
        remove_member(contract_id=contract_id, user_id=row.user_id, reason=reason, now=now, removed_by_id=by_id)


def _make_plan(terms: ContractTerms, request: ChangeMembers) -> MembersPlan:
    changes = request.changes
    emails = [normalize_email(change.email) for change in changes]
    accounts = {user.email: user for user in User.objects.filter(email__in=set(emails)).only("email", "is_active")}
    people = [user.pk for user in accounts.values()]
    seats = dict(
        ContractMembership.objects.filter(contract_id=terms.pk, user_id__in=people).values_list("user_id", "state")
    )
    withdrawn = set(
        Withdrawal.objects.standing().filter(contract_id=terms.pk, user_id__in=people).values_list("user_id", flat=True)
    )
    promised = waiting_addresses(terms.pk).without_seat
    rows, seen = [], set()
    for change, email in zip(changes, emails, strict=True):
        row = _judge(change, email, accounts.get(email), seats, withdrawn, promised)
        rows.append(replace(row, outcome=MemberOutcome.DUPLICATE) if email in seen else row)
        seen.add(email)
    return MembersPlan(
        contract_id=terms.pk,
        rows=tuple(rows),
        seats=count_seats([terms.pk])[terms.pk],
        skips_unknown=request.skip_unknown,
    )


def _judge(
    change: MembershipChange,
    email: str,
    user: User | None,
    seats: dict[int, str],
    withdrawn: set[int],
    promised: Collection[str],
) -> PersonRow:
    if user is None:
        return PersonRow(change, MemberOutcome.NO_ACCOUNT if is_email_address(email) else MemberOutcome.NO_ADDRESS)
    state = seats.get(user.pk)
    if not change.joins:
        return PersonRow(change, MemberOutcome.LEAVES if state else MemberOutcome.NOT_IN, user_id=user.pk)
    if not user.is_active:
        return PersonRow(change, MemberOutcome.ACCOUNT_OFF, user_id=user.pk)
    if state == MembershipState.ACTIVE:
        return PersonRow(change, MemberOutcome.IS_IN, user_id=user.pk)
    outcome = MemberOutcome.COMES_BACK if user.pk in withdrawn else MemberOutcome.JOINS
    return PersonRow(change, outcome, user_id=user.pk, has_place=state is not None or email in promised)
