"""Count, claim and give up seats: every door into a contract asks here, and no other module does it (ADR 0010).

A seat is taken by a member, held for an order in payment, or promised to an address that was given a code. Nothing here
lets members, holds and promises pass the cap together. Claiming a seat needs the lock of the contract's terms; giving
one up needs none, because it can't overfill a contract (ADR 0003).

A change of seats may change the codes the contract should have. It is requested in the same transaction.
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
# Seats from these sources were given by a person, who may also lift a withdrawal.
LIFTING_SOURCES = frozenset({MembershipSource.STAFF, MembershipSource.API})

# --- Counting -------------------------------------------------------------------------------------------------------

# The addresses to which a contract promises a seat: they were assigned a code of one of its current courses that no one
# has used, and no one with the address has a seat. If an order holds the code, the order's seat is already counted as
# held, so the promise isn't counted too (taken_by); it counts again if the order fails.
# %(codes)s are the codes with which person %(user)s claims a seat. Their own uses of these codes are ignored, so that
# the promise is still found. `others` is the number of promises that stay after the claim.
_PROMISES = """
    SELECT address,
        -- Whether all codes of the address are held by orders whose buyers hold a seat, and one of these buyers.
        bool_and(taken_by IS NOT NULL) AS is_taken, min(taken_by) AS taken_by,
        -- Whether a promise to the address stays after the claim; then as above, for the codes of such promises only.
        bool_or(is_other) AS is_other,
        bool_and(taken_by IS NOT NULL) FILTER (WHERE is_other) AS is_other_taken,
        min(taken_by) FILTER (WHERE is_other) AS other_taken_by
    FROM (
        SELECT code.assigned_email AS address,
            -- The code is neither claimed with nor assigned to the address of the person who claims.
            code.id <> ALL(%(codes)s::bigint[]) AND code.assigned_email IS DISTINCT FROM
                (SELECT email FROM users_user WHERE id = %(user)s) AS is_other,
            -- The person whose order holds the code together with a seat.
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
_PROMISE_COUNT_SQL = "count(*) - count(DISTINCT taken_by) FILTER (WHERE is_taken)"
_OTHER_PROMISE_COUNT_SQL = """count(*) FILTER (WHERE is_other)
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
        SELECT {_PROMISE_COUNT_SQL} AS invited, {_OTHER_PROMISE_COUNT_SQL} AS others
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
    """The seats of one contract: joined, held for orders, and promised to invited people. `cap` None is no limit."""

    joined: int = 0
    held: int = 0
    invited: int = 0
    cap: int | None = None

    @property
    def taken(self) -> int:
        return self.joined + self.held

    @property
    def remaining(self) -> int | None:
        """Seats neither taken nor promised; negative above the cap, None without a cap."""
        return None if self.cap is None else self.cap - self.taken - self.invited

    @property
    def free(self) -> int | None:
        """Seats that can be given; None without a cap."""
        return None if self.remaining is None else max(0, self.remaining)

    @property
    def over_cap(self) -> int:
        """Seats taken or promised beyond a cap that was lowered later."""
        return 0 if self.remaining is None else max(0, -self.remaining)

    @property
    def taken_share(self) -> float | None:
        return self.taken / self.cap if self.cap else None

    @property
    def sentence(self) -> str:
        """For example “3 joined · 1 in checkout · 2 invited · 4 free”."""
        parts = [_("%(n)d joined") % {"n": self.joined}, _("%(n)d in checkout") % {"n": self.held}]
        if self.free is not None:
            parts += [_("%(n)d invited") % {"n": self.invited}, _("%(n)d free") % {"n": self.free}]
        return " · ".join(parts)

    def has_room_for(self, newcomers: int, *, leaving: int = 0) -> bool:
        """Tell whether `newcomers`, who have neither seat nor promise, fit in once `leaving` others have left."""
        return self.remaining is None or newcomers <= max(0, self.remaining + leaving)


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of one contract from one person's point of view.

    `others` is the number of promises left once they are in; `has_uses`, whether they used codes of it before.
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
        """Whether a seat is promised to them or to the code they come with."""
        return self.others < self.count.invited

    @property
    def is_full(self) -> bool:
        """Whether they can't get a seat: they have none, and none is promised to them or free."""
        return self.seat_id is None and not self.has_promise and not self.count.has_room_for(1)


def lock_terms(contract_ids: Iterable[int]) -> dict[int, ContractTerms]:
    """Lock the terms of these contracts in primary key order, so that one door at a time counts and claims seats."""
    ids = sorted(set(contract_ids))
    return {terms.pk: terms for terms in ContractTerms.objects.locked().filter(pk__in=ids)}


def seats_for(contract_ids: Iterable[int], user_id: int | None, *, code_ids: Collection[int] = ()) -> dict[int, Seats]:
    """Return the seats of these contracts as a person with these codes finds them; one query.

    A caller that acts on the numbers holds the lock of the terms.
    """
    params = {"contracts": sorted(set(contract_ids)), "user": user_id or 0, "codes": sorted(code_ids)}
    return {
        pk: Seats(SeatCount(joined, held, invited, cap), others, *found)
        for pk, cap, joined, held, invited, others, *found in fetch_sql(_SEATS, params)
    }


def count_seats(contract_ids: Iterable[int]) -> dict[int, SeatCount]:
    """Return the seats of these contracts; one query."""
    return {pk: seats.count for pk, seats in seats_for(contract_ids, None).items()}


def with_seats(pages: QuerySet[ContractPage]) -> QuerySet[ContractPage]:
    """Annotate contracts with the seats `taken` and `invited`, and with `is_full` if none is left."""
    seats = ContractMembership.objects.filter(contract=OuterRef("pk")).order_by().values("contract")
    taken = Coalesce(Subquery(seats.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)
    found: QuerySet[ContractPage] = pages.annotate(taken=taken, invited=_count_invited())
    is_full = When(terms__max_learners__lte=F("taken") + F("invited"), then=Value(True))
    listed: QuerySet[ContractPage] = found.annotate(
        is_full=Case(is_full, default=Value(False), output_field=BooleanField())
    )
    return listed


def _count_invited() -> RawSQL:
    """Count the promises of a contract page in a query over pages, where no particular person asks."""
    promises = _PROMISES.format(contract='"b2b_contractpage"."page_ptr_id"')
    promises = promises.replace("%(user)s", "0").replace("%(codes)s", "'{}'")
    return RawSQL(f"(SELECT {_PROMISE_COUNT_SQL} FROM ({promises}) AS promise)", [], output_field=IntegerField())  # noqa: S608, S611  constants of this module


# --- Claiming -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimedSeats:
    """The seats a person has after a claim, and the contracts that were full or closed to them, by contract id."""

    seats: Mapping[int, ContractMembership] = field(default_factory=dict)
    full: Mapping[int, SeatCount] = field(default_factory=dict)
    withdrawn: tuple[int, ...] = ()


class SeatClaim(TypedDict):
    """How a seat is claimed. `code_ids` are the person's codes of all the contracts claimed."""

    state: str
    source: str
    now: datetime
    code_ids: NotRequired[Collection[int]]
    code_use_id: NotRequired[int | None]
    order: NotRequired[Order | None]
    added_by_id: NotRequired[int | None]
    lifts_withdrawal: NotRequired[bool]


def claim_seats(*, terms: Mapping[int, ContractTerms], user_id: int, **claim: Unpack[SeatClaim]) -> ClaimedSeats:
    """Give a person a seat in each of these contracts, in constant queries. The caller holds the lock of the terms.

    A seat they have stays theirs and is only upgraded: from held to active, from `sso` to any other source. A seat
    promised to their address, or to the holder of one of `code_ids`, is the one they get.

    Someone whose access was withdrawn gets a seat only from staff or through the API. With `lifts_withdrawal`, which a
    door passes if the learner was given the code after the withdrawal, what a manager withdrew is lifted too. Each lift
    is recorded in the contract's activity.
    """
    state, source, now = claim["state"], claim["source"], claim["now"]
    code_use_id, order = claim.get("code_use_id"), claim.get("order")
    seats_in, own_seats = _find_and_lock_seats(terms, user_id, claim.get("code_ids", ()))
    withdrawn = [pk for pk, seats in seats_in.items() if pk not in own_seats and not _can_enter(seats, claim)]
    full = {pk: seats.count for pk, seats in seats_in.items() if seats.is_full and pk not in withdrawn}
    joining = {pk: seats for pk, seats in seats_in.items() if not (pk in own_seats or pk in withdrawn or pk in full)}
    _lift_withdrawals({pk: seats for pk, seats in joining.items() if seats.withdrawn_at is not None}, user_id, claim)
    new_seats = ContractMembership.objects.bulk_create(
        ContractMembership(
            contract_id=pk,
            user_id=user_id,
            state=state,
            source=source,
            code_use_id=code_use_id,
            order=order,
            added_by_id=claim.get("added_by_id"),
            since=now,
        )
        for pk in joining
    )
    # An upgraded seat may upgrade the membership in the organization too, from `sso` to another source.
    joined = _upgrade_seats(
        own_seats.values(), state=state, source=source, code_use_id=code_use_id, order=order, now=now
    )
    if state == MembershipState.ACTIVE:
        joined += list(joining)
    if joined:
        organizations = [terms[pk].organization_id for pk in joined]
        join_organizations(organization_ids=organizations, user_id=user_id, source=source, now=now)
    # A code they used before serves a seat again, so the contract needs one code less.
    request_reconciles([pk for pk, seats in joining.items() if seats.has_uses], reason=_("Seat taken"), now=now)
    return ClaimedSeats(
        seats=own_seats | {seat.contract_id: seat for seat in new_seats}, full=full, withdrawn=tuple(sorted(withdrawn))
    )


def claim_seat(
    *, terms: ContractTerms, user_id: int, contact: str = "", **claim: Unpack[SeatClaim]
) -> ContractMembership:
    """Give a person a seat in one contract, as `claim_seats` does; raises ContractFull or AccessWithdrawn."""
    claimed = claim_seats(terms={terms.pk: terms}, user_id=user_id, **claim)
    if claimed.withdrawn:
        raise AccessWithdrawn(organization=terms.organization.name, contact=contact)
    if claimed.full:
        if claimed.full[terms.pk].invited:
            raise ContractPromised(contact=contact)
        raise ContractFull(contact=contact)
    return claimed.seats[terms.pk]


def activate_held_seats(*, order_id: int, now: datetime) -> int:
    """Turn the seats held for an order into members, each with the use of its code; return how many."""
    uses = _confirmed_uses(order_id).filter(**{USED_IN: OuterRef("contract_id")})
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).update(
        state=MembershipState.ACTIVE, since=now, code_use=Subquery(uses.order_by("pk").values("pk")[:1])
    )


def uses_of_order(order_id: int) -> dict[int, int]:
    """Return by contract the use of a code that the order made, the first one if there are several."""
    return dict(_confirmed_uses(order_id).order_by("-pk").values_list(USED_IN, "pk"))


def join_organizations(*, organization_ids: Iterable[int], user_id: int, source: str, now: datetime) -> None:
    """Make someone a member of organizations. The source `sso` gives way to any other, never the other way around."""
    ids = set(organization_ids)
    # The conflicting update locks an existing membership, so that a transaction about to end it with the person's last
    # seat waits and then sees the new seat.
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
    """End the person's seat in the contract, active or held; return whether there was one."""
    ended, _kinds = ContractMembership.objects.filter(contract_id=contract_id, user_id=user_id).delete()
    if ended:
        leave_with_last_seat(contract_ids=[contract_id], user_id=user_id)
        request_reconciles([contract_id], reason=_("Seat given up"), now=now)
    return bool(ended)


def leave_with_last_seat(*, contract_ids: Iterable[int], user_id: int) -> int:
    """End memberships that came with a code in these contracts' organizations if no seat is left; return how many.

    Managers stay. People named by Keycloak stay too, with single sign-on as the source.
    """
    by_code = OrganizationMembership.objects.filter(
        user_id=user_id, source=MembershipSource.CODE, organization__terms__in=set(contract_ids), is_manager=False
    )
    # Lock first, then look for seats: one taken at this moment in another contract keeps the membership.
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
    """Free the seats held for an order and return how many.

    If another pending order of the learner needs the same seat, it is held for that order instead.
    """
    for seat in ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD):
        # A locked order is ending right now. Waiting for it here could deadlock with it, so skip it.
        pending = (
            Order.objects.pending().of(seat.user_id).select_for_update(of=("self",), no_key=True, skip_locked=True)
        )
        heir = pending.filter(lines__product__contract_run__contract_id=seat.contract_id).exclude(pk=order_id).first()
        if heir is not None:
            ContractMembership.objects.filter(pk=seat.pk, order_id=order_id).update(order=heir)
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).delete()[0]


