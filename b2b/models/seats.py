"""Taking and freeing seats. Every door asks here, under the lock of the contract's terms (design 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from b2b.enums import MembershipSource, MembershipState, WithdrawnBy
from b2b.errors import AccessWithdrawn, ContractFull
from b2b.models.membership import ContractMembership, OrganizationMembership
from b2b.models.pages import ContractPage
from b2b.models.terms import ContractTerms
from b2b.models.withdrawal import Withdrawal
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, Order
from mitxonline.kernel.audit import Detail, record

# From the use of an enrollment code to the contract that gave it out.
USED_IN = "code__discount__unlocks__contract_run__contract_id"
# Whoever comes in by these was let in by a person, which gives access back to somebody it was taken from.
GIVES_BACK = frozenset({MembershipSource.STAFF, MembershipSource.API})


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of one contract as one person finds them."""

    taken: int = 0
    seat_id: int | None = None
    state: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_as: str | None = None


def lock_terms(contract_ids: Iterable[int]) -> dict[int, ContractTerms]:
    """Lock the terms of these contracts in primary key order: seats are counted by one door at a time."""
    ids = sorted(set(contract_ids))
    return {terms.pk: terms for terms in ContractTerms.objects.locked().filter(pk__in=ids)}


def taken_seats(terms: ContractTerms) -> int:
    """Seats taken or held; the caller holds the lock if it acts on the number."""
    return ContractMembership.objects.filter(contract_id=terms.pk).count()


def taken_by_contract(contract_ids: Iterable[int]) -> dict[int, int]:
    """Seats taken or held in each of these contracts, in one query."""
    counts = ContractMembership.objects.filter(contract_id__in=set(contract_ids)).values_list("contract_id")
    return dict(counts.annotate(taken=Count("pk")).order_by("contract_id"))


def seats_for(contract_ids: Iterable[int], user_id: int | None) -> dict[int, Seats]:
    """Seats taken or held in each of these contracts, the person's own one, and whether it was withdrawn; one query."""
    seats = ContractMembership.objects.filter(contract_id=OuterRef("pk")).order_by()
    person = 0 if user_id is None else user_id
    own = seats.filter(user_id=person)
    gone = Withdrawal.objects.standing().filter(contract_id=OuterRef("pk"), user_id=person).order_by()
    counted = seats.values("contract_id").annotate(taken=Count("pk")).values("taken")
    rows = ContractTerms.objects.filter(pk__in=set(contract_ids)).values_list(
        "pk",
        Coalesce(Subquery(counted), 0, output_field=IntegerField()),
        Subquery(own.values("pk")[:1]),
        Subquery(own.values("state")[:1]),
        Subquery(gone.values("at")[:1]),
        Subquery(gone.values("authority")[:1]),
    )
    return {pk: Seats(*found) for pk, *found in rows.order_by("pk")}


def free_seats(terms: ContractTerms) -> int | None:
    """Seats still to be had, never below zero; None where there is no cap."""
    if terms.max_learners is None:
        return None
    return max(0, terms.max_learners - taken_seats(terms))


def claim_seat(
    *,
    terms: ContractTerms,
    user_id: int,
    state: str,
    source: str,
    now: datetime,
    code_use_id: int | None = None,
    order: Order | None = None,
    added_by_id: int | None = None,
    contact: str = "",
    lifts_withdrawal: bool = False,
) -> ContractMembership:
    """Give a learner a seat; one they have is theirs and only gets stronger (held → active, sso → code).

    The caller holds the lock of ``terms``. Raises ContractFull, and AccessWithdrawn for a learner whose access was
    withdrawn: staff and API give it back. ``lifts_withdrawal``, which a door passes that let the learner in by a code
    handed to them since, lifts only what a manager withdrew. Each lift is in the contract's activity.
    """
    found = seats_for([terms.pk], user_id)[terms.pk]
    if found.seat_id is not None:
        mine = ContractMembership.objects.get(pk=found.seat_id)
        return _strengthen(mine, terms, state=state, source=source, code_use_id=code_use_id, order=order, now=now)
    may_lift = source in GIVES_BACK or (lifts_withdrawal and found.withdrawn_as == WithdrawnBy.MANAGER)
    if found.withdrawn_at is not None and not may_lift:
        raise AccessWithdrawn(organization=terms.organization.name, contact=contact)
    if terms.max_learners is not None and found.taken >= terms.max_learners:
        raise ContractFull(contact=contact)
    if found.withdrawn_at is not None:
        withdrawn = Withdrawal.objects.standing().filter(contract_id=terms.pk, user_id=user_id)
        withdrawn.update(lifted_at=now, lifted_by_id=added_by_id)
        lifted: Mapping[str, Detail] = {"user": user_id, "source": str(source), "withdrawn_by": str(found.withdrawn_as)}
        record(ContractPage.objects.get(pk=terms.pk), "b2b.withdrawal.lift", by_id=added_by_id, data=lifted)
    seat = ContractMembership.objects.create(
        contract_id=terms.pk,
        user_id=user_id,
        state=state,
        source=source,
        code_use_id=code_use_id,
        order=order,
        added_by_id=added_by_id,
        since=now,
    )
    if state == MembershipState.ACTIVE:
        join_organizations(organization_ids=[terms.organization_id], user_id=user_id, source=source, now=now)
    return seat


