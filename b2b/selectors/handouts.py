"""What is known of codes that were handed out: which are used, which addresses still wait for their seat."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import F, Q

from b2b.codes import COUNTED_USE_STATES, IN_CONTRACT, SHARED, in_state, with_code_facts
from b2b.enums import CodeState
from b2b.models import ContractMembership, ContractRun, ContractTerms, HandOut
from b2b.seats import count_seats
from ecommerce.models import CodeUse, DiscountCode


@dataclass(frozen=True, slots=True)
class WaitingAddresses:
    """Addresses with an unused code of the contract whose people have no seat in it yet, and with which course's."""

    without_seat: frozenset[str] = frozenset()
    by_discount: dict[int, frozenset[str]] = field(default_factory=dict)


def waiting_addresses(contract_id: int) -> WaitingAddresses:
    """Whom an unused code of this contract was given to; two queries. The caller holds the lock if it acts on it."""
    codes = with_code_facts(DiscountCode.objects.filter(**{IN_CONTRACT: contract_id}))
    by_discount: dict[int, set[str]] = {}
    for discount_id, email in codes.filter(in_state(CodeState.ASSIGNED)).values_list("discount_id", "assigned_email"):
        by_discount.setdefault(discount_id, set()).add(email)
    everybody = set().union(*by_discount.values())
    return WaitingAddresses(
        without_seat=frozenset(everybody - seated_addresses(contract_id, everybody)),
        by_discount={pk: frozenset(emails) for pk, emails in by_discount.items()},
    )


@dataclass(frozen=True, slots=True)
class ReturningCodes:
    """Codes of removed runs that were given to someone: those that are theirs again, and those without a seat."""

    kept: tuple[DiscountCode, ...] = ()
    beyond: tuple[DiscountCode, ...] = ()


def returning_codes(terms: ContractTerms, product_ids: Collection[int]) -> ReturningCodes:
    """What becomes of assigned codes when the removed runs of these products come back.

    They promise seats again, in the order they were given, as far as there are free ones. The caller holds the lock of
    the terms if it acts on it.
    """
    given = DiscountCode.objects.filter(discount__unlocks__in=product_ids, active=False).exclude(assigned_email="")
    codes = list(given.order_by(F("assigned_at").asc(nulls_last=True), "pk"))
    if not codes:
        return ReturningCodes()
    seats = count_seats([terms.pk])[terms.pk]
    emails = {code.assigned_email for code in codes}
    has_place = seated_addresses(terms.pk, emails) | waiting_addresses(terms.pk).without_seat
    newcomers: dict[str, bool] = {}
    for email in dict.fromkeys(code.assigned_email for code in codes if code.assigned_email not in has_place):
        newcomers[email] = seats.has_room_for(sum(newcomers.values()) + 1)
    return ReturningCodes(
        kept=tuple(code for code in codes if newcomers.get(code.assigned_email, True)),
        beyond=tuple(code for code in codes if not newcomers.get(code.assigned_email, True)),
    )


def seated_addresses(contract_id: int, emails: Collection[str]) -> set[str]:
    """Which of these addresses belong to someone with a seat, taken or held."""
    if not emails:
        return set()
    seats = ContractMembership.objects.filter(contract_id=contract_id, user__email__in=emails)
    return set(seats.values_list("user__email", flat=True))


def used_hand_outs(hand_outs: Sequence[HandOut]) -> set[int]:
    """Which of these hand-outs came to something: their own code is spent, or the person used the shared one."""
    own = {each.code_id: each.pk for each in hand_outs if not each.is_shared and each.code_id is not None}
    shared = {(each.code_id, each.email): each.pk for each in hand_outs if each.is_shared and each.code_id is not None}
    asked = Q(code__in=list(own)) | Q(
        code__in={code_id for code_id, _email in shared}, user__email__in={email for _code_id, email in shared}
    )
    used = set()
    uses = CodeUse.objects.filter(asked, state__in=COUNTED_USE_STATES)
    for code_id, email in uses.values_list("code_id", "user__email"):
        found = own.get(code_id) or shared.get((code_id, email))
        if found is not None:
            used.add(found)
    return used


def open_invitations(contract_run_id: int) -> int:
    """How many invited people of a contract without a cap haven't used the shared code of this course yet."""
    open_ones = list(HandOut.objects.open().filter(contract_run_id=contract_run_id, is_shared=True))
    return len(open_ones) - len(used_hand_outs(open_ones))


def has_codes_of_their_own(contract_id: int, hand_out_ids: Collection[int]) -> bool:
    """Whether some of these open hand-outs of the contract gave someone a code of their own."""
    mine = HandOut.objects.open().filter(contract_run__contract_id=contract_id, is_shared=False)
    return mine.filter(pk__in=hand_out_ids).exists()


def shared_codes(contract_runs: Iterable[ContractRun]) -> dict[int, DiscountCode]:
    """The code everyone shares of each of these runs, by the run; left out where there is none."""
    product_ids = {run.product_id: run.pk for run in contract_runs if run.product_id is not None}
    codes = DiscountCode.objects.filter(SHARED, discount__unlocks_id__in=list(product_ids))
    found: dict[int, DiscountCode] = {}
    for code in codes.select_related("discount").order_by("discount_id", "pk"):
        found.setdefault(product_ids[code.discount.unlocks_id or 0], code)
    return found
