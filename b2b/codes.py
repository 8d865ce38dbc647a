"""What a contract's code is at the moment: `ecommerce.codes` for codes of contracts, in the words of managers too."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from b2b.enums import ManagedCodeState
from ecommerce import codes as shop_codes
from ecommerce.codes import code_state, in_state
from ecommerce.enums import CodeState
from ecommerce.models import DiscountCode

# From a code to its contract, and whether its run was taken out of it.
IN_CONTRACT = "discount__unlocks__contract_run__contract_id"
OF_REMOVED_RUN = Q(discount__unlocks__contract_run__removed_at__isnull=False)
# What managers call the states. An assigned code whose e-mail failed is FAILED to them.
MANAGED_STATES = {
    CodeState.FREE: ManagedCodeState.FREE,
    CodeState.ASSIGNED: ManagedCodeState.INVITED,
    CodeState.HELD: ManagedCodeState.HELD,
    CodeState.USED: ManagedCodeState.JOINED,
    CodeState.WITHDRAWN: ManagedCodeState.WITHDRAWN,
    CodeState.OFF: ManagedCodeState.OFF,
}


def with_code_facts(codes: QuerySet[DiscountCode], *, is_removed: Q = OF_REMOVED_RUN) -> QuerySet[DiscountCode]:
    """Annotate the codes with the facts of `ecommerce.codes`, to which codes of removed runs are off.

    `is_removed` says which codes belong to a removed run, for callers who know it without the joins.
    """
    return shop_codes.with_code_facts(codes, is_removed=is_removed)


def managed_state(row: Any) -> ManagedCodeState:
    """Return the state in managers' words of a row that has the facts and `is_failed`."""
    state = code_state(row)
    return ManagedCodeState.FAILED if state is CodeState.ASSIGNED and row.is_failed else MANAGED_STATES[state]


def in_managed_state(managed: ManagedCodeState) -> Q:
    """Match rows that have the facts and `is_failed`, by the state in managers' words."""
    if managed is ManagedCodeState.FAILED:
        return in_state(CodeState.ASSIGNED) & Q(is_failed=True)
    states = [state for state, word in MANAGED_STATES.items() if word is managed]
    not_failed = Q(is_failed=False) if managed is ManagedCodeState.INVITED else Q()
    return in_state(*states) & not_failed


def product_url(product_id: int | None) -> str:
    """Return the address that opens a cart with only this course, at the contract's price, and asks for the code."""
    return f"{settings.SITE_BASE_URL}/cart/add/?product_id={product_id}"
