"""Refusals between the cart and a paid order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from ecommerce.errors.codes import (
    CheckoutRefused,
)
from mitxonline.kernel.errors import DomainError, NotFound


class CodeNeeded(CheckoutRefused):
    """A contract product is in the basket without its own code (LOOK 8)."""

    code: ClassVar[str] = "code_needed"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("“%(title)s” needs its enrollment code. Enter it, then check out.") % {"title": title})


class BasketEmpty(CheckoutRefused):
    """There is nothing to buy (LOOK 24)."""

    code: ClassVar[str] = "basket_empty"

    def __init__(self) -> None:
        super().__init__(_("Your cart is empty. Browse courses, or redeem a code from your organization."))


class ProductUnknown(NotFound):
    """No such product on sale; the same answer for one that never was and one that was withdrawn."""

    code: ClassVar[str] = "product_unknown"
    retry_url = "/cart/"
    exposes: ClassVar[tuple[str, ...]] = ("sku",)

    def __init__(self, *, sku: str = "") -> None:
        """``sku``: the one that isn't on sale, where it looks like one; no one's text is shown as ours."""
        self.sku = sku
        super().__init__(
            _("“%(sku)s” isn't on sale. Your cart hasn't changed. Check the link, or browse courses.") % {"sku": sku}
            if sku
            else _(
                "This link doesn't go to a course we sell. Your cart hasn't changed. Check the link, or browse courses."
            )
        )


class NotForSale(CheckoutRefused):
    """A product in the basket can't be bought (any more)."""

    code: ClassVar[str] = "not_for_sale"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("“%(title)s” can't be bought any more.") % {"title": title})


class AlreadyEnrolled(CheckoutRefused):
    """The buyer has this course already (LOOK 12)."""

    code: ClassVar[str] = "already_enrolled"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("You already have “%(title)s”.") % {"title": title})


class PartlyEnrolled(AlreadyEnrolled):
    """The buyer has some courses of this program; at its full price they would pay for them again."""

    code: ClassVar[str] = "partly_enrolled"

    def __init__(self, *, title: str, had: Sequence[str], count: int) -> None:
        self.title = title
        self.had = tuple(sorted(had))
        sentence = _(
            "You already have %(n)d of the %(count)d courses in “%(title)s”: %(had)s. "
            "Buy the others individually, or ask us for a price."
        )
        details = {"n": len(had), "count": count, "title": title, "had": ", ".join(self.had)}
        super(AlreadyEnrolled, self).__init__(sentence % details)


class CourseTwice(CheckoutRefused):
    """Two things in the cart give the same course. The buyer decides which stays: nothing is set aside.

    ``beside_id`` is the product that stays if this one is removed.
    """

    code: ClassVar[str] = "course_twice"
    is_set_aside: ClassVar[bool] = False

    def __init__(self, *, title: str, beside: str, beside_id: int, is_part: bool, is_same: bool) -> None:
        self.title = title
        self.beside_id = beside_id
        if is_part:
            sentence = _("“%(title)s” is part of “%(beside)s”, which is in your cart too. You’d pay for it twice.")
        elif is_same:
            sentence = _("“%(title)s” is in your cart twice. You need it only once.")
        else:
            sentence = _("“%(title)s” and “%(beside)s” have courses in common. You’d pay for those twice.")
        super().__init__(sentence % {"title": title, "beside": beside})


class SeveralCurrencies(CheckoutRefused):
    """One basket, one currency."""

    code: ClassVar[str] = "several_currencies"

    def __init__(self) -> None:
        super().__init__(_("Your cart has prices in two currencies. Check out one currency at a time."))


class AnotherCurrency(SeveralCurrencies):
    """What is to be added has its price in another currency than what is in the basket."""

    code: ClassVar[str] = "another_currency"

    def __init__(self, *, title: str, currency: str, kept: str) -> None:
        self.title = title
        self.currency = currency
        self.kept = kept
        super(SeveralCurrencies, self).__init__(
            _(
                "“%(title)s” is sold in %(currency)s, and your cart holds prices in %(kept)s. "
                "Buy what is in your cart first, or keep it for later."
            )
            % {"title": title, "currency": currency, "kept": kept}
        )


class TotalChanged(CheckoutRefused):
    """The total is not what the buyer was shown."""

    code: ClassVar[str] = "total_changed"
    exposes: ClassVar[tuple[str, ...]] = ("shown", "now")

    def __init__(self, *, shown: str, now: str) -> None:
        self.shown = shown
        self.now = now
        super().__init__(
            _("The total was %(shown)s and is now %(now)s. Look at your cart again, then check out.")
            % {"shown": shown, "now": now}
        )


class BasketChanged(CheckoutRefused):
    """What is to be bought isn't what the buyer was shown, though it costs the same."""

    code: ClassVar[str] = "basket_changed"

    def __init__(self) -> None:
        super().__init__(_("Your cart has changed since you saw it. Look at it again, then check out."))


class PaymentUnderWay(CheckoutRefused):
    """What is in the basket is being paid for already; paying again would take the money twice."""

    code: ClassVar[str] = "payment_under_way"
    retry_url = "/orders/history/"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _("Your payment for order %(number)s is still being processed. There is nothing more for you to do.")
            % {"number": number}
        )


class NoWayToPay(CheckoutRefused):
    """No gateway is configured."""

    code: ClassVar[str] = "no_way_to_pay"

    def __init__(self) -> None:
        super().__init__(_("Payments aren't set up yet. Your cart is kept. Please write to us."))


class PaymentUnavailable(CheckoutRefused):
    """The gateway can't be reached at the moment."""

    code: ClassVar[str] = "payment_unavailable"

    def __init__(self) -> None:
        super().__init__(_("The payment page can't be reached just now. You weren't charged. Try again in a moment."))


class TotalNotPayable(CheckoutRefused):
    """No gateway takes this total: it is below the least, or a fraction of the smallest coin."""

    code: ClassVar[str] = "total_not_payable"

    def __init__(self, *, total: str) -> None:
        self.total = total
        super().__init__(
            _("%(total)s can't be paid by card: the amount can't be charged to a card. Please write to us.")
            % {"total": total}
        )


class GatewayUnknown(NotFound):
    """This installation takes no payments that way."""

    code: ClassVar[str] = "gateway_unknown"


class OrderUnknown(NotFound):
    """No such order of this buyer; the same answer for someone else's."""

    code: ClassVar[str] = "order_unknown"

    def __init__(self) -> None:
        super().__init__(_("We can't find that order in your account."))


class WrongOrderState(DomainError):
    """Nothing leads from the order's state to the wanted one."""

    code: ClassVar[str] = "wrong_order_state"

    def __init__(self, *, number: str, state: str, wanted: str) -> None:
        self.number = number
        self.state = state
        self.wanted = wanted
        super().__init__(
            _("Order %(number)s is %(state)s; it can't become %(wanted)s.")
            % {"number": number, "state": state, "wanted": wanted}
        )
