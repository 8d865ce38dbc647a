"""What contracts refuse, and why. Sentences are those of the house (docs/contracts.md)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from courses.errors import EnrollmentClosed, EnrollmentNotOpen, EnrollmentRefused, day
from ecommerce.errors import CheckoutRefused, CodeRefused
from mitxonline.kernel.errors import DomainError, NotFound, RateLimited

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# --- Seats and codes, as learners meet them -------------------------------------------------------------------------


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
    return _("Your code is fine, but this course isn't open at the moment. Choose another course in your contract.")


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
    """The code was given to this very learner: there is nobody to give it back to."""

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


class SeatUnknown(NotFound):
    """Somebody's seat shall be taken away and there is none."""

    code: ClassVar[str] = "seat_unknown"

    def __init__(self) -> None:
        super().__init__(_("This person has no seat in the contract."))


# --- Handing codes out, as managers and staff meet it ----------------------------------------------------------------


class HandOutRefused(DomainError):
    """Nothing was given to anybody and no mail goes off."""

    code: ClassVar[str] = "hand_out_refused"


class NobodyToGiveTo(HandOutRefused):
    """None of the addresses gets a code."""

    code: ClassVar[str] = "hand_out_empty"

    def __init__(self) -> None:
        super().__init__(_("Nobody on this list gets a code. Look at the reasons beside the addresses."))


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
            return _("There is no free seat to give. Withdraw an invitation nobody used, or ask us for more seats.")
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
    """The contract or the course admits nobody any more, so that a code would lead nowhere."""

    code: ClassVar[str] = "too_late_to_give"


class HandOutChanged(HandOutRefused):
    """Between looking and sending something changed; nobody gets what the sender hasn't seen."""

    code: ClassVar[str] = "hand_out_changed"
    exposes = ("shown", "now")

    def __init__(self, *, shown: int, now: int) -> None:
        self.shown = shown
        self.now = now
        super().__init__(
            ngettext(
                "Something has changed: %(now)d person would get a code now, not %(shown)d. Look at the list again, "
                "then send.",
                "Something has changed: %(now)d people would get a code now, not %(shown)d. Look at the list again, "
                "then send.",
                now,
            )
            % {"now": now, "shown": shown}
        )


class PersonRefused(HandOutRefused):
    """This one person doesn't get the code; the sentence says why."""

    code: ClassVar[str] = "person_refused"


class CodeNotFree(HandOutRefused):
    """Somebody has the code already."""

    code: ClassVar[str] = "code_not_free"

    def __init__(self) -> None:
        super().__init__(_("This code is off, or somebody has it already. Choose another one."))


class CodeNotAssigned(DomainError):
    """Nobody has the code, so it can't be taken back, nor anybody be reminded."""

    code: ClassVar[str] = "code_not_assigned"

    def __init__(self) -> None:
        super().__init__(_("This code isn’t with anybody."))


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
    """No such hand-out; the same answer for somebody else's."""

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


class PeopleUnclear(DomainError):
    """Some of the people who shall be in or out can't be, so nothing is done for any."""

    code: ClassVar[str] = "people_unclear"

    def __init__(self, *, problems: int, people: int) -> None:
        super().__init__(
            _(
                "Nothing was changed, because of %(problems)s of the %(people)s people listed. Correct them, or add "
                "--skip-unknown to go on without those who have no account."
            )
            % {"problems": problems, "people": people}
        )


class TooFewSeats(DomainError):
    """More people than seats, as staff are told; ``invited``: seats that are kept for others."""

    code: ClassVar[str] = "too_few_seats"
    exposes = ("left", "needed", "invited")

    def __init__(self, *, left: int, needed: int, invited: int = 0) -> None:
        self.left, self.needed, self.invited = left, needed, invited
        super().__init__(
            _("Nothing was changed: %(needed)s, %(free)s. Add seats to the contract, or add fewer people.")
            % {
                "needed": ngettext("%(n)d seat is needed", "%(n)d seats are needed", needed) % {"n": needed},
                "free": _free_and_kept(left, invited),
            }
        )


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


class SeatsGoneMeanwhile(DomainError):
    """Others took the seats while a long list was worked through."""

    code: ClassVar[str] = "seats_gone_meanwhile"

    def __init__(self, *, done: int, left: int) -> None:
        super().__init__(
            _(
                "Others took the last seats meanwhile: %(done)s people are done, %(left)s are not. Raise the cap and "
                "type the command again; who is in stays in."
            )
            % {"done": done, "left": left}
        )


class ActorUnknown(NotFound):
    """The account that acts by a command."""

    code: ClassVar[str] = "actor_unknown"

    def __init__(self, email: str) -> None:
        super().__init__(_("--as: there is no active account “%(email)s”.") % {"email": email})


class CourseKeyImpossible(DomainError):
    """Open edX would refuse the key of the run that was to be made."""

    code: ClassVar[str] = "course_key_impossible"

    def __init__(self, key: str, *, reason: str) -> None:
        super().__init__(
            _("Open edX would refuse the course key “%(key)s”: %(reason)s") % {"key": key, "reason": reason}
        )


