"""The pages of an organization's managers: contents, breadcrumbs, tabs and addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.enums import ManagedCodeState
from b2b.models import OrganizationMembership, OrganizationPage
from b2b.selectors.codes import CodeFilter
from b2b.selectors.managers import (
    INVITATION_STATES,
    PER_PAGE,
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
from b2b.services.handouts.assign import HandOutPlan
from b2b.services.handouts.recipients import RecipientOutcome, RecipientRow
from frontend.site.navigation import Crumb
from frontend.site.parsing import parse_row_id
from mitxonline.kernel.paging import PAGE, find_page

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

SEARCH_MAX_LENGTH = 100
# These states get a tab only where there is such a code.
_SELDOM_SHOWN = frozenset(
    {ManagedCodeState.FAILED, ManagedCodeState.HELD, ManagedCodeState.WITHDRAWN, ManagedCodeState.OFF}
)
# The kind and the tile of the badge.
_BADGES = {
    ManagedCodeState.FREE: ("neutral", "hollow"),
    ManagedCodeState.INVITED: ("warn", "full"),
    ManagedCodeState.HELD: ("info", "full"),
    ManagedCodeState.JOINED: ("ok", "full"),
    ManagedCodeState.FAILED: ("bad", "full"),
    ManagedCodeState.WITHDRAWN: ("neutral", "none"),
    ManagedCodeState.OFF: ("neutral", "none"),
}


@dataclass(frozen=True, slots=True)
class StateTab:
    """A link that filters the list by a state, with the number of its codes."""

    text: StrPromise | str
    url: str
    count: str
    current: bool


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row of the table."""

    item: ManagedCode

    @property
    def badge_kind(self) -> str:
        return _BADGES[self.item.state][0]

    @property
    def badge_tile(self) -> str:
        return _BADGES[self.item.state][1]

    @property
    def state(self) -> str:
        return str(self.item.state.label)

    @property
    def reason(self) -> str:
        """Why the e-mail failed."""
        return gettext(self.item.mail_reason) if self.item.mail_reason else ""


@dataclass(frozen=True, slots=True)
class CodesPage:
    """The codes of a contract, or its invitations if everyone shares a code."""

    organization: OrganizationPage
    contract: ManagedContract
    code_filter: CodeFilter
    tabs: tuple[StateTab, ...]
    page: Page[Any]
    lines: tuple[CodeRow, ...]
    shared: tuple[SharedCode, ...]
    total: int

    @property
    def crumbs(self) -> list[Crumb]:
        return [*manager_crumbs(self.organization), Crumb(self.contract.name)]

    @property
    def is_filtered(self) -> bool:
        return self.code_filter != CodeFilter()


def manager_crumbs(organization: OrganizationPage) -> list[Crumb]:
    """Return the first breadcrumbs of every manager's page."""
    return [
        Crumb(organization.name, reverse("organization", args=[organization.slug])),
        Crumb(gettext("Manage seats"), reverse("manage", args=[organization.slug])),
    ]


def contract_url(membership: OrganizationMembership, contract: ManagedContract, name: str = "manage-codes") -> str:
    return reverse(name, args=[membership.organization.slug, contract.terms.pk])


def parse_code_filter(params: Mapping[str, str], contract: ManagedContract) -> CodeFilter:
    """Read the filter from an address; unknown values filter nothing."""
    run_id = parse_row_id(params.get("course"))
    state = params.get("state", "")
    states = ManagedCodeState if contract.has_cap else INVITATION_STATES
    return CodeFilter(
        state=state if state in {each.value for each in states} else "",
        run_id=run_id if run_id in {run.pk for run in contract.runs} else None,
        words="".join(char for char in params.get("q", "") if char.isprintable()).strip()[:SEARCH_MAX_LENGTH],
    )


