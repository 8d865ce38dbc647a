"""What the ledger does about the storefront's events."""

from ecommerce.events import OrderFulfilled
from ecommerce.models import Order
from tessera_ledger.models import LedgerEntry


def record_sale(event: OrderFulfilled) -> str:
    """Write the sale to the ledger. A delivery may come twice, so the order's number is unique there.

    The answer is kept with the attempt, on the delivery's page.
    """
    order = Order.objects.get(pk=event.order_id)
    _entry, is_new = LedgerEntry.objects.get_or_create(
        order_number=event.number,
        defaults={"amount": order.total, "currency": order.currency, "sold_at": event.at},
    )
    return "recorded" if is_new else "was recorded before"
