"""What contracts do when they hear of orders; in the transaction of whoever tells them."""

from __future__ import annotations

from b2b.enums import MembershipSource, MembershipState
from b2b.models import ContractMembership, ContractRun
from b2b.rules import contacts_of
from b2b.services.seats import activate_held_seats, claim_seat, lock_terms, release_held_seats
from ecommerce.events import OrderClosed, OrderFulfilled
from ecommerce.models import CodeUse, Order
from mitxonline.kernel import clock


def claim_seats(event: OrderFulfilled) -> None:
    """Make the buyer a member of the contracts the order's runs belong to.

    A seat that was held becomes theirs. Where the hold was given up meanwhile it is claimed again, and ContractFull
    stops the fulfilment.
    """
    order = Order.objects.get(pk=event.order_id)
    now = order.fulfilled_at or clock.now()
    contract_ids = list(
        ContractRun.objects.filter(product__order_lines__order=order).values_list("contract_id", flat=True).distinct()
    )
    if not contract_ids:
        return
    terms = lock_terms(contract_ids)
    activate_held_seats(order=order, now=now)
    seated = set(
        ContractMembership.objects.filter(
            user_id=order.purchaser_id, contract_id__in=contract_ids, state=MembershipState.ACTIVE
        ).values_list("contract_id", flat=True)
    )
    contacts = contacts_of(each.organization_id for each in terms.values())
    for contract_id in set(contract_ids) - seated:
        claim_seat(
            terms=terms[contract_id],
            user_id=order.purchaser_id,
            state=MembershipState.ACTIVE,
            source=MembershipSource.CODE,
            order=order,
            now=now,
            contact=contacts.get(terms[contract_id].organization_id, ""),
        )
    _name_uses(order)


def release_seats(event: OrderClosed) -> None:
    """Free the seats that were held for an order that came to nothing."""
    release_held_seats(order_id=event.order_id)


def _name_uses(order: Order) -> None:
    """Note on each new seat by which use of a code it was won."""
    uses = CodeUse.objects.filter(order=order, code__discount__unlocks__isnull=False).select_related(
        "code__discount__unlocks__contract_run"
    )
    for use in uses:
        product = use.code.discount.unlocks
        if product is None:
            continue
        ContractMembership.objects.filter(
            contract_id=product.contract_run.contract_id, user_id=order.purchaser_id, code_use__isnull=True
        ).update(code_use=use)
