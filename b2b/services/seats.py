"""The staff's door to a contract's seats, and the words every other door uses."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from b2b.enums import MembershipSource, MembershipState
from b2b.errors import NotAMember
from b2b.models import ContractMembership
from b2b.models.seats import (
    activate_held_seats,
    claim_seat,
    free_seats,
    join_organizations,
    lock_terms,
    release_held_seats,
    taken_seats,
    uses_of_order,
)

__all__ = [
    "activate_held_seats",
    "add_member",
    "claim_seat",
    "free_seats",
    "join_organizations",
    "lock_terms",
    "release_held_seats",
    "taken_seats",
    "uses_of_order",
]


def add_member(
    *,
    contract_id: int,
    user_id: int,
    now: datetime,
    source: str = MembershipSource.STAFF,
    added_by_id: int | None = None,
) -> ContractMembership:
    """Put somebody into a contract by hand. Raises ContractFull, NotAMember for a contract that has no terms yet."""
    with transaction.atomic():
        terms = lock_terms([contract_id]).get(contract_id)
        if terms is None:
            raise NotAMember
        return claim_seat(
            terms=terms,
            user_id=user_id,
            state=MembershipState.ACTIVE,
            source=source,
            now=now,
            added_by_id=added_by_id,
        )