def build_codes_page(
    *, organization: OrganizationPage, contract: ManagedContract, params: Mapping[str, str], now: datetime
) -> CodesPage:
    """Build the page its address asks for; as many queries for three codes as for a hundred thousand."""
    code_filter, contract_id = parse_code_filter(params, contract), contract.terms.pk
    rows: QuerySet[Any]
    load_lines: Callable[..., list[ManagedCode]]
    if contract.has_cap:
        counts, load_lines = count_codes(contract_id, now=now), code_lines
        rows = filter_codes(contract_id, code_filter, now=now)
    else:
        counts, load_lines = count_invitations(contract_id, now=now), invitation_lines
        rows = filter_invitations(contract_id, code_filter, now=now)
    page = _paginate(rows, code_filter, counts, params.get(PAGE))
    return CodesPage(
        organization=organization,
        contract=contract,
        code_filter=code_filter,
        tabs=_build_tabs(code_filter, counts),
        page=page,
        lines=tuple(CodeRow(item) for item in load_lines(list(page.object_list), contract.runs, now=now)),
        shared=tuple(shared_code_lines(contract)) if contract.has_codes and not contract.has_cap else (),
        total=sum(counts.values()),
    )


def _paginate(rows: QuerySet[Any], code_filter: CodeFilter, counts: Mapping[str, int], number: str | None) -> Page[Any]:
    paginator = Paginator(rows, PER_PAGE)
    if not (code_filter.words or code_filter.run_id):
        # The tabs have counted these rows already. Filling the cached property saves the paginator its own query.
        paginator.__dict__["count"] = counts.get(code_filter.state, 0) if code_filter.state else sum(counts.values())
    return find_page(paginator, number)


def _build_tabs(code_filter: CodeFilter, counts: Mapping[str, int]) -> tuple[StateTab, ...]:
    """Return “All” and a tab for each state, which keep the course and the search."""
    tabs = [StateTab(_("All"), _filter_url(code_filter, ""), intcomma(sum(counts.values())), not code_filter.state)]
    for state in ManagedCodeState:
        count = counts.get(state.value)
        is_current = state == code_filter.state
        if count is None or (not count and state in _SELDOM_SHOWN and not is_current):
            continue
        tabs.append(StateTab(state.label, _filter_url(code_filter, state.value), intcomma(count), is_current))
    return tuple(tabs)


def _filter_url(code_filter: CodeFilter, state: str) -> str:
    query = {"state": state, "course": code_filter.run_id, "q": code_filter.words}
    return "?" + urlencode({name: value for name, value in query.items() if value})


@dataclass(frozen=True, slots=True)
class HandOutReport:
    """The plan of a hand-out, as the page shows it."""

    plan: HandOutPlan

    @property
    def people_count(self) -> int:
        return self.plan.people_count

    @property
    def can_send(self) -> bool:
        return self.plan.refusal is None and self.people_count > 0

    @property
    def refusal(self) -> str:
        return str(self.plan.refusal) if self.plan.refusal is not None else ""

    @property
    def skipped(self) -> list[tuple[str, list[str]]]:
        """Reasons with the addresses they apply to."""
        reasons: list[tuple[str, list[str]]] = []
        for outcome in (
            RecipientOutcome.HAS_SEAT,
            RecipientOutcome.HAS_COURSE,
            RecipientOutcome.HAS_CODE,
            RecipientOutcome.DUPLICATE,
            RecipientOutcome.WITHDRAWN,
        ):
            if rows := self.plan.with_outcome(outcome):
                reasons.append((rows[0].sentence, [row.email for row in rows]))
        return reasons

    @property
    def incomplete(self) -> list[str]:
        return [row.email or row.name or gettext("(empty)") for row in self._rows(RecipientOutcome.INCOMPLETE)]

    @property
    def to_fix(self) -> list[tuple[str, list[str]]]:
        """What is wrong with lines, with the lines themselves."""
        found = [self._rows(RecipientOutcome.UNCLEAR), self._rows(RecipientOutcome.ADDRESS_IN_NAME)]
        return [
            (rows[0].sentence, [f"{row.name} ({row.email})" if row.name else row.email for row in rows])
            for rows in found
            if rows
        ]

    def _rows(self, outcome: RecipientOutcome) -> list[RecipientRow]:
        return self.plan.with_outcome(outcome)
