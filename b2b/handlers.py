"""What contracts do when they hear of orders; in the transaction of whoever tells them."""

from __future__ import annotations

from b2b.enums import MembershipSource, MembershipState
from b2b.models import ContractRun
from b2b.rules import contacts_of
from b2b.services.seats import (
    activate_held_seats,
    claim_seat,
    join_organizations,
    lock_terms,
    release_held_seats,
    uses_of_order,
)
from ecommerce.events import OrderClosed, OrderFulfilled, OrderInReview


def claim_seats(event: OrderFulfilled) -> None:
    """Make the buyer a member of the contracts whose codes the order used.

    A seat that was held becomes theirs. Where the hold was given up meanwhile it is claimed again under the lock, and
    ContractFull stops the fulfilment.
    """
    runs = ContractRun.objects.filter(
        product__order_lines__order_id=event.order_id, product__order_lines__code__isnull=False
    )
    organizations = dict(runs.values_list("contract_id", "contract__terms__organization_id"))
    if not organizations:
        return
    activated = activate_held_seats(order_id=event.order_id, now=event.at)
    if activated < len(organizations):
        _claim_again(event, list(organizations))
    join_organizations(
        organization_ids=organizations.values(), user_id=event.purchaser_id, source=MembershipSource.CODE, now=event.at
    )


def release_seats(event: OrderClosed | OrderInReview) -> None:
    """Free the seats that were held for an order that came to nothing, or for which nothing is held any more."""
    release_held_seats(order_id=event.order_id)


def _claim_again(event: OrderFulfilled, contract_ids: list[int]) -> None:
    """Claim the seats that were not held any more; a member keeps theirs, which only gets stronger."""
    terms = lock_terms(contract_ids)
    contacts = contacts_of(each.organization_id for each in terms.values())
    uses = uses_of_order(event.order_id)
    for each in terms.values():
        claim_seat(
            terms=each,
            user_id=event.purchaser_id,
            state=MembershipState.ACTIVE,
            source=MembershipSource.CODE,
            code_use_id=uses.get(each.pk),
            now=event.at,
            contact=contacts.get(each.organization_id, ""),
        )