def end_code_seats(*, contract_ids: Iterable[int], user_id: int, now: datetime) -> int:
    """Free seats that came with a code if the person has no live use of a code left; return how many.

    If another code is held by an order in payment, the seat is held for that order and ends with it. Locks the terms,
    so that a code used at this moment keeps its seat.
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
    # Even if the seat stays, a code was released.
    request_reconciles(locked, reason=_("Refund"), now=now)
    return ended


@dataclass(frozen=True, slots=True)
class Departures:
    """The ids of the organizations and contracts someone left."""

    organizations: tuple[int, ...] = ()
    contracts: tuple[int, ...] = ()


def leave_organizations(*, user_id: int, organization_ids: Iterable[int], now: datetime) -> Departures:
    """End the seats and memberships someone has in these organizations only through single sign-on; constant queries.

    Seats and memberships with another source stay, and so do enrollments.
    """
    ids = sorted(set(organization_ids))
    if not ids:
        return Departures()
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
            # The delete checks the source again: someone who used a code meanwhile keeps the seat.
            ContractMembership.objects.filter(pk__in=[pk for pk, *_ in freed], source=MembershipSource.SSO).delete()
        memberships = OrganizationMembership.objects.filter(user_id=user_id, organization_id__in=ids)
        by_sso = memberships.filter(source=MembershipSource.SSO)
        left_ids = tuple(by_sso.order_by("organization_id").values_list("organization_id", flat=True))
        by_sso.delete()
        memberships.filter(seen_in_claim=True).update(seen_in_claim=False)
        request_reconciles([pk for _seat, pk, has_uses in freed if has_uses], reason=_("Seat given up"), now=now)
    return Departures(organizations=left_ids, contracts=tuple(pk for _seat, pk, _used in freed))


# --- Helpers ---------------------------------------------------------------------------------------------------------


def _find_and_lock_seats(
    contract_ids: Iterable[int], user_id: int, code_ids: Collection[int]
) -> tuple[dict[int, Seats], dict[int, ContractMembership]]:
    """Return all seats and the person's own ones, locked; repeat if an order gave one up before it was locked."""
    while True:
        seats_in = seats_for(contract_ids, user_id, code_ids=code_ids)
        ids = [seats.seat_id for seats in seats_in.values() if seats.seat_id is not None]
        if not ids:
            return seats_in, {}
        rows = ContractMembership.objects.filter(pk__in=ids).order_by("pk")
        own_seats = {seat.contract_id: seat for seat in rows.select_for_update(of=("self",), no_key=True)}
        if len(own_seats) == len(ids):
            return seats_in, own_seats


