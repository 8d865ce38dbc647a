"""Seats: counted, claimed and given up here and nowhere else. Every door asks here (ADR 0010).

A seat is taken by a member, held for an order in payment, or promised to an address that was given a code. Members,
holds and promised addresses together never pass the cap by anything that is done here. A claim needs the lock of the
contract's terms; giving up a seat needs none, because it can't overfill anything (ADR 0003).

What this changes about the codes a contract should have is asked for in the same transaction (``b2b.requests``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict, Unpack

from django.db import transaction
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from b2b.enums import MembershipSource, MembershipState, WithdrawnBy
from b2b.errors.seats import AccessWithdrawn, ContractFull, ContractPromised
from b2b.models import ContractMembership, ContractPage, ContractTerms, OrganizationMembership, Withdrawal
from b2b.requests import request_reconciles
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, Order
from mitxonline.kernel.audit import Detail, record
from mitxonline.kernel.db import fetch_sql

# From the use of an enrollment code to the contract that gave it out.
USED_IN = "code__discount__unlocks__contract_run__contract_id"
# Whoever comes in by these was let in by a person, which gives access back to someone it was taken from.
GIVES_BACK = frozenset({MembershipSource.STAFF, MembershipSource.API})

# --- Counting -------------------------------------------------------------------------------------------------------

# The addresses a contract promises a seat to: given a code of a course it still has, which no one has used, while
# no one with this address has a seat. A code in the order of someone who has no other seat is that order's seat
# already (``taken_by``), so that it isn't counted twice; it is promised again if the order comes to nothing.
# %(codes)s are codes that person %(user)s comes with: their own use of these doesn't count, so that a promise is seen
# as it was before, and ``others`` is what is left of the promises once they have come in.
_PROMISES = """
    SELECT address,
        bool_and(taken_by IS NOT NULL) AS is_taken, min(taken_by) AS taken_by,
        bool_or(is_other) AS is_other,
        bool_and(taken_by IS NOT NULL) FILTER (WHERE is_other) AS is_other_taken,
        min(taken_by) FILTER (WHERE is_other) AS other_taken_by
    FROM (
        SELECT code.assigned_email AS address,
            code.id <> ALL(%(codes)s::bigint[]) AND code.assigned_email IS DISTINCT FROM
                (SELECT email FROM users_user WHERE id = %(user)s) AS is_other,
            (
                SELECT min(use.user_id) FROM ecommerce_codeuse AS use
                JOIN b2b_contractmembership AS seat
                    ON seat.contract_id = run.contract_id AND seat.user_id = use.user_id AND seat.state = 'held'
                WHERE use.code_id = code.id AND use.state = 'held'
            ) AS taken_by
        FROM b2b_contractrun AS run
        JOIN ecommerce_discount AS discount ON discount.unlocks_id = run.product_id
        JOIN ecommerce_discountcode AS code ON code.discount_id = discount.id
        WHERE run.contract_id = {contract} AND run.removed_at IS NULL
            AND code.active AND code.assigned_email <> ''
            AND NOT EXISTS (
                SELECT FROM ecommerce_codeuse AS use
                WHERE use.code_id = code.id AND use.state IN ('confirmed', 'retired')
                AND NOT (use.user_id = %(user)s AND code.id = ANY(%(codes)s::bigint[]))
            )
            AND NOT EXISTS (
                SELECT FROM b2b_contractmembership AS seat JOIN users_user AS person ON person.id = seat.user_id
                WHERE seat.contract_id = run.contract_id AND person.email = code.assigned_email
            )
    ) AS given
    GROUP BY address
