"""Refusals about contracts, terms and courseware."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from b2b.errors.seats import (
    _free_and_kept,
)
from mitxonline.kernel.errors import DomainError, NotFound


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
    """Someone's unpublished changes would be pushed aside."""

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
