"""The shop's refusals: a code for machines, a sentence for people, typed data."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


class CheckoutRefused(DomainError):
    """The basket can't be bought as it is; the buyer goes back to the cart."""

    code: ClassVar[str] = "checkout_refused"
    retry_url = "/cart/"


class CodeRefused(CheckoutRefused):
    """A code doesn't work here. A signed-out visitor is told no more than ``CodeUnknown`` says.

    One that ``outranks`` is told even where the code is used up or switched off.
    """

    code: ClassVar[str] = "code_refused"
    outranks: ClassVar[bool] = False


class CodeUnknown(CodeRefused):
    """No such code (LOOK 17)."""

    code: ClassVar[str] = "code_unknown"

    def __init__(self) -> None:
        super().__init__(
            _("We don't know this code. Check it against your invitation: it has 36 characters, in five groups.")
        )


class CodeMissing(CodeRefused):
    """Nothing was typed into the field."""

    code: ClassVar[str] = "code_missing"

    def __init__(self) -> None:
        super().__init__(_("Type or paste your code into the field first."))


class CodeUsed(CodeRefused):
    """Every use of the code is taken (LOOK 13)."""

    code: ClassVar[str] = "code_used"

    def __init__(self, *, organization: str = "") -> None:
        self.organization = organization
        super().__init__(
            _("This code has been used by somebody else. Ask %(organization)s for a new one.")
            % {"organization": organization}
            if organization
            else _("This code has been used as often as it can be.")
        )


class CodeSwitchedOff(CodeRefused):
    """The code was switched off (LOOK 19)."""

    code: ClassVar[str] = "code_off"

    def __init__(self, *, organization: str = "") -> None:
        self.organization = organization
        super().__init__(
            _("This code has been switched off. Ask %(organization)s for a new one.") % {"organization": organization}
            if organization
            else _("This code has been switched off.")
        )


class CodeNotYetValid(CodeRefused):
    """The discount begins later."""

    code: ClassVar[str] = "code_not_yet"

    def __init__(self, *, opens: str) -> None:
        self.opens = opens
        super().__init__(_("This code can be used from %(opens)s.") % {"opens": opens})


class CodeExpired(CodeRefused):
    """The discount is over."""

    code: ClassVar[str] = "code_expired"

    def __init__(self, *, ended: str) -> None:
        self.ended = ended
        super().__init__(_("This code could be used until %(ended)s.") % {"ended": ended})


class CodeForAnotherProduct(CodeRefused):
    """The code opens something that isn't in the basket (LOOK 18)."""

    code: ClassVar[str] = "code_other_product"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(
            _("This code is for another course, “%(title)s”. Enter the code for this course.") % {"title": title}
            if title
            else _("This code is for other courses than those in your cart.")
        )


class CodeForSomebodyElse(CodeRefused):
    """The code works only for the person it was given to."""

    code: ClassVar[str] = "code_other_person"

    def __init__(self) -> None:
        super().__init__(_("This code was given to somebody else. Sign in with the address it was sent to."))


class AddressUnconfirmed(CodeForSomebodyElse):
    """The code works only for the person it was given to, and that this is the one hasn't been shown yet."""

    code: ClassVar[str] = "address_unconfirmed"

    def __init__(self) -> None:
        super(CodeForSomebodyElse, self).__init__(
            _("This code was given to your address. Confirm the address first: open the link in the mail we sent you.")
        )


class CodeNotBetter(CodeRefused):
    """Everything in the basket is as cheap or cheaper without this code."""

    code: ClassVar[str] = "code_not_better"

    def __init__(self) -> None:
        super().__init__(_("This code would not lower your total, so it was not used. Keep it for another course."))


class CodeBelongsInCart(CodeRefused):
    """A discount code was entered where enrollment codes are redeemed."""

    code: ClassVar[str] = "code_belongs_in_cart"

    def __init__(self) -> None:
        super().__init__(_("This is a discount code. Put a course into your cart and enter it there."))


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

    def __init__(self) -> None:
        super().__init__(
            _("This link doesn't lead to a course on sale. Your cart is as it was. Check the link, or browse courses.")
        )


class NotForSale(CheckoutRefused):
    """A product in the basket can't be bought (any more)."""

    code: ClassVar[str] = "not_for_sale"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("“%(title)s” can't be bought any more. Remove it to check out the rest.") % {"title": title})


class AlreadyEnrolled(CheckoutRefused):
    """The buyer has this course already (LOOK 12)."""

    code: ClassVar[str] = "already_enrolled"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("You already have “%(title)s”. Remove it from your cart.") % {"title": title})


class SeveralCurrencies(CheckoutRefused):
    """One basket, one currency."""

    code: ClassVar[str] = "several_currencies"

    def __init__(self) -> None:
        super().__init__(_("Your cart holds prices in different currencies. Buy them one after the other."))


class TotalChanged(CheckoutRefused):
    """The total is not what the buyer was shown."""

    code: ClassVar[str] = "total_changed"

    def __init__(self, *, shown: str, now: str) -> None:
        self.shown = shown
        self.now = now
        super().__init__(
            _("The total was %(shown)s and is now %(now)s. Look at your cart again, then check out.")
            % {"shown": shown, "now": now}
        )


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
        super().__init__(_("Paying isn't possible here yet. Your cart is kept. Please write to us."))


class PaymentUnavailable(CheckoutRefused):
    """The gateway can't be reached at the moment."""

    code: ClassVar[str] = "payment_unavailable"

    def __init__(self) -> None:
        super().__init__(_("The payment page can't be reached just now. Nothing was taken. Try again in a moment."))


class OrderUnknown(NotFound):
    """No such order of this buyer; the same answer for somebody else's."""

    code: ClassVar[str] = "order_unknown"

    def __init__(self) -> None:
        super().__init__(_("We can't find this order among yours."))


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
