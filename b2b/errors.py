"""What contracts refuse, and why. Sentences are those of the house (docs/contracts.md)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, day
from ecommerce.errors import CheckoutRefused, CodeRefused
from mitxonline.kernel.errors import DomainError, NotFound

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# --- Seats and codes, as learners meet them -------------------------------------------------------------------------


def whom(contact: str) -> str:
    """Whom a learner should ask: the manager by name, or the organization where it has none."""
    return contact or str(_("your organization"))


class ContractNotStarted(CodeRefused):
    """The contract's first day is still to come."""

    code: ClassVar[str] = "contract_not_started"
    exposes = ("opens",)

    def __init__(self, *, opens: date) -> None:
        self.opens = opens
        super().__init__(
            _("This code opens on %(day)s. Keep it and come back on that day.")
            % {"day": date_format(opens, "DATE_FORMAT")}
        )


class ContractEnded(CodeRefused):
    """The contract's last day is over."""

    code: ClassVar[str] = "contract_ended"
    exposes = ("ended",)

    def __init__(self, *, ended: date, organization: str) -> None:
        self.ended = ended
        super().__init__(
            _("This code could be used until %(day)s. Ask %(organization)s whether there is a new one.")
            % {"day": date_format(ended, "DATE_FORMAT"), "organization": organization}
        )


class ContractInactive(CodeRefused):
    """The contract is switched off."""

    code: ClassVar[str] = "contract_inactive"

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

    def __init__(self, *, contact: str = "") -> None:
        super().__init__(
            _("All seats are taken. Your code stays valid: try again when a seat is free, or ask %(contact)s.")
            % {"contact": whom(contact)}
        )


class AccessWithdrawn(CodeRefused):
    """Staff or a manager took this learner's seat away."""

    code: ClassVar[str] = "access_withdrawn"
    outranks: ClassVar[bool] = True

    def __init__(self, *, organization: str, contact: str = "") -> None:
        super().__init__(
            _("Your access was withdrawn by %(organization)s. If that is a mistake, ask %(contact)s.")
            % {"organization": organization, "contact": whom(contact)}
        )


class CourseNotOpen(CodeRefused):
    """The code is fine, the course isn't open to enrollment."""

    code: ClassVar[str] = "course_not_open"

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
    return _("Your code is fine, but this course isn't open at the moment. Choose another course in your contract.")


class AlreadySeated(CheckoutRefused):
    """The same learner with the same code again: nothing is spent, the course is theirs."""

    code: ClassVar[str] = "already_seated"

    def __init__(self) -> None:
        super().__init__(_("You already have this seat. Go to your course."))


class AlreadyHasCourse(CodeRefused):
    """A different code for a course the learner has: it stays free."""

    code: ClassVar[str] = "already_has_course"

    def __init__(self, *, contact: str = "") -> None:
        super().__init__(
            _("You already have this course, so your code was not used. You can give it back to %(contact)s.")
            % {"contact": whom(contact)}
        )


class AlreadyHasCourseByOwnCode(AlreadyHasCourse):
    """The code was given to this very learner: there is nobody to give it back to."""

    code: ClassVar[str] = "already_has_course_own_code"

    def __init__(self) -> None:
        super(AlreadyHasCourse, self).__init__(_("You already have this course, so your code was not used."))


class PriceChanging(CheckoutRefused):
    """The contract has another price by now, and its products don't follow yet; nobody pays too much or too little."""

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


# --- Organizations, contracts and courseware, as operators meet them -------------------------------------------------


class OrganizationUnknown(NotFound):
    """No organization goes by this id, name, slug or key."""

    code: ClassVar[str] = "organization_unknown"

    def __init__(self, text: str) -> None:
        super().__init__(
            _("There is no organization “%(text)s”. “b2b_list organizations” shows them all.") % {"text": text}
        )


class OrganizationUnclear(DomainError):
    """Several organizations go by this name."""

    code: ClassVar[str] = "organization_unclear"
    exposes = ("ids",)

    def __init__(self, text: str, *, ids: tuple[int, ...]) -> None:
        self.ids = ids
        super().__init__(
            _("Several organizations answer to “%(text)s” (%(ids)s). Say which one by its id.")
            % {"text": text, "ids": ", ".join(map(str, ids))}
        )


class SimilarOrganization(DomainError):
    """A new organization would have almost the name of another one."""

    code: ClassVar[str] = "organization_similar"
    exposes = ("organization_id",)

    def __init__(self, name: str, *, similar: str, organization_id: int) -> None:
        self.organization_id = organization_id
        super().__init__(
            _(
                "There is an organization “%(similar)s” (%(id)s), whose name is almost “%(name)s”. Write its name, "
                "or add --create to make another one."
            )
            % {"similar": similar, "id": organization_id, "name": name}
        )


