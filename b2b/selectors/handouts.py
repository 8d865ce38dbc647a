"""Codes that were handed out: which are used, and which addresses still wait for a seat."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Q

from b2b.codes import IN_CONTRACT, with_code_facts
from b2b.models import ContractMembership, ContractRun, ContractTerms, HandOut
from b2b.seats import count_seats
from b2b.selectors.lots import Lot
from courses.models import CourseRun
from ecommerce.codes import COUNTED_USE_STATES, SHARED, in_state
from ecommerce.enums import CodeState
from ecommerce.models import CodeUse, DiscountCode


@dataclass(frozen=True, slots=True)
class WaitingAddresses:
    """Addresses with an unused code of the contract: those without a seat in it, and all of them by discount."""

    without_seat: frozenset[str] = frozenset()
    by_discount: dict[int, frozenset[str]] = field(default_factory=dict)


def waiting_addresses(contract_id: int) -> WaitingAddresses:
    """Return the addresses with an assigned code; two queries. A caller that acts on it holds the lock of the terms."""
    codes = with_code_facts(DiscountCode.objects.filter(**{IN_CONTRACT: contract_id}))
    by_discount: dict[int, set[str]] = {}
    for discount_id, email in codes.filter(in_state(CodeState.ASSIGNED)).values_list("discount_id", "assigned_email"):
        by_discount.setdefault(discount_id, set()).add(email)
    addresses = set().union(*by_discount.values())
    return WaitingAddresses(
        without_seat=frozenset(addresses - seated_addresses(contract_id, addresses)),
        by_discount={pk: frozenset(emails) for pk, emails in by_discount.items()},
    )


@dataclass(frozen=True, slots=True)
class ReturningCodes:
    """Assigned codes of removed runs: those that can be active again, and those beyond the free seats."""

    kept: tuple[DiscountCode, ...] = ()
    beyond: tuple[DiscountCode, ...] = ()


def returning_codes(terms: ContractTerms, product_ids: Collection[int]) -> ReturningCodes:
    """Decide which assigned codes are active again when the removed runs of these products come back.

    Codes promise seats in the order they were assigned, as long as seats are free. A caller that acts on it holds the
    lock of the terms.
    """
    assigned = DiscountCode.objects.filter(discount__unlocks__in=product_ids, active=False).exclude(assigned_email="")
    codes = list(assigned.order_by(F("assigned_at").asc(nulls_last=True), "pk"))
    if not codes:
        return ReturningCodes()
    seats = count_seats([terms.pk])[terms.pk]
    emails = {code.assigned_email for code in codes}
    has_place = seated_addresses(terms.pk, emails) | waiting_addresses(terms.pk).without_seat
    fits: dict[str, bool] = {}
    for email in dict.fromkeys(code.assigned_email for code in codes if code.assigned_email not in has_place):
        fits[email] = seats.has_room_for(sum(fits.values()) + 1)
    return ReturningCodes(
        kept=tuple(code for code in codes if fits.get(code.assigned_email, True)),
        beyond=tuple(code for code in codes if not fits.get(code.assigned_email, True)),
    )


def seated_addresses(contract_id: int, emails: Collection[str]) -> set[str]:
    """Return which of these addresses belong to people with a seat, active or held."""
    if not emails:
        return set()
    seats = ContractMembership.objects.filter(contract_id=contract_id, user__email__in=emails)
    return set(seats.values_list("user__email", flat=True))


def used_hand_outs(hand_outs: Sequence[HandOut]) -> set[int]:
    """Return the ids of hand-outs whose own code is used, or whose person used the shared code."""
    own = {each.code_id: each.pk for each in hand_outs if not each.is_shared and each.code_id is not None}
    shared = {(each.code_id, each.email): each.pk for each in hand_outs if each.is_shared and each.code_id is not None}
    matches = Q(code__in=list(own)) | Q(
        code__in={code_id for code_id, _email in shared}, user__email__in={email for _code_id, email in shared}
    )
    used = set()
    uses = CodeUse.objects.filter(matches, state__in=COUNTED_USE_STATES)
    for code_id, email in uses.values_list("code_id", "user__email"):
        found = own.get(code_id) or shared.get((code_id, email))
        if found is not None:
            used.add(found)
    return used


def count_open_invitations(contract_run_id: int) -> int:
    """Count the invited people who haven't used the shared code of this course yet."""
    invitations = list(HandOut.objects.open().filter(contract_run_id=contract_run_id, is_shared=True))
    return len(invitations) - len(used_hand_outs(invitations))


def addresses_of(lot: Lot, line_ids: Collection[int], *, is_shared: bool) -> list[str]:
    """Return the addresses of these lines of a list: hand-outs of a shared code, or assigned codes."""
    if is_shared:
        return sorted(lot.hand_outs().filter(pk__in=line_ids).values_list("email", flat=True))
    codes = lot.codes().filter(pk__in=line_ids).exclude(assigned_email="")
    return sorted(codes.values_list("assigned_email", flat=True))


def has_codes_of_their_own(lot: Lot, hand_out_ids: Collection[int]) -> bool:
    """Tell whether any of these open hand-outs is a code of someone's own."""
    return lot.hand_outs().filter(pk__in=hand_out_ids, is_shared=False).exists()


def shared_codes(contract_runs: Iterable[ContractRun]) -> dict[int, DiscountCode]:
    """Return by run the code that everyone shares; runs without one are left out."""
    product_ids = {run.product_id: run.pk for run in contract_runs if run.product_id is not None}
    codes = DiscountCode.objects.filter(SHARED, discount__unlocks_id__in=list(product_ids))
    found: dict[int, DiscountCode] = {}
    for code in codes.select_related("discount").order_by("discount_id", "pk"):
        found.setdefault(product_ids[code.discount.unlocks_id or 0], code)
    return found


def has_closed(run: CourseRun, *, now: datetime) -> bool:
    """Tell whether no one can enroll in the run any more, so that its codes are useless."""
    ends = [moment for moment in (run.enrollment_end, run.end_date) if moment is not None]
    return not run.live or bool(ends and now > min(ends))


def moved_to_open_run(now: datetime) -> Q:
    """Match registration codes that staff moved to another start, one that hasn't closed."""
    return (
        Q(moved_to__live=True)
        & (Q(moved_to__enrollment_end__isnull=True) | Q(moved_to__enrollment_end__gte=now))
        & (Q(moved_to__end_date__isnull=True) | Q(moved_to__end_date__gte=now))
    )
