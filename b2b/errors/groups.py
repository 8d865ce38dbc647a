"""Refusals when people share the work on group purchases."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.errors import DomainError, NotFound, RateLimited


class HelperAlready(DomainError):
    code = "helper_already"
    message = _("{email} can already hand out these codes.")
    email: str


class HelperIsYou(DomainError):
    code = "helper_is_you"
    message = _("That’s your own address. You can hand out the codes yourself.")


class HelperAddressIncomplete(DomainError):
    code = "helper_address_incomplete"
    message = _("Enter a complete e-mail address, such as sam@example.com.")


class TooManyHelpers(DomainError):
    code = "too_many_helpers"
    message = ngettext_lazy(
        "Up to {most} person can help. Remove someone first.",
        "Up to {most} people can help. Remove someone first.",
        "most",
    )
    most: int


class TooManyHelpersNamed(RateLimited):
    """Each helper gets an e-mail."""

    code = "too_many_helpers_named"
    message = ngettext_lazy(
        "You’ve named many helpers in the last hour. Wait {minutes} minute, then try again.",
        "You’ve named many helpers in the last hour. Wait {minutes} minutes, then try again.",
        "minutes",
    )


class HelperUnknown(NotFound):
    """No such helper; the same answer for those of someone else’s purchase."""

    code = "helper_unknown"
    message = _("There is no such helper.")


class CompanyListUnknown(NotFound):
    """No such list; the same answer for someone else’s."""

    code = "company_list_unknown"
    message = _("There is no such list.")
