"""Seats given and taken by staff, managers and the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from b2b.enums import MembershipSource, MembershipState, WithdrawnBy
from b2b.errors.contracts import TooFewSeats
from b2b.errors.seats import ContractFull, NotAMember, SeatUnknown
from b2b.models import ContractMembership, ContractPage, ContractTerms, Withdrawal
from b2b.seats import (
    claim_seat,
    end_seat,
    lock_terms,
    seats_for,
)
from b2b.services.handouts.revoke import end_hand_outs_to
from courses.enums import EnrollmentSource
from courses.models import EnrollmentGrant
from courses.services.enrollments import revoke
from ecommerce.models import Product
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
        retired = retire_uses(user_id=user_id, product_ids=products_of(contract_id), now=now)
        email = User.objects.values_list("email", flat=True).get(pk=user_id)
        ended = end_hand_outs_to(terms=terms, email=email, by_id=removed_by_id, now=now)
        end_seat(contract_id=contract_id, user_id=user_id, now=now)
        Withdrawal.objects.create(
            contract_id=contract_id,
            user_id=user_id,
            at=now,
            by_id=removed_by_id,
            authority=authority,
            reason=reason[:255],
        )
        courses = end_enrollments(terms, user_id=user_id, by_id=removed_by_id, reason=reason, now=now)
        data: Mapping[str, Detail] = {
            "user": user_id,
            "reason": reason,
            "authority": str(authority),
            "codes": retired,
            "hand_outs": ended,
            "courses": courses,
        }
        record(ContractPage.objects.get(pk=contract_id), "b2b.seat.withdraw", by_id=removed_by_id, data=data)


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
