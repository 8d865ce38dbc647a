"""The pages of an organization's managers: contents, breadcrumbs, tabs and addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from b2b.enums import ManagedCodeState
from b2b.models import OrganizationPage
from b2b.selectors.codes import CodeFilter
from b2b.selectors.lots import ContractLot
from b2b.selectors.managers import (
    INVITATION_STATES,
    ManagedCode,
    ManagedContract,
    SharedCode,
    code_lines,
    count_codes,
    count_invitations,
    filter_codes,
    filter_invitations,
    invitation_lines,
    shared_code_lines,
)
from b2b.services.handouts.assign import HandOutRequest
from b2b.services.handouts.recipients import Recipient
from frontend.pages.handouts import (
    CodeRow,
    CourseChoice,
    HandOutPlace,
    StateTab,
    build_tabs,
    paginate_codes,
    parse_words,
)
from frontend.site.navigation import Crumb, Link
from frontend.site.parsing import parse_row_id
from mitxonline.kernel.paging import PAGE


class ContractPlace(HandOutPlace):
    """The codes of a contract, for the managers of its organization."""

    can_withdraw_access = True

    def __init__(self, organization: OrganizationPage, contract: ManagedContract) -> None:
        self.organization, self.contract = organization, contract

    @property
    def lot(self) -> ContractLot:
        return ContractLot(self.contract.terms.pk)

    @property
    def has_own_codes(self) -> bool:
        return self.contract.has_cap

    @property
    def can_hand_out(self) -> bool:
        return self.contract.can_hand_out

    @property
    def courses(self) -> list[CourseChoice]:
        return [CourseChoice(run.pk, run.title) for run in self.contract.runs if run.is_open]

    @property
    def list_url(self) -> str:
        return self._url("manage-codes")

    @property
    def hand_out_url(self) -> str:
        return self._url("manage-hand-out")

    @property
    def selected_url(self) -> str:
        return self._url("manage-selected")

    @property
    def more_seats(self) -> Link:
        return Link(gettext("Ask for more seats"), self._url("manage-more-seats"))

    @property
    def why_closed(self) -> str:
        return gettext("No one can join this contract right now.")

    def crumbs(self, title: str = "") -> list[Crumb]:
        crumbs = manager_crumbs(self.organization)
        if not title:
            return [*crumbs, Crumb(self.contract.name)]
        return [*crumbs, Crumb(self.contract.name, self.list_url), Crumb(title)]

    def make_request(self, course_id: int | None, recipients: Sequence[Recipient]) -> HandOutRequest:
        return HandOutRequest(contract_run_id=course_id or 0, recipients=recipients)

    def _url(self, name: str) -> str:
        return reverse(name, args=[self.organization.slug, self.contract.terms.pk])


@dataclass(frozen=True, slots=True)
class CodesPage:
    """The codes of a contract, or its invitations if everyone shares a code."""

    place: ContractPlace
    code_filter: CodeFilter
    tabs: tuple[StateTab, ...]
    page: Page[Any]
    lines: tuple[CodeRow, ...]
    shared: tuple[SharedCode, ...]
    total: int

    @property
    def organization(self) -> OrganizationPage:
        return self.place.organization

    @property
    def crumbs(self) -> list[Crumb]:
        return self.place.crumbs()

    @property
    def is_filtered(self) -> bool:
        return self.code_filter != CodeFilter()


def manager_crumbs(organization: OrganizationPage) -> list[Crumb]:
    """Return the first breadcrumbs of every manager's page."""
    return [
        Crumb(organization.name, reverse("organization", args=[organization.slug])),
        Crumb(gettext("Manage seats"), reverse("manage", args=[organization.slug])),
    ]


def parse_code_filter(params: Mapping[str, str], contract: ManagedContract) -> CodeFilter:
    """Read the filter from an address; unknown values filter nothing."""
    run_id = parse_row_id(params.get("course"))
    state = params.get("state", "")
    states = ManagedCodeState if contract.has_cap else INVITATION_STATES
    return CodeFilter(
        state=state if state in {each.value for each in states} else "",
        run_id=run_id if run_id in {run.pk for run in contract.runs} else None,
        words=parse_words(params.get("q", "")),
    )


def build_codes_page(place: ContractPlace, *, params: Mapping[str, str], now: datetime) -> CodesPage:
    """Build the page its address asks for; as many queries for three codes as for a hundred thousand."""
    contract = place.contract
    code_filter, contract_id = parse_code_filter(params, contract), contract.terms.pk
    rows: QuerySet[Any]
    load_lines: Callable[..., list[ManagedCode]]
    if contract.has_cap:
        counts, load_lines = count_codes(place.lot, code_filter, now=now), code_lines
        rows = filter_codes(place.lot, code_filter, now=now)
    else:
        counts, load_lines = count_invitations(contract_id, code_filter, now=now), invitation_lines
        rows = filter_invitations(contract_id, code_filter, now=now)
    page = paginate_codes(rows, code_filter, counts, params.get(PAGE))
    return CodesPage(
        place=place,
        code_filter=code_filter,
        tabs=build_tabs(code_filter, counts),
        page=page,
        lines=tuple(CodeRow(item) for item in load_lines(list(page.object_list), contract.runs, now=now)),
        shared=tuple(shared_code_lines(contract)) if contract.has_codes and not contract.has_cap else (),
        total=sum(counts.values()),
    )
