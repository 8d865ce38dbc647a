"""What people did with money, prices and discounts, in the words of Wagtail's reports."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import hooks

# The action as it is recorded, its name in filters, and what the reports say of it. Never a code or an address.
ACTIONS = (
    ("ecommerce.discount.make", _("Make discount"), _("Made a discount")),
    ("ecommerce.discount.change", _("Change discount"), _("Changed a discount")),
    ("ecommerce.discount.add_codes", _("Make codes"), _("Made more codes")),
    ("ecommerce.discount.pause", _("Pause discount"), _("Paused a discount")),
    ("ecommerce.discount.resume", _("Resume discount"), _("Resumed a discount")),
    ("ecommerce.discount.extend", _("Change end of discount"), _("Changed when a discount ends")),
    ("ecommerce.discount.limit", _("Limit code"), _("Changed how often a code can be used")),
    ("ecommerce.discount.export", _("Export codes"), _("Exported a discount’s codes")),
    ("courses.staff.appoint", _("Appoint course staff"), _("Appointed someone to look after a course")),
    ("courses.staff.dismiss", _("Dismiss course staff"), _("Said that someone looks after a course no more")),
    ("ecommerce.product.make", _("Make product"), _("Put something on sale")),
    ("ecommerce.refund.record", _("Refund"), _("Gave money back")),
    ("ecommerce.refund.settle", _("Refund arrived"), _("The money went back")),
    ("ecommerce.refund.fail", _("Refund failed"), _("The money didn’t go back")),
    ("ecommerce.refund.differ", _("Refund differs"), _("The gateway gave back another amount than was asked for")),
    ("ecommerce.refund.accept", _("Accept refund"), _("Accepted what the gateway gave back")),
    ("ecommerce.refund.follow", _("Refund at the gateway"), _("Someone gave money back at the gateway")),
    ("ecommerce.refund.mark", _("Second payment"), _("The order was paid a second time")),
    ("ecommerce.refund.dismiss", _("Keep second payment"), _("Decided that a second payment stays")),
    ("ecommerce.refund.ask", _("Ask for refund"), _("The buyer asked for a refund")),
    ("ecommerce.refund.approve", _("Approve refund"), _("Approved a refund request")),
    ("ecommerce.refund.deny", _("Deny refund"), _("Denied a refund request")),
    ("ecommerce.dispute.follow", _("Dispute"), _("The gateway told of a dispute")),
    ("ecommerce.order.fulfill", _("Fulfill order"), _("Fulfilled an order that was in review")),
    ("ecommerce.order.undo", _("Undo free order"), _("Took back what had cost nothing")),
    ("ecommerce.order.cancel", _("Cancel order"), _("Canceled an order that was in review")),
    ("ecommerce.order.receipt", _("Send receipt again"), _("Had the receipt sent again")),
    ("ecommerce.order.check", _("Check with the gateway"), _("Asked the gateway about the order")),
    ("ecommerce.notice.replay", _("Process notice again"), _("Had a gateway’s notice processed again")),
    ("ecommerce.product.price", _("Change price"), _("Changed a price")),
)


@hooks.register("register_log_actions")
def register_actions(actions: Any) -> None:
    """Tell Wagtail what the acts are called."""
    for name, label, message in ACTIONS:
        actions.register_action(name, label, message)
