"""Refusals about contracts, terms and courseware."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _

from b2b.errors.seats import describe_free_seats, describe_needed_seats
from mitxonline.kernel.errors import DomainError, NotFound

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class SiteMissing(DomainError):
    """There is no site yet under which organizations could be kept."""

    code = "site_missing"
    message = _("The site has no home page yet.")
    advice = _("Run “configure_wagtail” first.")


class ContractUnknown(NotFound):
    code = "contract_unknown"
    message = _("There is no contract {contract_id}.")
    advice = _("“b2b_list contracts” shows them all.")
    contract_id: int


class ContractNotPublished(DomainError):
    """The contract is a draft or was unpublished: no terms are in force."""

    code = "contract_not_published"
    message = _("The contract “{name}” isn’t published.")
    advice = _("Publish it in Wagtail first.")
    name: str


class DraftInTheWay(DomainError):
    """Someone’s unpublished changes would be overwritten."""

    code = "draft_in_the_way"
    message = _("The contract “{name}” has unpublished changes ({author}, {day}).")
    advice = _("Publish or discard them in Wagtail, or add --over-draft to continue without them.")
    name: str
    author: StrOrPromise
    day: str


class TermsInvalid(DomainError):
    """Terms that no contract or organization can have."""

    code = "terms_invalid"
    message = "{reason}"
    reason: StrOrPromise


class CoursewareUnknown(NotFound):
    code = "courseware_unknown"
    message = _("There is no course, run or program “{text}”.")
    advice: ClassVar[StrOrPromise] = _("Its id looks like course-v1:ORG+NUMBER.")
    text: str


class CoursewareMisspelled(CoursewareUnknown):
    message = _("There is no course, run or program “{text}”. Did you mean “{similar}”?")
    advice = ""
    similar: str


class ProgramEmpty(DomainError):
    code = "program_empty"
    message = _("The program “{readable_id}” has no courses yet, so there is nothing to add.")
    readable_id: str


class RunOfAnotherContract(DomainError):
    """A run belongs to one contract at most."""

    code = "run_of_another_contract"
    message = _("The run “{key}” belongs to contract {contract_id}, “{name}”.")
    exposes = ("contract_id",)
    key: str
    contract_id: int
    name: str


class CoursewareNotCovered(NotFound):
    """The contract doesn’t have the courseware that should be removed."""

    code = "courseware_not_covered"
    message = _("Contract {contract_id} doesn’t cover “{text}”.")
    advice = _("“b2b_list courseware --contract {contract_id}” shows what it covers.")
    text: str
    contract_id: int


class PeopleUnclear(DomainError):
    """Some people of a list can’t be added or removed, so nothing is done for any of them."""

    code = "people_unclear"
    message = _("Nothing was changed: {problems} of the {people} people listed have a problem.")
    advice = _("Correct them, or add --skip-unknown to leave out those without an account.")
    problems: int
    people: int


class TooFewSeats(DomainError):
    """More people than seats, as staff read it. `invited` seats are kept for people with a code of their own."""

    code = "too_few_seats"
    message = _("Nothing was changed: {needed_seats}, but {free_seats}.")
    advice = _("Add seats to the contract, or add fewer people.")
    exposes = ("left", "needed", "invited")
    left: int
    needed: int
    invited: int = 0

    def details(self) -> dict[str, object]:
        return super().details() | {
            "needed_seats": describe_needed_seats(self.needed),
            "free_seats": describe_free_seats(self.left, self.invited),
        }


class SeatsGoneMeanwhile(DomainError):
    """Others took the last seats while a long list was being worked through."""

    code = "seats_gone_meanwhile"
    message = _("Others have just taken the last seats: {done} people were added, {left} were not.")
    advice = _("Raise the cap and run the command again; people who were added keep their seats.")
    done: int
    left: int


class ActorUnknown(NotFound):
    """The account given with --as."""

    code = "actor_unknown"
    message = _("--as: there is no active account “{email}”.")
    email: str


class CourseKeyImpossible(DomainError):
    """Open edX would refuse the key of the run to be created."""

    code = "course_key_impossible"
    message = _("Open edX would refuse the course key “{key}”: {reason}")
    key: str
    reason: str
