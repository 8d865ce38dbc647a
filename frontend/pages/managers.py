"""What the pages of an organization's managers show, and the addresses around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.models import OrganizationMembership, OrganizationPage
from b2b.selectors.managers import (
    INVITATION_STANDINGS,
    PER_PAGE,
    CodeStanding,
    HandedOut,
    ManagedContract,
    SharedCode,
    Wanted,
    code_counts,
    code_lines,
    filter_codes,
    invitation_counts,
    invitation_lines,
    invitations_wanted,
    shared,
)
from b2b.services.handouts.assign import HandOutPlan, Outcome
from frontend.site.parsing import row_id

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

LONGEST_WORDS = 100
# Standings that are only told where there is such a code.
_SELDOM = frozenset({CodeStanding.FAILED, CodeStanding.HELD, CodeStanding.WITHDRAWN, CodeStanding.OFF})
_BADGES = {
    CodeStanding.FREE: ("neutral", "hollow"),
    CodeStanding.INVITED: ("warn", "full"),
    CodeStanding.HELD: ("info", "full"),
    CodeStanding.JOINED: ("ok", "full"),
    CodeStanding.FAILED: ("bad", "full"),
    CodeStanding.WITHDRAWN: ("neutral", "none"),
    CodeStanding.OFF: ("neutral", "none"),
}


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way here."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """One standing, as a link."""

    text: StrPromise | str
    url: str
    count: str
    current: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    item: HandedOut

    @property
    def badge_kind(self) -> str:
        """The color of its state."""
        return _BADGES[self.item.standing][0]

    @property
    def badge_tile(self) -> str:
        """The sign before its state."""
        return _BADGES[self.item.standing][1]

    @property
    def state(self) -> str:
        """Its state as a word."""
        return str(self.item.standing.label)

    @property
    def reason(self) -> str:
        """Why its mail didn't arrive."""
        return gettext(self.item.mail_reason) if self.item.mail_reason else ""


@dataclass(frozen=True, slots=True)
class CodesPage:
    """The codes of a contract, or its invitations where everyone shares a code."""

    organization: OrganizationPage
    contract: ManagedContract
    wanted: Wanted
    tabs: tuple[Tab, ...]
    page: Page[Any]
    lines: tuple[Line, ...]
    shared: tuple[SharedCode, ...]
    total: int

    @property
    def crumbs(self) -> list[Crumb]:
        """The way here."""
        return [*way(self.organization), Crumb(self.contract.name)]

    @property
    def is_filtered(self) -> bool:
        """Whether some codes are left out."""
        return bool(self.wanted.standing or self.wanted.run_id or self.wanted.words)

    @property
    def file_query(self) -> str:
        """What the file of codes is asked for with."""
        return _query(self.wanted)


def way(organization: OrganizationPage) -> list[Crumb]:
    """The first steps to every page of a manager."""
    return [
        Crumb(organization.name, reverse("organization", args=[organization.slug])),
        Crumb(gettext("Manage seats"), reverse("manage", args=[organization.slug])),
    ]


def contract_url(membership: OrganizationMembership, contract: ManagedContract, name: str = "manage-codes") -> str:
    """The address of a page about one contract."""
    return reverse(name, args=[membership.organization.slug, contract.terms.pk])


def wanted_from(params: Mapping[str, str], contract: ManagedContract) -> Wanted:
    """What an address asks for; nonsense asks for everything."""
    run_id = row_id(params.get("course"))
    standing = params.get("state", "")
    known = CodeStanding.values if contract.has_cap else [each.value for each in INVITATION_STANDINGS]
    return Wanted(
        standing=standing if standing in known else "",
        run_id=run_id if run_id in {run.pk for run in contract.runs} else None,
        words="".join(char for char in params.get("q", "") if char.isprintable()).strip()[:LONGEST_WORDS],
    )


def codes_page(
    *, organization: OrganizationPage, contract: ManagedContract, params: Mapping[str, str], now: datetime
) -> CodesPage:
    """The page as its address asks for it; as many queries for three codes as for a hundred thousand."""
    wanted, here = wanted_from(params, contract), contract.terms.pk
    counts = code_counts(here, now=now) if contract.has_cap else invitation_counts(here, now=now)
    found: Any = filter_codes(here, wanted, now=now) if contract.has_cap else invitations_wanted(here, wanted, now=now)
    page = _page(found, wanted, counts, params.get("page", "1"))
    make = code_lines if contract.has_cap else invitation_lines
    return CodesPage(
        organization=organization,
        contract=contract,
        wanted=wanted,
        tabs=_tabs(wanted, counts),
        page=page,
        lines=tuple(Line(item) for item in make(list(page.object_list), contract.runs, now=now)),
        shared=tuple(shared(contract)) if contract.has_codes and not contract.has_cap else (),
        total=sum(counts.values()),
    )


class _Counted(Paginator):  # type: ignore[type-arg]
    """Pages of what was counted for the tabs already."""

    def __init__(self, found: Any, size: int, *, count: int) -> None:
        super().__init__(found, size)
        self.__dict__["count"] = count


def _page(found: Any, wanted: Wanted, counts: Mapping[str, int], number: str) -> Page[Any]:
    if wanted.words or wanted.run_id:
        return Paginator(found, PER_PAGE).get_page(number)
    count = counts.get(wanted.standing, 0) if wanted.standing else sum(counts.values())
    return _Counted(found, PER_PAGE, count=count).get_page(number)


def _tabs(wanted: Wanted, counts: Mapping[str, int]) -> tuple[Tab, ...]:
    """All, then each standing there is; the address keeps course and words."""
    tabs = [Tab(_("All"), _address(wanted, ""), intcomma(sum(counts.values())), not wanted.standing)]
    for standing in CodeStanding:
        count = counts.get(standing.value)
        if count is None or (not count and standing in _SELDOM and standing != wanted.standing):
            continue
        tabs.append(Tab(standing.label, _address(wanted, standing.value), intcomma(count), standing == wanted.standing))
    return tuple(tabs)


def _address(wanted: Wanted, standing: str) -> str:
    query = _query(Wanted(standing=standing, run_id=wanted.run_id, words=wanted.words))
    return f"?{query}" if query else "?"


def _query(wanted: Wanted) -> str:
    asked = {"state": wanted.standing, "course": wanted.run_id, "q": wanted.words}
    return urlencode({name: value for name, value in asked.items() if value})


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
        return self._by_reason(Outcome.HAS_SEAT, Outcome.HAS_COURSE, Outcome.GIVEN, Outcome.TWICE, Outcome.WITHDRAWN)

    @property
    def incomplete(self) -> list[str]:
        """What stands where an address should."""
        return [row.email or gettext("(empty)") for row in self.plan.with_outcome(Outcome.INCOMPLETE)]

    def _by_reason(self, *outcomes: Outcome) -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []
        for outcome in outcomes:
            rows: Sequence[Any] = self.plan.with_outcome(outcome)
            if rows:
                found.append((rows[0].sentence, [row.email for row in rows]))
        return found
