"""Taking and freeing seats. Every door asks here, under the lock of the contract's terms (design 3.8)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count

from b2b.enums import MembershipSource, MembershipState
from b2b.errors import ContractFull
from b2b.models.membership import ContractMembership, OrganizationMembership
from b2b.models.terms import ContractTerms
from ecommerce.models import CodeUse, Order


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
    code_use: CodeUse | None = None,
    order: Order | None = None,
    added_by_id: int | None = None,
    contact: str = "",
) -> ContractMembership:
    """Give a learner a seat; one they have is theirs and only gets stronger (held → active, sso → code).

    The caller holds the lock of ``terms``. Raises ContractFull.
    """
    mine = ContractMembership.objects.filter(contract_id=terms.pk, user_id=user_id).first()
    if mine is not None:
        return _strengthen(mine, state=state, source=source, code_use=code_use, order=order, now=now)
    if free_seats(terms) == 0:
        raise ContractFull(contact=contact)
    seat = ContractMembership.objects.create(
        contract_id=terms.pk,
        user_id=user_id,
        state=state,
        source=source,
        code_use=code_use,
        order=order,
        added_by_id=added_by_id,
        since=now,
    )
    if state == MembershipState.ACTIVE:
        join_organization(terms=terms, user_id=user_id, source=source, now=now)
    return seat


def activate_held_seats(*, order: Order, now: datetime) -> int:
    """Turn the seats held for an order into members; how many."""
    held = ContractMembership.objects.filter(order=order, state=MembershipState.HELD)
    seats = list(held.select_related("contract__terms"))
    for seat in seats:
        seat.state, seat.since = MembershipState.ACTIVE, now
        seat.save(update_fields=["state", "since"])
        join_organization(terms=seat.contract.terms, user_id=seat.user_id, source=seat.source, now=now)
    return len(seats)


def release_held_seats(*, order_id: int) -> int:
    """Free the seats held for an order. Freeing needs no lock: it can't overfill anything."""
    return ContractMembership.objects.filter(order_id=order_id, state=MembershipState.HELD).delete()[0]


def join_organization(*, terms: ContractTerms, user_id: int, source: str, now: datetime) -> None:
    """Make a member of the contract a member of its organization; ``sso`` gives way to any other source."""
    membership, is_new = OrganizationMembership.objects.get_or_create(
        organization_id=terms.organization_id, user_id=user_id, defaults={"source": source, "since": now}
    )
    if not is_new and membership.source == MembershipSource.SSO and source != MembershipSource.SSO:
        membership.source = source
        membership.save(update_fields=["source"])


def _strengthen(
    seat: ContractMembership, *, state: str, source: str, code_use: CodeUse | None, order: Order | None, now: datetime
) -> ContractMembership:
    changed = []
    if seat.state == MembershipState.HELD and state == MembershipState.ACTIVE:
        seat.state, seat.since = MembershipState.ACTIVE, now
        changed += ["state", "since"]
        join_organization(terms=seat.contract.terms, user_id=seat.user_id, source=source, now=now)
    elif seat.state == MembershipState.HELD and order is not None and seat.order_id != order.pk:
        seat.order = order
        changed.append("order")
    if seat.source == MembershipSource.SSO and source != MembershipSource.SSO:
        seat.source = source
        changed.append("source")
    if seat.code_use_id is None and code_use is not None:
        seat.code_use = code_use
        changed.append("code_use")
    if changed:
        seat.save(update_fields=changed)
    return seat
