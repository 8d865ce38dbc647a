"""Many people put into a contract, or taken out, at once: looked at as a whole before anything is written.

No one gets an account here: who has none is named, to be told to register, or to come by a code. Seats are given and
taken by the staff's door (``b2b.services.seats.membership``) one by one, with everything it asks and records.
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
from mitxonline.kernel.addresses import is_email_address
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User

# The terms' lock, which learners wait for, is given back after so many people.
PORTION = 100

Progress: TypeAlias = "Callable[[int, int], None]"


class MemberOutcome(StrEnum):
    """What becomes of one person."""

    JOINS = "joins"
    COMES_BACK = "comes_back"
    IS_IN = "is_in"
    LEAVES = "leaves"
    NOT_IN = "not_in"
    TWICE = "twice"
    NO_ADDRESS = "no_address"
    NO_ACCOUNT = "no_account"
    ACCOUNT_OFF = "account_off"


# With one of these nothing is done for anyone.
PROBLEMS = (MemberOutcome.NO_ADDRESS, MemberOutcome.NO_ACCOUNT, MemberOutcome.ACCOUNT_OFF)
COMING = (MemberOutcome.JOINS, MemberOutcome.COMES_BACK)


@dataclass(frozen=True, slots=True)
class Wish:
    """Someone who shall be in, or out; ``line`` is where the file says so, None where it was typed."""

    email: str
    joins: bool
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeMembers:
    """Put people into a contract and take others out; ``skip_unknown`` goes on without those who have no account."""

    contract_id: int
    wishes: Sequence[Wish]
    skip_unknown: bool = False


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One wish, and what becomes of it."""

    wish: Wish
    outcome: MemberOutcome
    user_id: int | None = None
    has_place: bool = False

    @property
    def email(self) -> str:
        """The address as it was written."""
        return self.wish.email

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        return {
            MemberOutcome.JOINS: _("gets a seat"),
            MemberOutcome.COMES_BACK: _("gets back the access that was withdrawn"),
            MemberOutcome.IS_IN: _("has a seat already"),
            MemberOutcome.LEAVES: _("loses the seat; their codes answer that access was withdrawn"),
            MemberOutcome.NOT_IN: _("has no seat"),
            MemberOutcome.TWICE: _("named before"),
            MemberOutcome.NO_ADDRESS: _("is not an e-mail address"),
            MemberOutcome.NO_ACCOUNT: _("has no account: ask them to register, or give them a code"),
            MemberOutcome.ACCOUNT_OFF: _("has an account that is switched off"),
        }[self.outcome]


@dataclass(frozen=True, slots=True)
class MembersPlan:
    """What becomes of everyone, and of the seats, as they are before."""

    contract_id: int
    rows: tuple[PersonRow, ...]
    seats: SeatCount
    skips_unknown: bool = False

    def named(self, *outcomes: MemberOutcome) -> tuple[PersonRow, ...]:
        """The rows with one of these outcomes."""
        return tuple(row for row in self.rows if row.outcome in outcomes)

    @property
    def problems(self) -> tuple[PersonRow, ...]:
        """The people for whom nothing can be done, where that stops everything."""
        skipped = {MemberOutcome.NO_ACCOUNT} if self.skips_unknown else set()
        return self.named(*(one for one in PROBLEMS if one not in skipped))

    @property
    def seats_needed(self) -> int:
        """New seats; someone whose seat an order holds, or who was promised one, needs none."""
        return sum(not row.has_place for row in self.named(*COMING))

    @property
    def seats_left(self) -> int | None:
        """Seats that can be given once those who leave have left; None without a cap."""
        return None if self.seats.room is None else max(0, self.seats.room + len(self.named(MemberOutcome.LEAVES)))

    @property
    def refusal(self) -> PeopleUnclear | TooFewSeats | None:
        """Why nothing is done; None where it can be."""
        if self.problems:
            return PeopleUnclear(problems=len(self.problems), people=len(self.rows))
        if not self.seats.has_room_for(self.seats_needed, leaving=len(self.named(MemberOutcome.LEAVES))):
            return TooFewSeats(left=self.seats_left or 0, needed=self.seats_needed, invited=self.seats.invited)
        return None


