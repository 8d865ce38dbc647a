"""Refusals when codes are handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound, RateLimited

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise
from b2b.errors.seats import _free_and_kept


class HandOutRefused(DomainError):
    """Nothing was given to anyone and no mail goes off."""

    code: ClassVar[str] = "hand_out_refused"


class NobodyToGiveTo(HandOutRefused):
    """None of the addresses gets a code."""

    code: ClassVar[str] = "hand_out_empty"

    def __init__(self) -> None:
        super().__init__(_("No one on this list will get a code. Look at the reasons beside the addresses."))


class NoSeatToGive(HandOutRefused):
    """More people than free seats (LOOK 28)."""

    code: ClassVar[str] = "no_seat_to_give"
    exposes = ("free", "wanted")

    def __init__(self, *, free: int, wanted: int) -> None:
        self.free = free
        self.wanted = wanted
        super().__init__(self._sentence())

    @property
    def for_staff(self) -> str:
        """The same as staff are told, who are the ones to ask for seats."""
        return gettext(
            "%(needed)s, %(free)s. Add seats to the contract, withdraw an invitation, or shorten the list."
        ) % {
            "needed": ngettext("%(n)d seat is needed", "%(n)d seats are needed", self.wanted) % {"n": self.wanted},
            "free": _free_and_kept(self.free, 0),
        }

    def _sentence(self) -> StrOrPromise:
        if not self.free:
            return _("No seats left. Cancel an unused invitation, or ask us for more seats.")
        return ngettext(
            "There is %(free)d free seat, and %(wanted)d people would need one. Shorten the list, or ask us for more "
            "seats.",
            "There are %(free)d free seats, and %(wanted)d people would need one. Shorten the list, or ask us for more "
            "seats.",
            self.free,
        ) % {"free": self.free, "wanted": self.wanted}


class CodesMissing(HandOutRefused):
    """Fewer free codes of this course than people."""

    code: ClassVar[str] = "codes_missing"
    exposes = ("free", "wanted")

    def __init__(self, *, free: int, wanted: int) -> None:
        self.free = free
        self.wanted = wanted
        super().__init__(
            ngettext(
                "This course has %(free)d free code, and %(wanted)d people would get one. Shorten the list, or choose "
                "another course: a seat opens all of them.",
                "This course has %(free)d free codes, and %(wanted)d people would get one. Shorten the list, or choose "
                "another course: a seat opens all of them.",
                free,
            )
            % {"free": free, "wanted": wanted}
        )


class NoCodesHere(HandOutRefused):
    """People come into this contract by signing in; it has no codes."""

    code: ClassVar[str] = "no_codes_here"

    def __init__(self) -> None:
        super().__init__(
            _("People come into this contract by signing in through their organization. There are no codes to give.")
        )


class TooLateToGive(HandOutRefused):
    """The contract or the course admits no one any more, so that a code would lead nowhere."""

    code: ClassVar[str] = "too_late_to_give"


class PersonRefused(HandOutRefused):
    """This one person doesn't get the code; the sentence says why."""

    code: ClassVar[str] = "person_refused"


class CodeNotFree(HandOutRefused):
    """Someone has the code already."""

    code: ClassVar[str] = "code_not_free"

    def __init__(self) -> None:
        super().__init__(_("This code is off, or someone has it already. Choose another one."))


class CodeNotAssigned(DomainError):
    """No one has the code, so it can't be taken back, nor anyone be reminded."""

    code: ClassVar[str] = "code_not_assigned"

    def __init__(self) -> None:
        super().__init__(_("This code isn’t with anyone."))


class CodeInUse(DomainError):
    """A code that was used, or is in checkout, stays who it is."""

    code: ClassVar[str] = "code_in_use"

    def __init__(self) -> None:
        super().__init__(_("This code is in use, so it can’t be taken back. Ask us to withdraw the seat instead."))


class RemindedToday(DomainError):
    """One reminder a day."""

    code: ClassVar[str] = "reminded_today"

    def __init__(self) -> None:
        super().__init__(_("This person was reminded today already. Try again tomorrow."))


class HandOutUnknown(NotFound):
    """No such hand-out; the same answer for someone else's."""

    code: ClassVar[str] = "hand_out_unknown"

    def __init__(self) -> None:
        super().__init__(_("There is no such invitation, or it was ended meanwhile."))


class TooManyMails(RateLimited):
    """More mails in an hour than one person may have us send."""

    code: ClassVar[str] = "too_many_mails"

    def __init__(self, retry_after: int, *, most: int) -> None:
        self.most = most
        super().__init__(retry_after)
        self._message = ngettext(
            "You can send %(most)d invitations and reminders in an hour. Wait %(minutes)d minute, then try again. "
            "Nothing was sent now.",
            "You can send %(most)d invitations and reminders in an hour. Wait %(minutes)d minutes, then try again. "
            "Nothing was sent now.",
            self.minutes,
        ) % {"most": most, "minutes": self.minutes}


class MailServerAway(DomainError):
    """Some mails wait because the mail server didn't take them; the delivery comes again."""

    code: ClassVar[str] = "mail_server_away"

    def __init__(self) -> None:
        super().__init__(_("The mail server isn’t answering. The mails wait."))