"""
_INVITED = "count(*) - count(DISTINCT taken_by) FILTER (WHERE is_taken)"
_OTHERS = """count(*) FILTER (WHERE is_other)
    - count(DISTINCT other_taken_by) FILTER (WHERE is_other AND is_other_taken)"""
_SEATS = f"""
    SELECT terms.page_id, terms.max_learners, seats.joined, seats.held,
        promised.invited, promised.others,
        mine.id, mine.state, gone.at, gone.authority,
        EXISTS (
            SELECT FROM ecommerce_codeuse AS use
            JOIN ecommerce_discountcode AS code ON code.id = use.code_id
            JOIN ecommerce_discount AS discount ON discount.id = code.discount_id
            JOIN b2b_contractrun AS run ON run.product_id = discount.unlocks_id
            WHERE use.user_id = %(user)s AND use.state <> 'released' AND run.contract_id = terms.page_id
            AND use.code_id <> ALL(%(codes)s::bigint[])
        )
    FROM b2b_contractterms AS terms
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'active') AS joined, count(*) FILTER (WHERE state = 'held') AS held
        FROM b2b_contractmembership WHERE contract_id = terms.page_id
    ) AS seats
    CROSS JOIN LATERAL (
        SELECT {_INVITED} AS invited, {_OTHERS} AS others
        FROM ({_PROMISES.format(contract="terms.page_id")}) AS promise
    ) AS promised
    LEFT JOIN b2b_contractmembership AS mine ON mine.contract_id = terms.page_id AND mine.user_id = %(user)s
    LEFT JOIN b2b_withdrawal AS gone
        ON gone.contract_id = terms.page_id AND gone.user_id = %(user)s AND gone.lifted_at IS NULL
    WHERE terms.page_id = ANY(%(contracts)s)
    ORDER BY terms.page_id
"""  # noqa: S608  put together from the constants of this module


@dataclass(frozen=True, slots=True)
class SeatCount:
    """The seats of one contract: joined, held for orders, and promised to the invited. ``cap`` None: no limit."""

    joined: int = 0
    held: int = 0
    invited: int = 0
    cap: int | None = None

    @property
    def taken(self) -> int:
        """Seats someone has."""
        return self.joined + self.held

    @property
    def room(self) -> int | None:
        """Seats no one has and no one was promised, negative above the cap; None without one."""
        return None if self.cap is None else self.cap - self.taken - self.invited

    @property
    def free(self) -> int | None:
        """Seats that can be given; None without a cap."""
        return None if self.room is None else max(0, self.room)

    @property
    def above(self) -> int:
        """Seats taken or promised beyond the cap: it was lowered since."""
        return 0 if self.room is None else max(0, -self.room)

    @property
    def taken_share(self) -> float | None:
        """How much of the cap is taken; None without one."""
        return self.taken / self.cap if self.cap else None

    @property
    def sentence(self) -> str:
        """The count in words: “3 joined · 1 in checkout · 2 invited · 4 free”."""
        parts = [_("%(n)d joined") % {"n": self.joined}, _("%(n)d in checkout") % {"n": self.held}]
        if self.free is not None:
            parts += [_("%(n)d invited") % {"n": self.invited}, _("%(n)d free") % {"n": self.free}]
        return " · ".join(parts)

    def has_room_for(self, newcomers: int, *, leaving: int = 0) -> bool:
        """Whether so many people without a seat or a promise can have one, when so many others have left."""
        return self.room is None or newcomers <= max(0, self.room + leaving)


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of one contract as one person finds them.

    ``others``: what is promised to others once they are in. ``has_uses``: they used codes of this contract before.
    """

    count: SeatCount = field(default_factory=SeatCount)
    others: int = 0
    seat_id: int | None = None
    state: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_as: str | None = None
    has_uses: bool = False

    @property
    def has_promise(self) -> bool:
        """Whether a seat is kept for them, or for the code they come with."""
        return self.others < self.count.invited

    @property
    def is_full(self) -> bool:
        """Whether there is no seat for them: neither theirs, nor promised, nor free."""
        return self.seat_id is None and not self.has_promise and not self.count.has_room_for(1)


def lock_terms(contract_ids: Iterable[int]) -> dict[int, ContractTerms]:
    """Lock the terms of these contracts in primary key order: seats are counted by one door at a time."""
    ids = sorted(set(contract_ids))
    return {terms.pk: terms for terms in ContractTerms.objects.locked().filter(pk__in=ids)}


