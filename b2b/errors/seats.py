"""Refusals at the doors of a contract."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from ecommerce.errors.codes import CheckoutRefused, CodeRefused
from mitxonline.kernel.errors import DomainError, NotFound, WayOn


def describe_needed_seats(needed: int) -> str:
    return ngettext("{n} seat is needed", "{n} seats are needed", needed).format(n=needed)


def describe_free_seats(free: int, invited: int) -> str:
    """How many seats are free, and how many are kept for people who were invited."""
    free_text = ngettext("{n} is free", "{n} are free", free).format(n=free)
    if not invited:
        return free_text
    kept = ngettext("{n} is kept for an invited person", "{n} are kept for invited people", invited)
    return gettext("{free} and {kept}").format(free=free_text, kept=kept.format(n=invited))


class ContractNotStarted(CodeRefused):
    code = "contract_not_started"
    heading = _("This code is valid from {opens}")
    advice = _("Keep it until then.")
    ways_on = (WayOn.CATALOG,)
    exposes = ("opens",)
    is_failure = False
    manager_helps = False
    opens: date


class ContractEnded(CodeRefused):
    code = "contract_ended"
    heading = _("This code expired on {ended}")
    advice = _("Ask {organization} whether there is a new one.")
    exposes = ("ended",)
    ended: date
    organization: str


class ContractInactive(CodeRefused):
    code = "contract_inactive"
    heading = _("{organization}’s contract isn’t active right now")
    advice = _("Ask {organization} about it.")
    ways_on = (WayOn.TRY_AGAIN,)
    is_failure = False
    organization: str


class ContractClosed(CheckoutRefused):
    """A member can’t start another course while the contract isn’t open; no code is involved."""

    code = "contract_closed"
    message = _("“{contract}” isn’t open today, so you can’t start any more of its courses. You keep those you have.")
    retry_url = "/dashboard/"
    contract: str


class AsksContact(CodeRefused):
    """Says whom to ask: `contact` is the manager’s name, empty where the organization has none."""

    contact: str = ""

    def details(self) -> dict[str, object]:
        return super().details() | {"contact": self.contact or gettext("your organization")}


class ContractFull(AsksContact):
    """Every seat the organization bought is taken or held."""

    code = "contract_full"
    heading = _("All seats are taken")
    advice = _("Your code stays valid: try again when a seat is free, or ask {contact}.")
    ways_on = (WayOn.TRY_AGAIN,)
    is_failure = False


class ContractPromised(ContractFull):
    """No seat is free because some are kept for people who were invited."""

    heading = _("All seats are taken or kept for people who were invited")


class AccessWithdrawn(AsksContact):
    """Staff or a manager took this learner’s seat away."""

    code = "access_withdrawn"
    heading = _("Your access was withdrawn by {organization}")
    advice = _("If that is a mistake, ask {contact}.")
    ways_on = (WayOn.DASHBOARD,)
    is_failure = False
    outranks = True
    organization: str


class AlreadySeated(CheckoutRefused):
    """The same learner with the same code again: nothing is used up, the course is theirs."""

    code = "already_seated"
    message = _("You already have this seat.")
    is_owned: ClassVar[bool] = True


class AlreadyHasCourse(AsksContact):
    """Another code for a course the learner has: the code stays free."""

    code = "already_has_course"
    heading = _("You already have this course")
    advice = _("We didn’t use your code. You can give it back to {contact}.")
    ways_on = (WayOn.DASHBOARD,)
    is_owned: ClassVar[bool] = True
    is_failure = False


class AlreadyHasCourseByOwnCode(AlreadyHasCourse):
    """The code was given to this very learner, so there is no one to give it back to."""

    code = "already_has_course_own_code"
    advice = _("We didn’t use your code.")
    manager_helps = False


class OwnCodeUsed(AlreadyHasCourse):
    """The learner’s own used code, of a course they have and the contract no longer covers."""

    code = "own_code_used"
    heading = _("You’ve already used this code")
    advice = _("Its course is on your dashboard.")
    manager_helps = False


class CourseRemoved(CodeRefused):
    """The code is right, and its course is no longer part of the contract."""

    code = "course_removed"
    heading = _("This course is no longer part of the contract")
    advice = _("Ask {organization} for a code for another course.")
    ways_on = (WayOn.DASHBOARD,)
    organization: str


class PriceChanging(CheckoutRefused):
    """The contract has a new price that its products don’t have yet; no one pays too much or too little."""

    code = "price_changing"
    message = _("The price of “{title}” is being changed.")
    advice = _("Try again in a minute.")
    title: str


class PaymentNeeded(CheckoutRefused):
    """The contract has a price: its courses are bought."""

    code = "payment_needed"
    message = _("This course costs {price} in your contract.")
    advice = _("Continue to payment.")
    price: str


class NotAMember(NotFound):
    """No such course for this person; the same answer for one in a contract that isn’t theirs."""

    code = "not_a_member"
    message = _("We can’t find this course in your organizations’ contracts.")
    retry_url = "/dashboard/"


class SeatUnknown(NotFound):
    """There is no seat to take away."""

    code = "seat_unknown"
    message = _("This person has no seat in the contract.")


class MoveRefused(DomainError):
    """People can’t be moved to another contract; nothing was changed."""

    code = "move_refused"


class MoveToSameContract(MoveRefused):
    message = _("They are already in that contract.")
    advice = _("Choose another one.")


class MoveWithoutSeat(MoveRefused):
    """These people have no seat in the contract they would leave."""

    message = ngettext_lazy(
        "Nothing was changed: {people} has no seat in the contract.",
        "Nothing was changed: {people} have no seats in the contract.",
        "count",
    )
    people: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"count": len(self.people)}


class SeatsAskedAlready(DomainError):
    """A manager asks for seats while an earlier request waits for an answer."""

    code = "seats_asked_already"
    message = ngettext_lazy(
        "You already asked for {seats} more seat on {asked}.",
        "You already asked for {seats} more seats on {asked}.",
        "seats",
    )
    advice = _("We’ll answer by e-mail.")
    exposes = ("seats", "asked")
    seats: int
    asked: date


class SeatsUnlimited(DomainError):
    code = "seats_unlimited"
    message = _("This contract has no limit, so it needs no more seats.")


class TooManySeatsAsked(DomainError):
    code = "too_many_seats_asked"
    message = _("Ask for at least 1 seat and at most {most}.")
    exposes = ("most",)
    most: int
