"""The actions of staff and gateways, as Wagtail's reports and histories name them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import hooks

# The recorded name, the name in filters, and the sentence in reports.
ACTIONS = (
    ("ecommerce.discount.make", _("Create discount"), _("Created a discount")),
    ("ecommerce.discount.change", _("Change discount"), _("Changed a discount")),
    ("ecommerce.discount.add_codes", _("Create codes"), _("Created more codes")),
    ("ecommerce.discount.pause", _("Pause discount"), _("Paused a discount")),
    ("ecommerce.discount.resume", _("Resume discount"), _("Resumed a discount")),
    ("ecommerce.discount.extend", _("Change end date of discount"), _("Changed when a discount ends")),
    ("ecommerce.discount.limit", _("Limit code"), _("Changed how often a code can be used")),
    ("ecommerce.discount.export", _("Export codes"), _("Exported a discount’s codes")),
    ("ecommerce.role.give", _("Assign role"), _("Assigned a role in the shop")),
    ("ecommerce.role.take", _("Remove role"), _("Removed a role in the shop")),
    ("ecommerce.code.change", _("Change registration code"), _("Changed a registration code")),
    ("courses.staff.appoint", _("Add course staff"), _("Added course staff")),
    ("courses.staff.dismiss", _("Remove course staff"), _("Removed course staff")),
    ("ecommerce.product.make", _("Create product"), _("Put a product on sale")),
    ("ecommerce.refund.record", _("Refund"), _("Started a refund")),
    ("ecommerce.refund.settle", _("Refund arrived"), _("The refund arrived")),
    ("ecommerce.refund.fail", _("Refund failed"), _("The refund failed")),
    ("ecommerce.refund.merge", _("Merge duplicate refund"), _("Merged a duplicate refund")),
    (
        "ecommerce.refund.differ",
        _("Refund amount differs"),
        _("The gateway refunded a different amount"),
    ),
    ("ecommerce.refund.accept", _("Accept refund"), _("Accepted the gateway’s amount")),
    ("ecommerce.refund.seats", _("Say a refund’s seats"), _("Said which seats a refund was for")),
    ("ecommerce.refund.follow", _("Record gateway refund"), _("A refund was made at the gateway")),
    ("ecommerce.refund.mark", _("Second payment"), _("The order was paid a second time")),
    ("ecommerce.refund.dismiss", _("Keep second payment"), _("Kept a second payment")),
    ("ecommerce.refund.ask", _("Request refund"), _("The buyer requested a refund")),
    ("ecommerce.refund.approve", _("Approve refund"), _("Approved a refund request")),
    ("ecommerce.refund.deny", _("Deny refund"), _("Denied a refund request")),
    ("ecommerce.dispute.follow", _("Record dispute"), _("The gateway reported a dispute")),
    ("ecommerce.order.fulfill", _("Fulfill order"), _("Fulfilled an order that was in review")),
    ("ecommerce.order.undo", _("Undo free order"), _("Undid a free order")),
    ("ecommerce.order.cancel", _("Cancel order"), _("Canceled an order that was in review")),
    ("ecommerce.order.receipt", _("Send receipt again"), _("Sent the receipt again")),
    ("ecommerce.order.check", _("Check with the gateway"), _("Asked the gateway about the order")),
    ("ecommerce.notice.replay", _("Process notice again"), _("Processed a gateway’s notice again")),
    ("ecommerce.invoice.make", _("Create invoice"), _("Created an invoice")),
    ("ecommerce.invoice.change", _("Change draft invoice"), _("Changed a draft invoice")),
    ("ecommerce.invoice.delete", _("Delete draft invoice"), _("Deleted a draft invoice")),
    ("ecommerce.invoice.issue", _("Issue invoice"), _("Issued an invoice")),
    ("ecommerce.invoice.send", _("Send invoice again"), _("Sent an invoice again")),
    ("ecommerce.invoice.payment", _("Record payment"), _("Recorded a payment of an invoice")),
    ("ecommerce.invoice.reversal", _("Reverse payment"), _("Reversed a payment of an invoice")),
    ("ecommerce.invoice.payout", _("Record money paid back"), _("Recorded money paid back on an invoice")),
    ("ecommerce.invoice.credit_note", _("Issue credit note"), _("Issued a credit note")),
    ("ecommerce.invoice.void", _("Void invoice"), _("Voided an invoice")),
    ("ecommerce.invoice.export", _("Download codes"), _("Downloaded an invoice’s codes")),
    ("ecommerce.invoice.pause", _("Pause reminders"), _("Paused the reminders of an invoice")),
    ("ecommerce.invoice.resume", _("Resume reminders"), _("Resumed the reminders of an invoice")),
    ("ecommerce.customer.account", _("Give seats to an account"), _("Gave a customer’s seats to another account")),
    ("ecommerce.product.change", _("Change product"), _("Changed a product")),
    ("ecommerce.product.price", _("Change price"), _("Changed a price")),
)


@hooks.register("register_log_actions")
def register_actions(actions: Any) -> None:
    for name, label, message in ACTIONS:
        actions.register_action(name, label, message)