def seats_for(contract_ids: Iterable[int], user_id: int | None, *, code_ids: Collection[int] = ()) -> dict[int, Seats]:
    """The seats of each of these contracts as this person finds them, coming with these codes; one query.

    The caller holds the lock of the terms if it acts on the numbers.
    """
    params = {"contracts": sorted(set(contract_ids)), "user": user_id or 0, "codes": sorted(code_ids)}
    return {
        pk: Seats(SeatCount(joined, held, invited, cap), others, *found)
        for pk, cap, joined, held, invited, others, *found in fetch_sql(_SEATS, params)
    }


def count_seats(contract_ids: Iterable[int]) -> dict[int, SeatCount]:
    """The seats of each of these contracts; one query."""
    return {pk: seats.count for pk, seats in seats_for(contract_ids, None).items()}


def with_seats(pages: QuerySet[ContractPage]) -> QuerySet[ContractPage]:
    """These contracts with the seats ``taken`` and ``invited``, and whether all of them ``are_gone``."""
    seats = ContractMembership.objects.filter(contract=OuterRef("pk")).order_by().values("contract")
    taken = Coalesce(Subquery(seats.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)
    found: QuerySet[ContractPage] = pages.annotate(taken=taken, invited=_invited_of_page())
    are_gone = When(terms__max_learners__lte=F("taken") + F("invited"), then=Value(True))
    listed: QuerySet[ContractPage] = found.annotate(
        are_gone=Case(are_gone, default=Value(False), output_field=BooleanField())
    )
    return listed


def _invited_of_page() -> RawSQL:
    """The seats a listed contract page promises."""
    promises = _of_nobody(_PROMISES.format(contract='"b2b_contractpage"."page_ptr_id"'))
    return RawSQL(f"(SELECT {_INVITED} FROM ({promises}) AS promise)", [], output_field=IntegerField())  # noqa: S608, S611  constants of this module


def _of_nobody(sql: str) -> str:
    """A statement of this module about no one in particular, who comes with no codes."""
    return sql.replace("%(user)s", "0").replace("%(codes)s", "'{}'")


# --- Claiming -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimedSeats:
    """What became of claiming seats: those the person has now, and the contracts that had none for them."""

    seats: Mapping[int, ContractMembership] = field(default_factory=dict)
    full: Mapping[int, SeatCount] = field(default_factory=dict)
    withdrawn: tuple[int, ...] = ()


class Entry(TypedDict):
    """How someone comes in; ``code_ids`` are the codes they come with, of all the contracts that are claimed."""

    state: str
    source: str
    now: datetime
    code_ids: NotRequired[Collection[int]]
    code_use_id: NotRequired[int | None]
    order: NotRequired[Order | None]
    added_by_id: NotRequired[int | None]
    lifts_withdrawal: NotRequired[bool]


def claim_seats(*, terms: Mapping[int, ContractTerms], user_id: int, **entry: Unpack[Entry]) -> ClaimedSeats:
    """Give a person a seat in each of these contracts; one they have is theirs and only gets stronger.

    Held becomes active, ``sso`` any other source. The caller holds the lock of the terms. A seat promised to the
    person's address, or to whom one of ``code_ids`` was given, is the one they get. Someone whose seat was taken away
    gets none, except from staff or by the API. ``lifts_withdrawal``, which a door passes that let the learner in by a
    code handed to them since, lifts only what a manager withdrew. Each lift is in the contract's activity. Queries
    don't grow with the contracts.
    """
    state, source, now = entry["state"], entry["source"], entry["now"]
    code_use_id, order = entry.get("code_use_id"), entry.get("order")
    found, mine = _look(terms, user_id, entry.get("code_ids", ()))
    withdrawn = [pk for pk, seats in found.items() if pk not in mine and not _may_come(seats, entry)]
    full = {pk: seats.count for pk, seats in found.items() if seats.is_full and pk not in withdrawn}
    coming = {pk: seats for pk, seats in found.items() if not (pk in mine or pk in withdrawn or pk in full)}
    _lift({pk: seats for pk, seats in coming.items() if seats.withdrawn_at is not None}, user_id, entry)
    made = ContractMembership.objects.bulk_create(
        ContractMembership(
            contract_id=pk,
            user_id=user_id,
            state=state,
            source=source,
            code_use_id=code_use_id,
            order=order,
            added_by_id=entry.get("added_by_id"),
            since=now,
        )
        for pk in coming
    )
    entered = _strengthen(mine.values(), state=state, source=source, code_use_id=code_use_id, order=order, now=now)
    if state == MembershipState.ACTIVE:
        entered += list(coming)
    if entered:
        organizations = [terms[pk].organization_id for pk in entered]
        join_organizations(organization_ids=organizations, user_id=user_id, source=source, now=now)
    # A code that was left behind serves a seat again.
    request_reconciles([pk for pk, seats in coming.items() if seats.has_uses], reason=_("Seat taken"), now=now)
    return ClaimedSeats(
        seats=mine | {seat.contract_id: seat for seat in made}, full=full, withdrawn=tuple(sorted(withdrawn))
    )


def claim_seat(*, terms: ContractTerms, user_id: int, contact: str = "", **entry: Unpack[Entry]) -> ContractMembership:
    """Give a person a seat in one contract, as ``claim_seats`` does; raises ContractFull or AccessWithdrawn."""
    claimed = claim_seats(terms={terms.pk: terms}, user_id=user_id, **entry)
    if claimed.withdrawn:
        raise AccessWithdrawn(organization=terms.organization.name, contact=contact)
    if claimed.full:
        raise (ContractPromised if claimed.full[terms.pk].invited else ContractFull)(contact=contact)
    return claimed.seats[terms.pk]


def activate_held_seats(*, order_id: int, now: datetime) -> int:
    """Turn the seats held for an order into members, each with the use of the code that won it; how many."""
    won_by = _uses_behind(order_id).filter(**{USED_IN: OuterRef("contract_id")})
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).update(
        state=MembershipState.ACTIVE, since=now, code_use=Subquery(won_by.order_by("pk").values("pk")[:1])
    )


