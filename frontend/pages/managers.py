"""What the pages of an organization's managers show, and the addresses around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    shared,
)
from b2b.services.handouts.assign import HandOutPlan, RecipientOutcome
from frontend.site.parsing import row_id

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

LONGEST_WORDS = 100
# These states get a tab only where there is such a code.
_SELDOM_SHOWN = frozenset(
    {ManagedCodeState.FAILED, ManagedCodeState.HELD, ManagedCodeState.WITHDRAWN, ManagedCodeState.OFF}
)
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
class Crumb:
    """A step on the way here."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class StateTab:
    """One standing, as a link."""

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
        """The color of its state."""
        return _BADGES[self.item.state][0]

    @property
    def badge_tile(self) -> str:
        """The sign before its state."""
        return _BADGES[self.item.state][1]

    @property
    def state(self) -> str:
        """Its state as a word."""
        return str(self.item.state.label)

    @property
    def reason(self) -> str:
        """Why its mail didn't arrive."""
        return gettext(self.item.mail_reason) if self.item.mail_reason else ""


@dataclass(frozen=True, slots=True)
class CodesPage:
    """The codes of a contract, or its invitations where everyone shares a code."""

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
        """The way here."""
        return [*way(self.organization), Crumb(self.contract.name)]

    @property
    def is_filtered(self) -> bool:
        """Whether some codes are left out."""
        return bool(self.code_filter.state or self.code_filter.run_id or self.code_filter.words)


def way(organization: OrganizationPage) -> list[Crumb]:
    """The first steps to every page of a manager."""
    return [
        Crumb(organization.name, reverse("organization", args=[organization.slug])),
        Crumb(gettext("Manage seats"), reverse("manage", args=[organization.slug])),
    ]


def contract_url(membership: OrganizationMembership, contract: ManagedContract, name: str = "manage-codes") -> str:
    """The address of a page about one contract."""
    return reverse(name, args=[membership.organization.slug, contract.terms.pk])


def parse_code_filter(params: Mapping[str, str], contract: ManagedContract) -> CodeFilter:
    """What an address asks for; nonsense asks for everything."""
    run_id = row_id(params.get("course"))
    state = params.get("state", "")
    states = ManagedCodeState if contract.has_cap else INVITATION_STATES
    return CodeFilter(
        state=state if state in {each.value for each in states} else "",
        run_id=run_id if run_id in {run.pk for run in contract.runs} else None,
        words="".join(char for char in params.get("q", "") if char.isprintable()).strip()[:LONGEST_WORDS],
    )


def codes_page(
    *, organization: OrganizationPage, contract: ManagedContract, params: Mapping[str, str], now: datetime
) -> CodesPage:
    """The page as its address asks for it; as many queries for three codes as for a hundred thousand."""
    code_filter, contract_id = parse_code_filter(params, contract), contract.terms.pk
    rows: QuerySet[Any]
    load_lines: Callable[..., list[ManagedCode]]
    if contract.has_cap:
        counts, load_lines = count_codes(contract_id, now=now), code_lines
        rows = filter_codes(contract_id, code_filter, now=now)
    else:
        counts, load_lines = count_invitations(contract_id, now=now), invitation_lines
        rows = filter_invitations(contract_id, code_filter, now=now)
    page = _paginate(rows, code_filter, counts, params.get("page", "1"))
    return CodesPage(
        organization=organization,
        contract=contract,
        code_filter=code_filter,
        tabs=_tabs(code_filter, counts),
        page=page,
        lines=tuple(CodeRow(item) for item in load_lines(list(page.object_list), contract.runs, now=now)),
        shared=tuple(shared(contract)) if contract.has_codes and not contract.has_cap else (),
        total=sum(counts.values()),
    )


def _paginate(rows: QuerySet[Any], code_filter: CodeFilter, counts: Mapping[str, int], number: str) -> Page[Any]:
    paginator = Paginator(rows, PER_PAGE)
    if not (code_filter.words or code_filter.run_id):
        # The tabs have counted these rows: set in place of the cached property, their number saves a query.
        count = counts.get(code_filter.state, 0) if code_filter.state else sum(counts.values())
        paginator.__dict__["count"] = count
    return paginator.get_page(number)


def _tabs(code_filter: CodeFilter, counts: Mapping[str, int]) -> tuple[StateTab, ...]:
    """All, then each standing there is; the address keeps course and words."""
    tabs = [StateTab(_("All"), _address(code_filter, ""), intcomma(sum(counts.values())), not code_filter.state)]
    for state in ManagedCodeState:
        count = counts.get(state.value)
        if count is None or (not count and state in _SELDOM_SHOWN and state != code_filter.state):
            continue
        tabs.append(
            StateTab(state.label, _address(code_filter, state.value), intcomma(count), state == code_filter.state)
        )
    return tuple(tabs)


def _address(code_filter: CodeFilter, state: str) -> str:
    query = {"state": state, "course": code_filter.run_id, "q": code_filter.words}
    return "?" + urlencode({name: value for name, value in query.items() if value})


@dataclass(frozen=True, slots=True)
class Report:
    """What a list comes to, in the words of the hand-out page."""

    plan: HandOutPlan

    @property
    def gives(self) -> int:
        """How many people get a code."""
        return self.plan.gives

    @property
    def can_send(self) -> bool:
        """Whether anything would be sent."""
        return self.plan.refusal is None and self.gives > 0

    @property
    def refusal(self) -> str:
        """What stands in the way of the whole list; nothing where only no one is on it."""
        return self.plan.refusal.message if self.plan.refusal is not None else ""

    @property
    def skipped(self) -> list[tuple[str, list[str]]]:
        """Reasons with the addresses they are about."""
        return self._by_reason(
            RecipientOutcome.HAS_SEAT,
            RecipientOutcome.HAS_COURSE,
            RecipientOutcome.GIVEN,
            RecipientOutcome.TWICE,
            RecipientOutcome.WITHDRAWN,
        )

    @property
    def incomplete(self) -> list[str]:
        """What stands where an address should."""
        return [row.email or gettext("(empty)") for row in self.plan.with_outcome(RecipientOutcome.INCOMPLETE)]

    def _by_reason(self, *outcomes: RecipientOutcome) -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []
        for outcome in outcomes:
            rows: Sequence[Any] = self.plan.with_outcome(outcome)
            if rows:
                found.append((rows[0].sentence, [row.email for row in rows]))
        return found
