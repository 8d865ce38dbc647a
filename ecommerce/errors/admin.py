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
