"""Refusals when codes are handed out."""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from b2b.errors.seats import describe_free_seats, describe_needed_seats
from mitxonline.kernel.errors import DomainError, NotFound, RateLimited


class HandOutRefused(DomainError):
    """No code was given to anyone, and no e-mail is sent."""

    code = "hand_out_refused"


class NobodyToGiveTo(HandOutRefused):
    """None of the addresses gets a code."""

    code = "hand_out_empty"
    message = _("No one on this list will get a code.")
    advice = _("See the reasons beside the addresses.")


class NoSeatToGive(HandOutRefused):
    """More people than free seats."""

    code = "no_seat_to_give"
    message = ngettext_lazy(
        "{wanted} people need a seat, but only {free} is free.",
        "{wanted} people need a seat, but only {free} are free.",
        "free",
    )
    advice = _("Shorten the list, or ask us for more seats.")
    exposes = ("free", "wanted")
    free: int
    wanted: int

    def for_staff(self) -> NoSeatForStaff:
        return NoSeatForStaff(free=self.free, wanted=self.wanted)


class NoSeatsLeft(NoSeatToGive):
    message = _("No seats left.")
    advice = _("Cancel an unused invitation, or ask us for more seats.")


class NoSeatForStaff(NoSeatToGive):
    """The same for staff, whom managers ask for seats."""

    message = _("{needed_seats}, but {free_seats}.")
    advice = _("Add seats to the contract, withdraw an invitation, or shorten the list.")

    def details(self) -> dict[str, object]:
        return super().details() | {
            "needed_seats": describe_needed_seats(self.wanted),
            "free_seats": describe_free_seats(self.free, 0),
        }


class CodesMissing(HandOutRefused):
    """Fewer free codes of this course than people."""

    code = "codes_missing"
    message = ngettext_lazy(
        "This course has {free} free code, but {wanted} people need one.",
        "This course has {free} free codes, but {wanted} people need one.",
        "free",
    )
    advice = _("Shorten the list, or choose another course: a seat includes all of them.")
    exposes = ("free", "wanted")
    free: int
    wanted: int


class NoCodesHere(HandOutRefused):
    """People join this contract by signing in; it has no codes."""

    code = "no_codes_here"
    message = _("People join this contract by signing in through their organization. There are no codes to hand out.")


class HandOutClosed(HandOutRefused):
    """The contract or the course no longer admits anyone, so a code would be useless."""

    code = "too_late_to_give"
    message = _("This course’s codes no longer work, so none was handed out.")


class ContractInactiveForCodes(HandOutClosed):
    message = _("The contract isn’t active, so its codes don’t work right now.")


class ContractOverForCodes(HandOutClosed):
    message = _("The contract ended on {ended}, so its codes no longer work.")
    ended: date


class EnrollmentOverForCodes(HandOutClosed):
    message = _("Enrollment for “{course}” has closed.")
    advice = _("Choose another course: a seat includes all of them.")
    course: str


class SaleEnrollmentOver(HandOutClosed):
    """The codes of a group purchase open nothing any more, unless staff move them to a later start."""

    message = _("Enrollment for “{course}” has closed.")
    advice = _("Write to us: we can move unused codes to a later start of the course.")
    course: str


class TooFewGroupSeats(HandOutRefused):
    """More people than codes of a group purchase that no one has."""

    code = "too_few_seats"
    message = ngettext_lazy(
        "{wanted} people need a seat, but only {free} is free.",
        "{wanted} people need a seat, but only {free} are free.",
        "free",
    )
    advice = _("Shorten the list, take unused codes back, or buy more seats.")
    exposes = ("free", "wanted")
    free: int
    wanted: int


class SeatSaleUnknown(NotFound):
    """No such group purchase; the same answer for someone else’s."""

    code = "seat_sale_unknown"
    message = _("There is no such group purchase.")


class PersonRefused(HandOutRefused):
    """This one person doesn’t get the code."""

    code = "person_refused"
    message = "{reason}"
    reason: str


class CodeNotFree(HandOutRefused):
    code = "code_not_free"
    message = _("This code is off, or someone already has it.")
    advice = _("Choose another one.")


class NoSharedCode(HandOutRefused):
    code = "no_shared_code"
    message = _("This course has no shared code.")


class ContractRunUnknown(NotFound):
    """The course is in no contract, or was removed from it."""

    code = "contract_run_unknown"
    message = _("There is no such course in a contract.")


class CodeNotAssigned(DomainError):
    """No one has the code, so it can’t be revoked and no one can be reminded."""

    code = "code_not_assigned"
    message = _("No one has this code.")


class CodeNotRevocable(DomainError):
    """A code that was used, or is in checkout, keeps its text and its person."""

    code = "code_in_use"
    message = _("This code is in use, so it can’t be revoked.")
    advice = _("Ask us to withdraw the seat instead.")


class RemindedToday(DomainError):
    """One reminder a day."""

    code = "reminded_today"
    message = _("This person already had a reminder today.")
    advice = _("Try again tomorrow.")


class HandOutUnknown(NotFound):
    """No such hand-out; the same answer for another organization’s."""

    code = "hand_out_unknown"
    message = _("There is no such invitation, or it has just ended.")


class InvitationUnclear(DomainError):
    """Everyone in this contract shares a code, so it doesn’t say whose invitation is meant."""

    code = "invitation_unclear"
    message = _("Several people were invited with this code.")
    advice = _("Use the id of the invitation instead.")


class TooManyMails(RateLimited):
    """More e-mails in an hour than one person may have us send."""

    code = "too_many_mails"
    message = ngettext_lazy(
        "You can send {most} invitations and reminders an hour. Nothing was sent now. "
        "Wait {minutes} minute, then try again.",
        "You can send {most} invitations and reminders an hour. Nothing was sent now. "
        "Wait {minutes} minutes, then try again.",
        "minutes",
    )
    most: int


class TooManySaleMails(RateLimited):
    """More e-mails in a day than the seats of a group purchase need."""

    code = "too_many_sale_mails"
    message = ngettext_lazy(
        "At most {most} e-mails a day can be sent about these seats. Nothing was sent now. "
        "Wait {minutes} minute, then try again.",
        "At most {most} e-mails a day can be sent about these seats. Nothing was sent now. "
        "Wait {minutes} minutes, then try again.",
        "minutes",
    )
    most: int


class MailServerAway(DomainError):
    """Some e-mails wait because the mail server didn’t take them; the event is delivered again."""

    code = "mail_server_away"
    message = _("The mail server isn’t answering. The e-mails will be sent when it does.")
