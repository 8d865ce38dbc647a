"""Refusals at the doors of a contract."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, day
from ecommerce.errors.codes import CheckoutRefused, CodeRefused
from mitxonline.kernel.errors import DomainError, NotFound

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def whom(contact: str) -> str:
    """Whom a learner should ask: the manager by name, or the organization where it has none."""
    return contact or str(_("your organization"))


def _free_and_kept(free: int, invited: int) -> str:
    """How many seats can be given, and how many can't because they were promised."""
    told = ngettext("%(n)d is free", "%(n)d are free", free) % {"n": free}
    if not invited:
        return told
    kept = ngettext("%(n)d is kept for an invited person", "%(n)d are kept for invited people", invited)
    return gettext("%(free)s and %(kept)s") % {"free": told, "kept": kept % {"n": invited}}


class ContractNotStarted(CodeRefused):
    """The contract's first day is still to come."""

    code: ClassVar[str] = "contract_not_started"
    is_failure: ClassVar[bool] = False
    exposes = ("opens",)

    def __init__(self, *, opens: date) -> None:
        self.opens = opens
        super().__init__(
            _("This code is valid from %(day)s. Keep it until then.") % {"day": date_format(opens, "DATE_FORMAT")}
        )


class ContractEnded(CodeRefused):
    """The contract's last day is over."""

    code: ClassVar[str] = "contract_ended"
    exposes = ("ended",)

    def __init__(self, *, ended: date, organization: str) -> None:
        self.ended = ended
        super().__init__(
            _("This code expired on %(day)s. Ask %(organization)s whether there is a new one.")
            % {"day": date_format(ended, "DATE_FORMAT"), "organization": organization}
        )


class ContractInactive(CodeRefused):
    """The contract is switched off."""

    code: ClassVar[str] = "contract_inactive"
    is_failure: ClassVar[bool] = False

    def __init__(self, *, organization: str) -> None:
        super().__init__(
            _("%(organization)s's contract is not active at the moment. Ask %(organization)s about it.")
            % {"organization": organization}
        )


class ContractClosed(CheckoutRefused):
    """A member means to start a course while the contract isn't open; no code has a part in it."""

    code: ClassVar[str] = "contract_closed"
    retry_url = "/dashboard/"

    def __init__(self, *, contract: str) -> None:
        super().__init__(
            _("“%(contract)s” isn't open today, so no more of its courses can be started. Those you have stay open.")
            % {"contract": contract}
        )


class ContractFull(CodeRefused):
    """Every seat the organization bought is taken or held."""

    code: ClassVar[str] = "contract_full"
    is_failure: ClassVar[bool] = False

    def __init__(self, *, contact: str = "", promised: int = 0) -> None:
        sentence = (
            _(
                "All seats are taken or kept for people who were invited. Your code stays valid: try again when a seat "
                "is free, or ask %(contact)s."
            )
            if promised
            else _("All seats are taken. Your code stays valid: try again when a seat is free, or ask %(contact)s.")
        )
        super().__init__(sentence % {"contact": whom(contact)})


class AccessWithdrawn(CodeRefused):
    """Staff or a manager took this learner's seat away."""

    code: ClassVar[str] = "access_withdrawn"
    is_failure: ClassVar[bool] = False
    outranks: ClassVar[bool] = True

    def __init__(self, *, organization: str, contact: str = "") -> None:
        super().__init__(
            _("Your access was withdrawn by %(organization)s. If that is a mistake, ask %(contact)s.")
            % {"organization": organization, "contact": whom(contact)}
        )


class CourseNotOpen(CodeRefused):
    """The code is fine, the course isn't open to enrollment."""

    code: ClassVar[str] = "course_not_open"
    is_failure: ClassVar[bool] = False

    def __init__(self, closed: EnrollmentRefused) -> None:
        super().__init__(_course_not_open(closed))