def plan_change_members(request: ChangeMembers) -> MembersPlan:
    """What becomes of all these people; nothing is written. Raises ContractUnknown, ContractNotPublished."""
    return _plan(terms_in_force(request.contract_id), request)


def change_members(
    request: ChangeMembers,
    *,
    reason: str,
    now: datetime,
    by_id: int | None = None,
    progress: Progress | None = None,
    at_once: bool = False,
) -> MembersPlan:
    """Give and take the seats, taking first; what became of everyone. Again is harmless.

    ``at_once`` keeps the contract's lock until the last one sits: all of them, or no one.

    Raises what the plan's refusal is, before anything is written; and SeatsGoneMeanwhile where others took the seats
    while a long list was worked through: then those before are in, and the rest is not.
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
                    plan = _plan(terms, request)
                    if plan.refusal is not None:
                        raise plan.refusal
                    waiting = [*plan.named(MemberOutcome.LEAVES), *plan.named(*COMING)]
                    total = len(waiting)
                most = len(waiting) if at_once else PORTION
                portion, waiting = waiting[:most], waiting[most:]
                for row in portion:
                    _change(row, contract_id=contract_id, reason=reason, by_id=by_id, now=now)
        except TooFewSeats as full:
            if plan is None or not done:
                raise
            raise SeatsGoneMeanwhile(done=done, left=total - done) from full
        done += len(portion)
        if progress is not None:
            progress(done, total)
    return plan


def _change(row: PersonRow, *, contract_id: int, reason: str, by_id: int | None, now: datetime) -> None:
    if row.user_id is None:
        return
    if row.wish.joins:
        add_member(contract_id=contract_id, user_id=row.user_id, now=now, added_by_id=by_id)
        return
    gone = not ContractMembership.objects.filter(contract_id=contract_id, user_id=row.user_id).exists()
    if not gone:
        remove_member(contract_id=contract_id, user_id=row.user_id, reason=reason, now=now, removed_by_id=by_id)


def _plan(terms: ContractTerms, request: ChangeMembers) -> MembersPlan:
    wishes = request.wishes
    emails = [normalize_email(wish.email) for wish in wishes]
    accounts = {user.email: user for user in User.objects.filter(email__in=set(emails)).only("email", "is_active")}
    people = [user.pk for user in accounts.values()]
    seats = dict(
        ContractMembership.objects.filter(contract_id=terms.pk, user_id__in=people).values_list("user_id", "state")
    )
    withdrawn = set(
        Withdrawal.objects.standing().filter(contract_id=terms.pk, user_id__in=people).values_list("user_id", flat=True)
    )
    promised = waiting_addresses(terms.pk).without_seat
    rows, named = [], set()
    for wish, email in zip(wishes, emails, strict=True):
        row = _row(wish, email, accounts.get(email), seats, withdrawn, promised)
        rows.append(replace(row, outcome=MemberOutcome.TWICE) if email in named else row)
        named.add(email)
    return MembersPlan(
        contract_id=terms.pk,
        rows=tuple(rows),
        seats=count_seats([terms.pk])[terms.pk],
        skips_unknown=request.skip_unknown,
    )


def _row(
    wish: Wish,
    email: str,
    user: User | None,
    seats: dict[int, str],
    withdrawn: set[int],
    promised: Collection[str],
) -> PersonRow:
    if user is None:
        return PersonRow(wish, MemberOutcome.NO_ACCOUNT if is_email_address(email) else MemberOutcome.NO_ADDRESS)
    state = seats.get(user.pk)
    if not wish.joins:
        return PersonRow(wish, MemberOutcome.LEAVES if state else MemberOutcome.NOT_IN, user_id=user.pk)
    if not user.is_active:
        return PersonRow(wish, MemberOutcome.ACCOUNT_OFF, user_id=user.pk)
    if state == MembershipState.ACTIVE:
        return PersonRow(wish, MemberOutcome.IS_IN, user_id=user.pk)
    outcome = MemberOutcome.COMES_BACK if user.pk in withdrawn else MemberOutcome.JOINS
    return PersonRow(wish, outcome, user_id=user.pk, has_place=state is not None or email in promised)
