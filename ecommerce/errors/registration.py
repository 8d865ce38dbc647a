"""Refusals of registration codes: on the redemption page, in the cart, and at the code desk of staff."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ecommerce.errors.codes import CodeRefused, CodeSwitchedOff, CodeUsed
from mitxonline.kernel.errors import DomainError, NotFound, WayOn


class RegistrationCodeUsed(CodeUsed):
    """Someone else has redeemed the code; it is never said who. `giver` may be empty."""

    code = "registration_code_used"
    heading = _("Someone else has already used this code")
    giver: str

    @property
    def body_text(self) -> str:
        return _advise_to_ask(self.giver)


class RegistrationCodeOff(CodeSwitchedOff):
    code = "registration_code_off"
    giver: str

    @property
    def body_text(self) -> str:
        return _advise_to_ask(self.giver)


class SeatRefunded(RegistrationCodeOff):
    """The seat was refunded to whoever bought it, and its code switched off."""

    code = "seat_refunded"
    heading = _("The seat of this code was refunded")


class SeatTakenBack(CodeRefused):
    """Staff took this learner’s seat back after they had redeemed the code."""

    code = "seat_taken_back"
    heading = _("The seat you took with this code was taken back")
    advice = _("If that is a mistake, contact us.")
    ways_on = (WayOn.DASHBOARD,)
    is_failure = False
    manager_helps = False


class CourseOwnedAlready(CodeRefused):
    """The learner has the course already, so the code stays free for someone else."""

    code = "course_owned_already"
    heading = _("You already have this course")
    advice = _("We didn’t use your code. You can give it to someone else.")
    ways_on = (WayOn.DASHBOARD,)
    is_owned: ClassVar[bool] = True
    is_failure = False
    manager_helps = False


class CourseBeingPaid(CodeRefused):
    """The learner is paying for this course in an order of theirs, so the code stays free."""

    code = "course_being_paid"
    heading = _("You’re already paying for this course with order {number}")
    advice = _("We didn’t use your code. If the payment fails, come back here.")
    ways_on = (WayOn.ORDER,)
    exposes = ("number",)
    is_failure = False
    manager_helps = False
    number: str


class CodeRedeemedElsewhere(CodeRefused):
    """A registration code was entered in the cart. It lowers no price there; it has its own page, `redeem_path`."""

    code = "code_redeemed_elsewhere"
    heading = _("This is a registration code")
    advice = _("Redeem it on its own page.")
    is_failure = False
    manager_helps = False
    text: str


class RegistrationCodeUnknown(NotFound):
    code = "registration_code_unknown"
    message = _("We can’t find this registration code.")


class CodeDeskRefused(DomainError):
    """Staff can’t do this with the code as it is now."""

    code = "code_desk_refused"


class CodeOffAlready(CodeDeskRefused):
    code = "code_off_already"
    message = _("This code is switched off already.")


class CodeOnAlready(CodeDeskRefused):
    code = "code_on_already"
    message = _("This code isn’t switched off.")


class CodeOfRefundedSeat(CodeDeskRefused):
    """Its seat was refunded: with the code, someone would get the course for nothing."""

    code = "code_of_refunded_seat"
    message = _("The seat of this code was refunded, so its code stays off.")


class SeatNotInvoiced(CodeDeskRefused):
    """Its invoice is void or was credited: one more code that works would be a seat that no one pays for."""

    code = "seat_not_invoiced"
    message = _("Invoice {number} isn’t for so many seats any more: it was voided, or a credit note took some back.")
    number: str


class CodeNotUsed(CodeDeskRefused):
    code = "code_not_used"
    message = _("No one has used this code.")


class RunNotPossible(CodeDeskRefused):
    """The code can’t be moved to this run: not of the same course, closed, or not public."""

    code = "run_not_possible"
    message = _("The code can’t be moved to this start.")
    advice = _("Choose another one.")


class RunHasNoPlace(CodeDeskRefused):
    """With the code working, more people could enter the run than it has places."""

    code = "run_has_no_place"
    message = _("“{title}” ({key}) is full: every place is taken, or promised by another code or an order.")
    title: str
    key: str


class LearnerHasCourse(CodeDeskRefused):
    """The learner who would get the course (back) has it in another way."""

    code = "learner_has_course"
    message = _("{learner} already has this course, so the code would be used for nothing.")
    learner: str


class SeatsRedeemed(DomainError):
    """More seats are to be refunded than have unredeemed codes."""

    code = "seats_redeemed"
    message = ngettext_lazy(
        "“{title}”: only {free} seat hasn’t been redeemed.",
        "“{title}”: only {free} seats haven’t been redeemed.",
        "free",
    )
    advice = _("Refund fewer, or tick that redeemed seats are refunded too.")
    exposes = ("free",)
    title: str
    free: int


def _advise_to_ask(giver: str) -> str:
    if giver:
        return str(_("Ask {giver} for a new one.")).format(giver=giver)
    return str(_("Ask whoever gave it to you for a new one."))