def _can_enter(seats: Seats, claim: SeatClaim) -> bool:
    """Tell whether there is no withdrawal, or one that this door may lift."""
    if seats.withdrawn_at is None or claim["source"] in LIFTING_SOURCES:
        return True
    return claim.get("lifts_withdrawal", False) and seats.withdrawn_as == WithdrawnBy.MANAGER


def _lift_withdrawals(withdrawn: Mapping[int, Seats], user_id: int, claim: SeatClaim) -> None:
    if not withdrawn:
        return
    by_id = claim.get("added_by_id")
    standing = Withdrawal.objects.standing().filter(contract_id__in=withdrawn, user_id=user_id)
    standing.update(lifted_at=claim["now"], lifted_by_id=by_id)
    for page in ContractPage.objects.filter(pk__in=withdrawn).order_by("pk"):
        data: Mapping[str, Detail] = {
            "user": user_id,
            "source": str(claim["source"]),
            "withdrawn_by": str(withdrawn[page.pk].withdrawn_as),
        }
        record(page, "b2b.withdrawal.lift", by_id=by_id, data=data)


def _confirmed_uses(order_id: int) -> QuerySet[CodeUse]:
    """The buyer's confirmed uses of the order's codes, including a use from before the order."""
    return CodeUse.objects.filter(
        state=UseState.CONFIRMED,
        code__order_lines__order_id=order_id,
        code__order_lines__order__purchaser_id=F("user_id"),
    )


def _upgrade_seats(
    seats: Iterable[ContractMembership],
    *,
    state: str,
    source: str,
    code_use_id: int | None,
    order: Order | None,
    now: datetime,
) -> list[int]:
    """Upgrade seats a person already has; return the contracts where state or source changed."""
    changed, upgraded = [], []
    for seat in seats:
        before = (seat.state, seat.source, seat.order_id, seat.code_use_id)
        if seat.state == MembershipState.HELD and state == MembershipState.ACTIVE:
            # The seat is theirs before the order is paid, so the order must no longer give it up.
            seat.state, seat.since, seat.source, seat.order = MembershipState.ACTIVE, now, source, order
        elif seat.state == MembershipState.HELD and order is not None:
            seat.order = order
        if seat.source == MembershipSource.SSO and source != MembershipSource.SSO:
            seat.source = source
        if seat.code_use_id is None:
            seat.code_use_id = code_use_id
        if (seat.state, seat.source) != before[:2]:
            upgraded.append(seat.contract_id)
        if (seat.state, seat.source, seat.order_id, seat.code_use_id) != before:
            changed.append(seat)
    if changed:
        ContractMembership.objects.bulk_update(changed, ["state", "since", "source", "order", "code_use"])
    return upgraded