class OrgKeyTaken(DomainError):
    """The wanted organization key is another organization's."""

    code: ClassVar[str] = "org_key_taken"

    def __init__(self, key: str, *, organization: str) -> None:
        super().__init__(
            _("The organization key “%(key)s” belongs to “%(organization)s”. Choose another one.")
            % {"key": key, "organization": organization}
        )


class OrgKeyDiffers(DomainError):
    """An organization that exists was named together with another key than its own."""

    code: ClassVar[str] = "org_key_differs"

    def __init__(self, *, organization: str, key: str) -> None:
        super().__init__(
            _("“%(organization)s” exists already, with the organization key “%(key)s”. Leave --org-key out.")
            % {"organization": organization, "key": key}
        )


class OrgKeyImpossible(DomainError):
    """Nothing of the name can stand in a course key."""

    code: ClassVar[str] = "org_key_impossible"

    def __init__(self, name: str) -> None:
        super().__init__(
            _("No letter of “%(name)s” can stand in a course key. Give the organization a key with --org-key.")
            % {"name": name}
        )


class SiteMissing(DomainError):
    """There is no site yet under which organizations could be kept."""

    code: ClassVar[str] = "site_missing"

    def __init__(self) -> None:
        super().__init__(_("The site has no home page yet. Run “configure_wagtail” first."))


class ContractUnknown(NotFound):
    """No contract has this id."""

    code: ClassVar[str] = "contract_unknown"

    def __init__(self, contract_id: int) -> None:
        super().__init__(_("There is no contract %(id)s. “b2b_list contracts” shows them all.") % {"id": contract_id})


class ContractNotPublished(DomainError):
    """The contract is a draft or was unpublished: no terms are in force."""

    code: ClassVar[str] = "contract_not_published"

    def __init__(self, name: str) -> None:
        super().__init__(_("The contract “%(name)s” is not published. Publish it in Wagtail first.") % {"name": name})


class DraftInTheWay(DomainError):
    """Somebody's unpublished changes would be pushed aside."""

    code: ClassVar[str] = "draft_in_the_way"

    def __init__(self, name: str, *, author: str, day: str) -> None:
        super().__init__(
            _(
                "The contract “%(name)s” has unpublished changes (%(author)s, %(day)s). Publish or discard them in "
                "Wagtail, or add --over-draft to go on without them."
            )
            % {"name": name, "author": author or _("author unknown"), "day": day}
        )


class TermsInvalid(DomainError):
    """Terms that no contract can have."""

    code: ClassVar[str] = "terms_invalid"


class CoursewareUnknown(NotFound):
    """No course, run or program has this id."""

    code: ClassVar[str] = "courseware_unknown"

    def __init__(self, text: str, *, similar: str = "") -> None:
        self.similar = similar
        super().__init__(
            _("There is no course, run or program “%(text)s”. Did you mean “%(similar)s”?")
            % {"text": text, "similar": similar}
            if similar
            else _("There is no course, run or program “%(text)s”. Its id looks like course-v1:ORG+NUMBER.")
            % {"text": text}
        )


class ProgramEmpty(DomainError):
    """A program without courses gives a contract nothing."""

    code: ClassVar[str] = "program_empty"

    def __init__(self, readable_id: str) -> None:
        super().__init__(
            _("The program “%(id)s” requires no courses yet, so there is nothing to add.") % {"id": readable_id}
        )


class RunOfAnotherContract(DomainError):
    """A run belongs to one contract at most."""

    code: ClassVar[str] = "run_of_another_contract"
    exposes = ("contract_id",)

    def __init__(self, key: str, *, contract_id: int, name: str) -> None:
        self.contract_id = contract_id
        super().__init__(
            _("The run “%(key)s” belongs to contract %(id)s, “%(name)s”.")
            % {"key": key, "id": contract_id, "name": name}
        )


class CoursewareNotCovered(NotFound):
    """What should be removed isn't in the contract."""

    code: ClassVar[str] = "courseware_not_covered"

    def __init__(self, text: str, *, contract_id: int) -> None:
        super().__init__(
            _("Contract %(id)s doesn't cover “%(text)s”. “b2b_list courseware --contract %(id)s” shows what it covers.")
            % {"id": contract_id, "text": text}
        )


class CourseKeyImpossible(DomainError):
    """Open edX would refuse the key of the run that was to be made."""

    code: ClassVar[str] = "course_key_impossible"

    def __init__(self, key: str, *, reason: str) -> None:
        super().__init__(
            _("Open edX would refuse the course key “%(key)s”: %(reason)s") % {"key": key, "reason": reason}
        )
