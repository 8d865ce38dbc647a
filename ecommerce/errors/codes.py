"""Refusals of discount and enrollment codes."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError


class CheckoutRefused(DomainError):
    """The basket can't be bought as it is; the buyer goes back to the cart."""

    code: ClassVar[str] = "checkout_refused"
    is_set_aside: ClassVar[bool] = True
    retry_url = "/cart/"


class CodeRefused(CheckoutRefused):
    """A code doesn't work here. A signed-out visitor is told no more than ``CodeUnknown`` says.

    One that ``outranks`` is told even where the code is used up or switched off. One that is no
    ``is_failure`` says that the code is right, and may be looked at again and again: it isn't counted as a try.
    Nor is one that ``is_own``: the code was given to this person, or they have used it.
    """

    code: ClassVar[str] = "code_refused"
    outranks: ClassVar[bool] = False
    is_failure: ClassVar[bool] = True
    is_own = False


class CodeUnknown(CodeRefused):
    """No such code (LOOK 17)."""

    code: ClassVar[str] = "code_unknown"

    def __init__(self) -> None:
        super().__init__(
            _("We can't find this code. Check it against your invitation: it has 36 characters, in five groups.")
        )


class CodeMissing(CodeRefused):
    """Nothing was typed into the field."""

    code: ClassVar[str] = "code_missing"

    def __init__(self) -> None:
        super().__init__(_("Enter your code first."))


class CodeUsed(CodeRefused):
    """Every use of the code is taken (LOOK 13)."""

    code: ClassVar[str] = "code_used"

    def __init__(self, *, organization: str = "", number: str = "") -> None:
        """``number``: the visitor's own order that the code was used for."""
        self.organization = organization
        self.number = number
        if number:
            super().__init__(_("You used this code for your order %(number)s.") % {"number": number})
        elif organization:
            sentence = _("Someone else has already used this code. Ask %(organization)s for a new one.")
            super().__init__(sentence % {"organization": organization})
        else:
            super().__init__(_("This code has reached its limit."))


class CodeInUse(CodeUsed):
    """The visitor's own use of the code is held for an order of theirs whose payment is under way."""

    code: ClassVar[str] = "code_in_use"
    is_failure: ClassVar[bool] = False
    exposes: ClassVar[tuple[str, ...]] = ("number",)

    def __init__(self, *, number: str) -> None:
        super().__init__(number=number)
        self._message = _("This code is in use for your order %(number)s.") % {"number": number}


class CodeOfAnotherOrder(CodeUsed):
    """The buyer's use of a code is another order's by now. Told to staff, who fulfill an order from review."""

    code: ClassVar[str] = "code_of_another_order"

    def __init__(self, *, number: str) -> None:
        super().__init__(number=number)
        self._message = _("The buyer's use of its code belongs to order %(number)s.") % {"number": number}


class CodeUseMissing(CheckoutRefused):
    """An order whose code can be used so many times has no use of it: what it was sold at isn't its own."""

    code: ClassVar[str] = "code_use_missing"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(_("Order %(number)s has no use of its code.") % {"number": number})


class CodeSwitchedOff(CodeRefused):
    """The code was switched off (LOOK 19)."""

    code: ClassVar[str] = "code_off"

    def __init__(self, *, organization: str = "") -> None:
        self.organization = organization
        super().__init__(
            _("This code is no longer active. Ask %(organization)s for a new one.") % {"organization": organization}
            if organization
            else _("This code is no longer active.")
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
        super().__init__(_("This code expired on %(ended)s.") % {"ended": ended})


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
        super().__init__(_("This code was given to someone else. Sign in with the address it was sent to."))


class AddressUnconfirmed(CodeForSomebodyElse):
    """The code works only for the person it was given to, and that this is the one hasn't been shown yet."""

    code: ClassVar[str] = "address_unconfirmed"
    is_failure: ClassVar[bool] = False

    def __init__(self) -> None:
        super(CodeForSomebodyElse, self).__init__(
            _("This code was given to your address. Confirm the address first: open the link in the mail we sent you.")
        )


class CodeNotBetter(CodeRefused):
    """Everything in the basket is as cheap or cheaper without this code."""

    code: ClassVar[str] = "code_not_better"

    def __init__(self) -> None:
        super().__init__(_("This code doesn't lower your total, so we didn't apply it. Keep it for another course."))


class CodeBelongsInCart(CodeRefused):
    """A discount code was entered where enrollment codes are redeemed."""

    code: ClassVar[str] = "code_belongs_in_cart"

    def __init__(self) -> None:
        super().__init__(_("This is a discount code. Put a course into your cart and enter it there."))
