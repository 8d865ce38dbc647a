"""The list of an organization's people, for its managers, and the form that asks for more seats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from b2b.models import OrganizationPage
from b2b.models.seat_request import MAX_SEATS
from b2b.selectors.managers import PER_PAGE, ManagedContract
from b2b.selectors.people import PersonWithSeat, search_seats, seats_of_organization, with_courses
from frontend.pages.handouts import parse_words
from frontend.pages.managers import manager_crumbs
from frontend.site.navigation import Crumb
from frontend.site.parsing import parse_row_id
from mitxonline.kernel.paging import PAGE, find_page


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of the list. `total` counts the seats of the chosen contract, or of all, whatever was searched for."""

    organization: OrganizationPage
    contracts: Sequence[ManagedContract]
    contract_id: int | None
    words: str
    total: int
    different: int
    page: Page[Any]
    people: tuple[PersonWithSeat, ...]

    @property
    def crumbs(self) -> list[Crumb]:
        return [*manager_crumbs(self.organization), Crumb(gettext("People"))]

    @property
    def heading(self) -> str:
        people = ngettext("%(count)d person has joined", "%(count)d people have joined", self.different)
        people %= {"count": self.different}
        if self.different == self.total:
            return people
        seats = ngettext("%(count)d seat", "%(count)d seats", self.total) % {"count": self.total}
        return gettext("%(people)s and have %(seats)s") % {"people": people, "seats": seats}


def build_people_page(
    *, organization: OrganizationPage, contracts: Sequence[ManagedContract], params: Mapping[str, str]
) -> PeoplePage:
    """Build the page its address asks for, in constant queries; unknown values filter nothing."""
    contract_id = parse_row_id(params.get("contract"))
    if contract_id not in {contract.terms.pk for contract in contracts}:
        contract_id = None
    words = parse_words(params.get("q", ""))
    seats = seats_of_organization(organization.pk, contract_id=contract_id)
    found = search_seats(seats, words).order_by("user__name", "user__email", "pk")
    page = find_page(Paginator(found, PER_PAGE), params.get(PAGE))
    return PeoplePage(
        organization=organization,
        contracts=contracts,
        contract_id=contract_id,
        words=words,
        # The seats were counted with the contracts.
        total=sum(each.seats.joined for each in contracts if contract_id in (None, each.terms.pk)),
        different=seats.order_by().values("user").distinct().count(),
        page=page,
        people=tuple(with_courses(page.object_list)),
    )


class MoreSeatsForm(forms.Form):
    """How many more seats a manager would like, and why."""

    use_required_attribute = False

    seats = forms.IntegerField(
        label=_("How many more seats?"),
        min_value=1,
        max_value=MAX_SEATS,
        error_messages={
            "required": _("Enter a number."),
            "invalid": _("Enter a whole number, such as 20."),
            "min_value": _("Ask for at least one seat."),
            "max_value": _("Ask for at most 100,000 seats at once."),
        },
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    message = forms.CharField(
        label=_("Anything we should know?"),
        required=False,
        max_length=500,
        help_text=_("For example by when you need them."),
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"max_length": _("Use at most %(limit_value)d characters.")},
    )