def _course_not_open(closed: EnrollmentRefused) -> StrOrPromise:
    if isinstance(closed, EnrollmentClosed):
        sentence = _(
            "Your code is fine, but enrollment for this course closed on %(day)s. Choose another course in your "
            "contract."
        )
        return sentence % {"day": day(closed.closed_at)}
    if isinstance(closed, EnrollmentNotOpen):
        sentence = _("Your code is fine, but enrollment for this course opens on %(day)s. Come back on that day.")
        return sentence % {"day": day(closed.opens_at)}
    return _("Your code is valid, but this course isn't open right now. Choose another course in your contract.")


class AlreadySeated(CheckoutRefused):
    """The same learner with the same code again: nothing is spent, the course is theirs."""

    code: ClassVar[str] = "already_seated"

    def __init__(self) -> None:
        super().__init__(_("You already have this seat. Go to your course."))


class AlreadyHasCourse(CodeRefused):
    """A different code for a course the learner has: it stays free."""

    code: ClassVar[str] = "already_has_course"
    is_failure: ClassVar[bool] = False

    def __init__(self, *, contact: str = "") -> None:
        super().__init__(
            _("You already have this course, so your code was not used. You can give it back to %(contact)s.")
            % {"contact": whom(contact)}
        )


class AlreadyHasCourseByOwnCode(AlreadyHasCourse):
    """The code was given to this very learner: there is no one to give it back to."""

    code: ClassVar[str] = "already_has_course_own_code"

    def __init__(self) -> None:
        super(AlreadyHasCourse, self).__init__(_("You already have this course, so your code was not used."))


class OwnCodeUsed(AlreadyHasCourse):
    """The learner's own used code, of a course they have and the contract doesn't cover any more."""

    code: ClassVar[str] = "own_code_used"

    def __init__(self) -> None:
        super(AlreadyHasCourse, self).__init__(_("You’ve used this code already, and you have its course."))


class CourseRemoved(CodeRefused):
    """The code is right, and its course is no longer part of the contract."""

    code: ClassVar[str] = "course_removed"

    def __init__(self, *, organization: str) -> None:
        super().__init__(
            _("This course is no longer part of the contract. Ask %(organization)s for a code for another course.")
            % {"organization": organization}
        )


class PriceChanging(CheckoutRefused):
    """The contract has another price by now, and its products don't follow yet; no one pays too much or too little."""

    code: ClassVar[str] = "price_changing"

    def __init__(self, *, title: str) -> None:
        super().__init__(_("The price of “%(title)s” is being changed. Try again in a minute.") % {"title": title})


class PaymentNeeded(CheckoutRefused):
    """The contract has a price: its courses are bought, not taken."""

    code: ClassVar[str] = "payment_needed"

    def __init__(self, *, price: str) -> None:
        super().__init__(_("This course costs %(price)s in your contract. Continue to payment.") % {"price": price})


class NotAMember(NotFound):
    """No such course for this person; the same answer for one in a contract that isn't theirs."""

    code: ClassVar[str] = "not_a_member"
    retry_url = "/dashboard/"

    def __init__(self) -> None:
        super().__init__(_("We can't find this course in your organizations' contracts."))


class SeatUnknown(NotFound):
    """Someone's seat shall be taken away and there is none."""

    code: ClassVar[str] = "seat_unknown"

    def __init__(self) -> None:
        super().__init__(_("This person has no seat in the contract."))


class MoveRefused(DomainError):
    """People can't be moved to another contract; nothing was changed."""

    code: ClassVar[str] = "move_refused"

    @classmethod
    def to_itself(cls) -> MoveRefused:
        """Both contracts are one."""
        return cls(_("That is the contract they are in. Name another one."))

    @classmethod
    def without_seat(cls, emails: list[str]) -> MoveRefused:
        """These people have no seat in the contract they would leave."""
        sentence = ngettext(
            "Nothing was changed: %(people)s has no seat in the contract.",
            "Nothing was changed: %(people)s have no seats in the contract.",
            len(emails),
        )
        return cls(sentence % {"people": ", ".join(emails)})