def uses_of_order(order_id: int) -> dict[int, int]:
    """For each contract the use of a code that an order came in by, the first one where there are several."""
    return dict(_uses_behind(order_id).order_by("-pk").values_list(USED_IN, "pk"))


def join_organizations(*, organization_ids: Iterable[int], user_id: int, source: str, now: datetime) -> None:
    """Make someone a member of organizations; ``sso`` gives way to any other source, never the other way round."""
    ids = set(organization_ids)
    # One that is there is locked by this: whoever is about to end it with the last seat sees the new seat first.
    OrganizationMembership.objects.bulk_create(
        [OrganizationMembership(organization_id=pk, user_id=user_id, source=source, since=now) for pk in sorted(ids)],
        update_conflicts=True,
        unique_fields=["organization", "user"],
        update_fields=["user"],
    )
    if source != MembershipSource.SSO:
        OrganizationMembership.objects.filter(
            organization_id__in=ids, user_id=user_id, source=MembershipSource.SSO
        ).update(source=source)


# --- Giving up ------------------------------------------------------------------------------------------------------


def end_seat(*, contract_id: int, user_id: int, now: datetime) -> bool:
    """End the person's seat in the contract, taken or held; whether there was one."""
    ended, _kinds = ContractMembership.objects.filter(contract_id=contract_id, user_id=user_id).delete()
    if ended:
        leave_with_last_seat(contract_ids=[contract_id], user_id=user_id)
        request_reconciles([contract_id], reason=_("Seat given up"), now=now)
    return bool(ended)


