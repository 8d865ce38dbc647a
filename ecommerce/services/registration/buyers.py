"""Whose group page shows the seats of a customer's invoices."""

from __future__ import annotations

from django.db import transaction

from ecommerce.events import SeatsChangedBuyer
from ecommerce.models import Customer, SeatSale
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit


def give_seats_to_account(*, customer_id: int, by_id: int | None) -> int:
    """Make the customer's account the buyer of all seats invoiced so far; without one they have no buyer.

    Return of how many seat sales that changed the buyer. Issuing locks the customer too, so no seats are left out.
    """
    with transaction.atomic():
        customer = Customer.objects.locked().get(pk=customer_id)
        invoiced = SeatSale.objects.filter(invoice_line__invoice__customer=customer)
        other = [
            sale for sale in invoiced.order_by("pk").locked() if sale.buyer_id != customer.account_id
        ]  # locked in the order in which voiding locks them
        if not other:
            return 0
        SeatSale.objects.filter(pk__in=[sale.pk for sale in other]).update(buyer=customer.account_id)
        audit.record(customer, "ecommerce.customer.account", by_id=by_id, data={"sales": [sale.pk for sale in other]})
        # What the former buyer shared ends; seats that had none weren't shared.
        if before := tuple(sale.pk for sale in other if sale.buyer_id is not None):
            publish(SeatsChangedBuyer(sale_ids=before))
    return len(other)
