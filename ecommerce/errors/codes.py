"""Refusals of discount and enrollment codes.

They are shown at the field where a code was entered, and on the code’s own page, which needs their headings.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, RunFull
from mitxonline.kernel.errors import DomainError, WayOn

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class CheckoutRefused(DomainError):
    """The basket can’t be bought as it is; the buyer goes back to the cart.

    One that `is_owned` says that the buyer has what they were about to buy.
    """

    code = "checkout_refused"
    is_set_aside: ClassVar[bool] = True
    is_owned: ClassVar[bool] = False
    retry_url = "/cart/"


class CodeRefused(CheckoutRefused):
    """A code doesn’t work here. A signed-out visitor is told no more than `CodeUnknown` says.

    One that `outranks` is told even if the code is used up or switched off. One that is no `is_failure` says that the
    code is right, and may be looked at as often as they like: it doesn’t count against the limit on wrong codes. Nor
    does one that `is_own`: the code was given to this person, or they have used it. Where a `manager_helps`, the
    code’s page names the organization and its manager.
    """

    code = "code_refused"
    heading: ClassVar[StrOrPromise] = ""
    ways_on: ClassVar[tuple[WayOn, ...]] = (WayOn.ANOTHER_CODE,)
    outranks: ClassVar[bool] = False
    is_failure: ClassVar[bool] = True
    manager_helps: ClassVar[bool] = True
    is_own = False


class CodeUnknown(CodeRefused):
    code = "code_unknown"
    heading = _("We can’t find this code")
    advice = _("Check it against the message you got it in. Capitals and dashes don’t matter.")
    manager_helps = False


class DiscountCodeUnknown(CodeUnknown):
    """Nothing in the cart needs an enrollment code, so a discount code was meant, and it may be another person’s."""

    heading = _("That code isn’t one we can use")
    advice = _("Check the spelling.")


class CodeMissing(CodeRefused):
    """The code is empty. A form says so itself; this one is for links."""

    code = "code_missing"
    heading = _("Enter your code first")
    manager_helps = False


class CodeUsed(CodeRefused):
    """Every use of the code is taken."""

    code = "code_used"
    heading = _("This code has reached its limit")
    number: str = ""


class EnrollmentCodeUsed(CodeUsed):
    """Someone else has used an enrollment code. Who gave it out is filled in where it’s known."""

    heading = _("Someone else has already used this code")
    advice = _("Ask {organization} for a new one.")
    organization: StrOrPromise = _("your organization")


class CodeUsedByYou(CodeUsed):
    """The visitor bought an order of theirs, `number`, with the code."""

    heading = _("You used this code for your order {number}")
    ways_on = (WayOn.ORDER,)
    manager_helps = False


class CodeInUse(CodeUsedByYou):
    """The visitor’s own use of the code is held for an order of theirs whose payment is under way."""

    code = "code_in_use"
    heading = _("This code is in use for your order {number}")
    advice = _("We’re waiting for its payment. Your course opens when it arrives; you don’t need to do anything else.")
    is_failure = False
    exposes = ("number",)


class CodeOfAnotherOrder(CodeUsed):
    """The buyer’s use of a code belongs to another order. Staff read it when they fulfill an order from review."""

    code = "code_of_another_order"
    heading = _("The buyer’s use of its code belongs to order {number}")


class CodeUseMissing(CheckoutRefused):
    """An order whose code has limited uses has no use of it, so the price it was sold at isn’t its own."""

    code = "code_use_missing"
    message = _("Order {number} has no use of its code.")
    number: str


class CodeSwitchedOff(CodeRefused):
    code = "code_off"
    heading = _("This code is no longer active")


class EnrollmentCodeOff(CodeSwitchedOff):
    """An enrollment code was switched off. Who gave it out is filled in where it’s known."""

    advice = _("Ask {organization} for a new one.")
    organization: StrOrPromise = _("your organization")


class CodeOfAnotherSite(CodeRefused):
    """The installation has another site, where the code works."""

    code = "code_of_another_site"
    heading = _("This code is for {host}")
    advice = _("Open {host} and enter it there.")
    manager_helps = False
    outranks = True
    host: str


class CodeNotYetValid(CodeRefused):
    code = "code_not_yet"
    heading = _("This code is valid from {opens}")
    ways_on = (WayOn.CATALOG,)
    opens: str


class CodeExpired(CodeRefused):
    code = "code_expired"
    heading = _("This code expired on {ended}")
    ended: str


class CodeForAnotherProduct(CodeRefused):
    """The code opens one product, and it isn’t in the basket."""

    code = "code_other_product"
    heading = _("This code is for another course, “{title}”")
    advice: ClassVar[StrOrPromise] = _("Enter the code for this course.")
    title: str


class CodeForOtherProducts(CodeForAnotherProduct):
    """The discount names products, and none of them is in the basket."""

    heading = _("This code is for courses that aren’t in your cart")
    advice = ""
    title: str = ""


class CodeNotForGroups(CodeRefused):
    """The code fits only a group’s line, and its discount isn’t also for groups."""

    code = "code_not_for_groups"
    heading = _("This code isn’t for groups")
    message = _("This code is for one person’s course, so it doesn’t lower the price of seats for a group.")
    advice = _("Ask whoever gave it to you for a code that is also for groups.")
    manager_helps = False


class CodeForSomebodyElse(CodeRefused):
    """The code works only for the person it was given to."""

    code = "code_other_person"
    heading = _("This code was given to someone else")
    advice = _("Sign in with the address it was sent to.")
    ways_on = (WayOn.OTHER_ACCOUNT,)


class CodeAddressUnconfirmed(CodeForSomebodyElse):
    """The code was given to the visitor’s address, and they haven’t confirmed yet that it is theirs."""

    code = "address_unconfirmed"
    heading = _("Confirm your e-mail address first")
    message = _("This code was sent to your e-mail address.")
    advice = _("Confirm the address first: open the link in the e-mail we sent you.")
    ways_on = (WayOn.TRY_AGAIN,)
    is_failure = False
    manager_helps = False


class CodeNotBetter(CodeRefused):
    """Everything in the basket costs the same or less without this code."""

    code = "code_not_better"
    heading = _("This code doesn’t lower your total, so we didn’t apply it")
    advice = _("Save it for another course.")


class CodeBelongsInCart(CodeRefused):
    """A discount code was entered where enrollment codes are redeemed."""

    code = "code_belongs_in_cart"
    heading = _("This is a discount code")
    advice = _("Put a course into your cart and enter it there.")
    ways_on = (WayOn.CART,)
    manager_helps = False


class CourseNotOpen(CodeRefused):
    """The code is right, and the course isn’t open to enrollment. `hint` says what else its learner can do."""

    code = "course_not_open"
    heading = _("This course isn’t open")
    message = _("Your code is valid, but this course isn’t open right now.")
    advice: ClassVar[StrOrPromise] = "{hint}"
    ways_on = (WayOn.DASHBOARD,)
    is_failure = False
    hint: StrOrPromise


class CourseClosed(CourseNotOpen):
    message = _("Your code is valid, but enrollment for this course closed on {closed_at}.")
    closed_at: datetime


class CourseNotYetOpen(CourseNotOpen):
    message = _("Your code is valid, but enrollment for this course opens on {opens_at}.")
    advice = _("Come back then.")
    opens_at: datetime


class CourseFull(CourseNotOpen):
    heading = _("This course is full")
    message = _("Your code is valid, but every place in this course is taken.")


def course_not_open(closed: EnrollmentRefused, *, hint: StrOrPromise) -> CourseNotOpen:
    """The same refusal, for someone who came with a code."""
    if isinstance(closed, EnrollmentClosed):
        return CourseClosed(closed_at=closed.closed_at, hint=hint)
    if isinstance(closed, EnrollmentNotOpen):
        return CourseNotYetOpen(opens_at=closed.opens_at, hint=hint)
    if isinstance(closed, RunFull):
        return CourseFull(hint=hint)
    return CourseNotOpen(hint=hint)
