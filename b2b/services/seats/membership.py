"""Seats given and taken by staff, managers and the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from b2b.codes import IN_CONTRACT
from b2b.enums import MembershipSource, MembershipState, WithdrawnBy
from b2b.errors.contracts import TooFewSeats
from b2b.errors.seats import ContractFull, NotAMember, SeatUnknown
from b2b.models import ContractMembership, ContractPage, ContractTerms, HandOut, Withdrawal
from b2b.seats import (
    USED_IN,
    claim_seat,
    end_seat,
    lock_terms,
    seats_for,
)
from b2b.services.handouts.revoke import end_hand_outs_to
from courses.enums import EnrollmentSource
from courses.models import EnrollmentGrant
from courses.services.enrollments import revoke
from ecommerce.models import CodeUse, DiscountCode, Product
from ecommerce.services.discounts.codes import restore_uses, retire_uses
from mitxonline.kernel.audit import Detail, record
from mitxonline.users.models import User


def add_member(
    *,
    contract_id: int,
    user_id: int,
    now: datetime,
    source: str = MembershipSource.STAFF,
    added_by_id: int | None = None,
) -> ContractMembership:
    """Give a person a seat in the contract. If their access was withdrawn, it is restored with their codes.

    Raises TooFewSeats, and NotAMember for a contract without terms.
    """
    with transaction.atomic():
        terms = _lock_terms(contract_id)
        before = seats_for([contract_id], user_id)[contract_id]
        try:
            seat = claim_seat(
                terms=terms,
                user_id=user_id,
                state=MembershipState.ACTIVE,
                source=source,
                now=now,
                added_by_id=added_by_id,
            )
        except ContractFull as full:
            raise TooFewSeats(left=0, needed=1, invited=before.count.invited) from full
        restored = 0
        if before.withdrawn_at is not None:
            restored = restore_uses(user_id=user_id, product_ids=products_of(contract_id), now=now)
        if before.state != seat.state:
            data: Mapping[str, Detail] = {"user": user_id, "source": str(seat.source), "codes_given_back": restored}
            record(ContractPage.objects.get(pk=contract_id), "b2b.seat.give", by_id=added_by_id, data=data)
    return seat


def remove_member(
    *,
    contract_id: int,
    user_id: int,
    reason: str,
    now: datetime,
    removed_by_id: int | None = None,
    authority: WithdrawnBy = WithdrawnBy.STAFF,
) -> None:
    """Withdraw a person's access: free the seat, retire their code uses, end their courses, revoke their unused codes.

    Afterwards their codes are refused, single sign-on doesn't bring them back, and a late payment goes to review.
    `add_member` restores access. A manager's withdrawal is also lifted by a code handed out to them later. Raises
    SeatUnknown for someone without a seat.
    """
    with transaction.atomic():
        terms = _lock_terms(contract_id)
        if not ContractMembership.objects.filter(contract_id=contract_id, user_id=user_id).exists():
            raise SeatUnknown
        email = User.objects.values_list("email", flat=True).get(pk=user_id)
        Withdrawal.objects.create(
            contract_id=contract_id,
            user_id=user_id,
            at=now,
            by_id=removed_by_id,
            authority=authority,
            reason=reason[:255],
        )
        ended = _end_access(terms, user_id=user_id, email=email, by_id=removed_by_id, reason=reason, now=now)
        data: Mapping[str, Detail] = {"user": user_id, "reason": reason, "authority": str(authority), **ended}
        record(ContractPage.objects.get(pk=contract_id), "b2b.seat.withdraw", by_id=removed_by_id, data=data)


def leave_contracts(*, user_id: int, email: str, now: datetime) -> int:
    """Give up every seat, code use and contract course of a person who closes their account; return how many contracts.

    ``email`` is their confirmed address, whose unused codes are revoked, or empty: an address that isn't confirmed may
    be someone else's. Nothing is withdrawn, so a new account with the address starts afresh.
    """
    with transaction.atomic():
        terms = lock_terms(_contracts_of(user_id, email))
        for each in terms.values():
            ended = _end_access(each, user_id=user_id, email=email, by_id=None, reason=_("Account deleted"), now=now)
            page = ContractPage.objects.get(pk=each.pk)
            record(page, "b2b.seat.give_up", by_id=None, data={"user": user_id, **ended})
    return len(terms)


def _contracts_of(user_id: int, email: str) -> set[int]:
    contracts = set(ContractMembership.objects.filter(user_id=user_id).values_list("contract_id", flat=True))
    uses = CodeUse.objects.live().filter(user_id=user_id, **{f"{USED_IN}__isnull": False})
    contracts |= set(uses.values_list(USED_IN, flat=True))
    if email:
        handed_out = HandOut.objects.open().filter(email=email, contract_run__isnull=False)
        contracts |= set(handed_out.values_list("contract_run__contract_id", flat=True))
        given = DiscountCode.objects.filter(assigned_email=email, **{f"{IN_CONTRACT}__isnull": False})
        contracts |= set(given.values_list(IN_CONTRACT, flat=True))
    return contracts


def _end_access(
    terms: ContractTerms, *, user_id: int, email: str, by_id: int | None, reason: str, now: datetime
) -> dict[str, Detail]:
    """Retire the person's code uses, revoke unused codes of the address, free the seat and end the courses."""
    retired = retire_uses(user_id=user_id, product_ids=products_of(terms.pk), now=now)
    revoked = end_hand_outs_to(terms=terms, email=email, by_id=by_id, now=now) if email else 0
    end_seat(contract_id=terms.pk, user_id=user_id, now=now)
    courses = end_enrollments(terms, user_id=user_id, by_id=by_id, reason=reason, now=now)
    return {"codes": retired, "hand_outs": revoked, "courses": courses}


def _lock_terms(contract_id: int) -> ContractTerms:
    terms = lock_terms([contract_id]).get(contract_id)
    if terms is None:
        raise NotAMember
    return terms


def products_of(contract_id: int) -> list[int]:
    """Return the ids of the contract's products, including those of removed runs."""
    return list(Product.objects.filter(contract_run__contract_id=contract_id).values_list("pk", flat=True))


def end_enrollments(terms: ContractTerms, *, user_id: int, by_id: int | None, reason: str, now: datetime) -> int:
    """Revoke the contract's enrollment grants and return how many; grants from orders or staff keep courses open."""
    grants = EnrollmentGrant.objects.filter(
        enrollment__user_id=user_id,
        enrollment__run__contract_run__contract_id=terms.pk,
        source__in=[EnrollmentSource.CODE, EnrollmentSource.CONTRACT],
        revoked_at__isnull=True,
    )
    rows = list(grants.order_by("enrollment__run_id", "pk").values_list("enrollment__run_id", "source", "reference"))
    for run_id, source, reference in rows:
        revoke(
            user_id=user_id,
            run_id=run_id,
            source=source,
            reference=reference,
            now=now,
            revoked_by_id=by_id,
            reason=reason[:255],
        )
    return len(rows)