def activate_held_seats(*, order_id: int, now: datetime) -> int:
    """Turn the seats held for an order into members, each with the use of the code that won it; how many."""
    won_by = _uses_behind(order_id).filter(**{USED_IN: OuterRef("contract_id")})
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).update(
        state=MembershipState.ACTIVE, since=now, code_use=Subquery(won_by.order_by("pk").values("pk")[:1])
    )


def uses_of_order(order_id: int) -> dict[int, int]:
    """For each contract the use of a code that an order came in by, the first one where there are several."""
    return dict(_uses_behind(order_id).order_by("-pk").values_list(USED_IN, "pk"))


def release_held_seats(*, order_id: int) -> int:
    """Free the seats held for an order; how many. Freeing needs no lock of the terms: it can't overfill anything.

    A seat the learner's other pending order waits for as well is held on for that one.
    """
    for seat in ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD):
        # An order somebody has locked is ending just now: waiting for it here could be waiting for one another.
        waiting = (
            Order.objects.pending().of(seat.user_id).select_for_update(of=("self",), no_key=True, skip_locked=True)
        )
        heir = waiting.filter(lines__product__contract_run__contract_id=seat.contract_id).exclude(pk=order_id).first()
        if heir is not None:
            ContractMembership.objects.filter(pk=seat.pk, order_id=order_id).update(order=heir)
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).delete()[0]


def end_code_seats(*, contract_ids: Iterable[int], user_id: int) -> int:
    """Free the seats somebody came to by a code and has no used code for any more; how many.

    Where another code is in an order in payment the seat is held for that one, and ends with it. Locks the terms: a
    code that is used in this moment keeps its seat.
    """
    ended = 0
    for contract_id in lock_terms(contract_ids):
        uses = CodeUse.objects.live().filter(user_id=user_id, **{USED_IN: contract_id})
        found = list(uses.order_by("pk").values_list("state", "order_id"))
        seat = ContractMembership.objects.filter(
            contract_id=contract_id, user_id=user_id, source=MembershipSource.CODE, state=MembershipState.ACTIVE
        )
        if not found:
            ended += seat.delete()[0]
        elif all(state == UseState.HELD for state, _order_id in found):
            seat.update(state=MembershipState.HELD, order=found[0][1], code_use=None)
    return ended


def join_organizations(*, organization_ids: Iterable[int], user_id: int, source: str, now: datetime) -> None:
    """Make somebody a member of organizations; ``sso`` gives way to any other source, never the other way round."""
    ids = set(organization_ids)
    OrganizationMembership.objects.bulk_create(
        [OrganizationMembership(organization_id=pk, user_id=user_id, source=source, since=now) for pk in sorted(ids)],
        ignore_conflicts=True,
    )
    if source != MembershipSource.SSO:
        OrganizationMembership.objects.filter(
            organization_id__in=ids, user_id=user_id, source=MembershipSource.SSO
        ).update(source=source)


def _uses_behind(order_id: int) -> QuerySet[CodeUse]:
    """The buyer's confirmed uses of an order's codes; one from before the order serves it too."""
    return CodeUse.objects.filter(
        state=UseState.CONFIRMED,
        code__order_lines__order_id=order_id,
        code__order_lines__order__purchaser_id=F("user_id"),
    )


def _strengthen(
    seat: ContractMembership,
    terms: ContractTerms,
    *,
    state: str,
    source: str,
    code_use_id: int | None,
    order: Order | None,
    now: datetime,
) -> ContractMembership:
    changed = []
    if seat.state == MembershipState.HELD and state == MembershipState.ACTIVE:
        seat.state, seat.since = MembershipState.ACTIVE, now
        changed += ["state", "since"]
    elif seat.state == MembershipState.HELD and order is not None and seat.order_id != order.pk:
        seat.order = order
        changed.append("order")
    if seat.source == MembershipSource.SSO and source != MembershipSource.SSO:
        seat.source = source
        changed.append("source")
    if seat.code_use_id is None and code_use_id is not None:
        seat.code_use_id = code_use_id
        changed.append("code_use")
    if changed:
        seat.save(update_fields=changed)
    if {"state", "source"} & set(changed):
        join_organizations(organization_ids=[terms.organization_id], user_id=seat.user_id, source=source, now=now)
    return seat