def leave_with_last_seat(*, contract_ids: Iterable[int], user_id: int) -> int:
    """End the memberships in the contracts' organizations that came with a code, where no seat is left; how many.

    Managers stay, and so does whom Keycloak names: their membership goes on as single sign-on's.
    """
    by_code = OrganizationMembership.objects.filter(
        user_id=user_id, source=MembershipSource.CODE, organization__terms__in=set(contract_ids), is_manager=False
    )
    # Locked, and only then asked for seats: one taken at this moment in another contract keeps the membership.
    locked = OrganizationMembership.objects.filter(pk__in=list(by_code.order_by("pk").values_list("pk", flat=True)))
    ids = [each.pk for each in locked.order_by("pk").select_for_update(of=("self",))]
    if not ids:
        return 0
    seats = ContractMembership.objects.filter(
        user_id=user_id, state=MembershipState.ACTIVE, contract__terms__organization=OuterRef("organization")
    )
    seatless = OrganizationMembership.objects.filter(~Exists(seats), pk__in=ids, is_manager=False)
    kept = seatless.filter(seen_in_claim=True).update(source=MembershipSource.SSO)
    return kept + seatless.filter(source=MembershipSource.CODE).delete()[0]


def release_held_seats(*, order_id: int) -> int:
    """Free the seats held for an order; how many.

    A seat the learner's other pending order waits for as well is held on for that one.
    """
    for seat in ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD):
        # An order someone has locked is ending just now: waiting for it here could be waiting for one another.
        waiting = (
            Order.objects.pending().of(seat.user_id).select_for_update(of=("self",), no_key=True, skip_locked=True)
        )
        heir = waiting.filter(lines__product__contract_run__contract_id=seat.contract_id).exclude(pk=order_id).first()
        if heir is not None:
            ContractMembership.objects.filter(pk=seat.pk, order_id=order_id).update(order=heir)
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).delete()[0]


def end_code_seats(*, contract_ids: Iterable[int], user_id: int, now: datetime) -> int:
    """Free the seats someone came to by a code and has no used code for any more; how many.

    Where another code is in an order in payment the seat is held for that one, and ends with it. Locks the terms: a
    code that is used in this moment keeps its seat.
    """
    ended = 0
    locked = lock_terms(contract_ids)
    for contract_id in locked:
        uses = CodeUse.objects.live().filter(user_id=user_id, **{USED_IN: contract_id})
        found = list(uses.order_by("pk").values_list("state", "order_id"))
        seat = ContractMembership.objects.filter(
            contract_id=contract_id, user_id=user_id, source=MembershipSource.CODE, state=MembershipState.ACTIVE
        )
        if not found:
            gone = seat.delete()[0]
            ended += gone
            if gone:
                leave_with_last_seat(contract_ids=[contract_id], user_id=user_id)
        elif all(state == UseState.HELD for state, _order_id in found):
            seat.update(state=MembershipState.HELD, order=found[0][1], code_use=None)
    # Even where the seat stays, its code is free again.
    request_reconciles(locked, reason=_("Money given back"), now=now)
    return ended


@dataclass(frozen=True, slots=True)
class Left:
    """What someone gave up: ids of the organizations they belong to no longer, and of the contracts."""

    organizations: tuple[int, ...] = ()
    contracts: tuple[int, ...] = ()


def leave_organizations(*, user_id: int, organization_ids: Iterable[int], now: datetime) -> Left:
    """End what someone has in these organizations by single sign-on alone: their seats and their membership.

    Who also came another way keeps that, as if Keycloak had never known them. Enrollments stay. Queries don't grow
    with the organizations.
    """
    ids = sorted(set(organization_ids))
    if not ids:
        return Left()
    used = CodeUse.objects.exclude(state=UseState.RELEASED).filter(
        user_id=user_id, **{USED_IN: OuterRef("contract_id")}
    )
    with transaction.atomic(savepoint=False):
        seats = (
            ContractMembership.objects.filter(
                user_id=user_id,
                contract__terms__organization_id__in=ids,
                source=MembershipSource.SSO,
                state=MembershipState.ACTIVE,
            )
            .order_by("contract_id")
            .values_list("pk", "contract_id", Exists(used))
        )
        freed = list(seats)
        if freed:
            # Asked again in the statement that deletes: whoever came by a code meanwhile keeps the seat.
            ContractMembership.objects.filter(pk__in=[pk for pk, *_ in freed], source=MembershipSource.SSO).delete()
        mine = OrganizationMembership.objects.filter(user_id=user_id, organization_id__in=ids)
        by_sso = mine.filter(source=MembershipSource.SSO)
        left = tuple(by_sso.order_by("organization_id").values_list("organization_id", flat=True))
        by_sso.delete()
        mine.filter(seen_in_claim=True).update(seen_in_claim=False)
        request_reconciles([pk for _seat, pk, has_uses in freed if has_uses], reason=_("Seat given up"), now=now)
    return Left(organizations=left, contracts=tuple(pk for _seat, pk, _used in freed))


