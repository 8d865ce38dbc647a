"""Refusals that staff read."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.text import join_titles


class FieldRefused(DomainError):
    """A value isn’t accepted; `field` is the form field that shows the sentence."""

    message = "{sentence}"
    exposes = ("field",)
    field: str
    sentence: str


class DiscountRefused(FieldRefused):
    code = "discount_refused"


class ProductRefused(FieldRefused):
    code = "product_refused"


class DiscountShared(DomainError):
    """A discount is changed by one of its codes, and has others."""

    code = "discount_shared"
    message = _("This is one of {count} codes of a discount, and the change would be for all of them.")
    advice = _("Change the discount in the admin.")
    exposes = ("count",)
    count: int


class LastPerson(DomainError):
    code = "last_person"
    message = _("Without this person the discount would be for everyone.")
    advice = _("Add someone else first, or delete the discount.")


class LastProduct(DomainError):
    code = "last_product"
    message = _("Without this product the discount would be for all products.")
    advice = _("Add another product first, or delete the discount.")


class CodeHasPerson(DomainError):
    """A code that was created for one address is given to no one else."""

    code = "code_has_person"
    message = _("This code was created for one person and works for no one else.")
    advice = _("Create another code.")


class RedeemedByOrders(DomainError):
    """Redemptions are records of orders, which no one writes, changes or deletes by hand."""

    code = "redeemed_by_orders"
    message = _("Discounts are redeemed by orders, and their redemptions stay on record.")
    advice = _("Refund the order if its code should be free again.")


class MoneyWasTaken(DomainError):
    """An order whose money is here isn’t canceled."""

    code = "money_was_taken"
    message = _("Order {number} has been paid.")
    advice = _("Refund it or fulfill it; then there’s nothing left to cancel.")
    number: str


class RefundOnItsWay(DomainError):
    """An order isn’t fulfilled while its money may be going back."""

    code = "refund_on_its_way"
    message = _("A refund of {amount} for order {number} is on its way.")
    advice = _("Wait until it has arrived or failed; “Check with the gateway” asks now.")
    number: str
    amount: str


class BuyerHasCourse(DomainError):
    """An order in review isn’t fulfilled while its buyer has one of its courses from another source."""

    code = "buyer_has_course"
    message = _("The buyer already has {titles_text}.")
    advice = _("Refund it. Then you can fulfill the rest.")
    titles: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"titles_text": join_titles(self.titles)}


class ReceiptNotYet(DomainError):
    code = "receipt_not_yet"
    message = _("Order {number} isn’t completed, so there is no receipt to send.")
    number: str


class AccountIsClosed(DomainError):
    code = "account_is_closed"
    message = _("The account of {person} isn’t active, so it can’t get a role.")
    person: str