# --- Keycloak -------------------------------------------------------------------------------------------------------


class KeycloakNotConfigured(DomainError):
    """No Keycloak is administrated from here, or not all of it is said."""

    code: ClassVar[str] = "keycloak_not_configured"
    exposes = ("missing",)

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(
            _("Keycloak isn't configured: set %(settings)s. docs/keycloak.md says where to find them.")
            % {"settings": ", ".join(missing)}
        )


class KeycloakUnavailable(DomainError):
    """Keycloak didn't answer, or with something that isn't an answer."""

    code: ClassVar[str] = "keycloak_unavailable"
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__(
            _("Keycloak didn't answer as it should. Check KEYCLOAK_URL and KEYCLOAK_REALM, or try again later.")
        )


class KeycloakDenied(DomainError):
    """The service account may not do this. Each kind says what is missing for what was refused."""

    code: ClassVar[str] = "keycloak_denied"
    sentence: ClassVar[StrOrPromise]

    def __init__(self, *, client_id: str, realm: str) -> None:
        super().__init__(self.sentence % {"client": client_id, "realm": realm})


class KeycloakSecretWrong(KeycloakDenied):
    code: ClassVar[str] = "keycloak_secret_wrong"
    sentence = _(
        "Keycloak doesn't accept the client “%(client)s” in realm “%(realm)s”. Check KEYCLOAK_CLIENT_ID and "
        "KEYCLOAK_CLIENT_SECRET, and that the client has client authentication and service account roles on."
    )


class KeycloakReadDenied(KeycloakDenied):
    code: ClassVar[str] = "keycloak_read_denied"
    sentence = _(
        "Keycloak doesn't let the client “%(client)s” read the organizations of realm “%(realm)s”. Give its service "
        "account the role view-organizations of realm-management; before Keycloak 26.7, manage-realm."
    )


class KeycloakAddDenied(KeycloakDenied):
    code: ClassVar[str] = "keycloak_add_denied"
    sentence = _(
        "Keycloak doesn't let the client “%(client)s” add people to the organizations of realm “%(realm)s”. Give its "
        "service account the roles manage-organizations and manage-users of realm-management; before Keycloak 26.7, "
        "manage-realm."
    )


class KeycloakOrganizationsOff(DomainError):
    """The realm is there, and has no organizations at all."""

    code: ClassVar[str] = "keycloak_organizations_off"

    def __init__(self, *, realm: str) -> None:
        super().__init__(
            _("Organizations are off in realm “%(realm)s”. Turn them on: Realm settings, General, Organizations.")
            % {"realm": realm}
        )


class KeycloakShowsNone(DomainError):
    """An empty list although organizations were known: what an account sees that may only query them."""

    code: ClassVar[str] = "keycloak_shows_none"
    exposes = ("known",)

    def __init__(self, known: int) -> None:
        self.known = known
        super().__init__(
            ngettext(
                "Keycloak shows no organization, and %(known)d was known; nothing was marked as gone. Check that the "
                "service account has the role view-organizations of realm-management (query-organizations isn't "
                "enough). If it is really gone, run sync_keycloak_orgs --all-gone.",
                "Keycloak shows none of the %(known)d organizations that were known; nothing was marked as gone. Check "
                "that the service account has the role view-organizations of realm-management (query-organizations "
                "isn't enough). If they are really gone, run sync_keycloak_orgs --all-gone.",
                known,
            )
            % {"known": known}
        )


class KeycloakPersonUnknown(DomainError):
    """The person or the organization is not in Keycloak (any more)."""

    code: ClassVar[str] = "keycloak_person_unknown"

    def __init__(self) -> None:
        super().__init__(_("Keycloak knows no such person or organization any more."))


class KeycloakOrganizationUnreadable(DomainError):
    """One organization came without what it needs."""

    code: ClassVar[str] = "keycloak_organization_unreadable"

    def __init__(self, named: str) -> None:
        super().__init__(_("Keycloak describes “%(name)s” without an id, an alias or a name.") % {"name": named})


class LooksLikeAnother(DomainError):
    """An organization in Keycloak that may be one we have under another key."""

    code: ClassVar[str] = "keycloak_looks_like_another"

    def __init__(self, *, alias: str, organization: str, key: str) -> None:
        super().__init__(
            _(
                "“%(alias)s” in Keycloak looks like “%(organization)s” here. If it is the same, run "
                "sync_keycloak_orgs --link %(alias)s=%(key)s; if not, rename one of them."
            )
            % {"alias": alias, "organization": organization, "key": key}
        )


class LinkedToAnother(DomainError):
    """An organization's page that stands for another organization of Keycloak."""

    code: ClassVar[str] = "keycloak_linked_to_another"

    def __init__(self, *, organization: str, alias: str) -> None:
        super().__init__(
            _("“%(organization)s” stands for “%(alias)s” in Keycloak, which is still there.")
            % {"organization": organization, "alias": alias}
        )
