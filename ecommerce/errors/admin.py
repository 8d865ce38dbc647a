"""Refusals that staff read at a form's field."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError


class FieldRefused(DomainError):
    """Something that was typed can't be so; ``field`` says which."""

    code: ClassVar[str] = "refused"
    exposes: ClassVar[tuple[str, ...]] = ("field",)

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        super().__init__(sentence)


class DiscountRefused(FieldRefused):
    """A discount can't be made or changed like this."""

    code: ClassVar[str] = "discount_refused"


class ProductRefused(FieldRefused):
    """A product can't be made or priced like this."""

    code: ClassVar[str] = "product_refused"


class OrderReasonNeeded(DomainError):
    """Who decides about an order by hand says why."""

    code: ClassVar[str] = "order_reason_needed"

    def __init__(self) -> None:
        super().__init__(_("Say why, in a few words. It is kept with the order."))


class MoneyWasTaken(DomainError):
    """An order whose money is here isn't canceled."""

    code: ClassVar[str] = "money_was_taken"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _("Money came for order %(number)s. Give it back, or fulfill the order; then nothing is left to cancel.")
            % {"number": number}
        )


class BuyerHasCourse(DomainError):
    """An order in review isn't fulfilled while its buyer has one of its courses in another way."""

    code: ClassVar[str] = "buyer_has_course"

    def __init__(self, *, title: str) -> None:
        self.title = title
        sentence = _("The buyer already has “%(title)s”: refund it. Then you can fulfill the rest.")
        super().__init__(sentence % {"title": title})


class ReceiptNotYet(DomainError):
    """There is no receipt before the order is completed."""

    code: ClassVar[str] = "receipt_not_yet"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(_("Order %(number)s isn’t completed, so there is no receipt to send.") % {"number": number})