# --- Inside ---------------------------------------------------------------------------------------------------------


def _look(
    contract_ids: Iterable[int], user_id: int, code_ids: Collection[int]
) -> tuple[dict[int, Seats], dict[int, ContractMembership]]:
    """The seats as the person finds them, and their own ones, locked; one an order gave up meanwhile is none."""
    while True:
        found = seats_for(contract_ids, user_id, code_ids=code_ids)
        ids = [seats.seat_id for seats in found.values() if seats.seat_id is not None]
        if not ids:
            return found, {}
        locked = ContractMembership.objects.filter(pk__in=ids).order_by("pk")
        mine = {seat.contract_id: seat for seat in locked.select_for_update(of=("self",), no_key=True)}
        if len(mine) == len(ids):
            return found, mine


def _may_come(seats: Seats, entry: Entry) -> bool:
    """Whether no withdrawal stands in the way, or one that this door may lift."""
    if seats.withdrawn_at is None or entry["source"] in GIVES_BACK:
        return True
    return entry.get("lifts_withdrawal", False) and seats.withdrawn_as == WithdrawnBy.MANAGER


def _lift(withdrawn: Mapping[int, Seats], user_id: int, entry: Entry) -> None:
    """Lift the withdrawals that stand in these contracts, and record it in each."""
    if not withdrawn:
        return
    by_id = entry.get("added_by_id")
    standing = Withdrawal.objects.standing().filter(contract_id__in=withdrawn, user_id=user_id)
    standing.update(lifted_at=entry["now"], lifted_by_id=by_id)
    for page in ContractPage.objects.filter(pk__in=withdrawn).order_by("pk"):
        data: Mapping[str, Detail] = {
            "user": user_id,
            "source": str(entry["source"]),
            "withdrawn_by": str(withdrawn[page.pk].withdrawn_as),
        }
        record(page, "b2b.withdrawal.lift", by_id=by_id, data=data)


def _uses_behind(order_id: int) -> QuerySet[CodeUse]:
    """The buyer's confirmed uses of an order's codes; one from before the order serves it too."""
    return CodeUse.objects.filter(
        state=UseState.CONFIRMED,
        code__order_lines__order_id=order_id,
        code__order_lines__order__purchaser_id=F("user_id"),
    )


def _strengthen(
    seats: Iterable[ContractMembership],
    *,
    state: str,
    source: str,
    code_use_id: int | None,
    order: Order | None,
    now: datetime,
) -> list[int]:
    """Let seats a person has become what they came for, where that is more; the contracts they entered by that."""
    changed, entered = [], []
    for seat in seats:
        before = (seat.state, seat.source, seat.order_id, seat.code_use_id)
        if seat.state == MembershipState.HELD and state == MembershipState.ACTIVE:
            # It is theirs before it is paid for, and no longer the order's to give up.
            seat.state, seat.since, seat.source, seat.order = MembershipState.ACTIVE, now, source, order
        elif seat.state == MembershipState.HELD and order is not None:
            seat.order = order
        if seat.source == MembershipSource.SSO and source != MembershipSource.SSO:
            seat.source = source
        if seat.code_use_id is None:
            seat.code_use_id = code_use_id
        if (seat.state, seat.source) != before[:2]:
            entered.append(seat.contract_id)
        if (seat.state, seat.source, seat.order_id, seat.code_use_id) != before:
            changed.append(seat)
    if changed:
        ContractMembership.objects.bulk_update(changed, ["state", "since", "source", "order", "code_use"])
    return entered
