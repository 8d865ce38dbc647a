"""What the pages that hand codes out have in common, whoever has the codes: an organization or the buyer of seats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.enums import ManagedCodeState
from b2b.selectors.codes import CodeFilter
from b2b.selectors.lots import Lot
from b2b.selectors.managers import PER_PAGE, ManagedCode
from b2b.services.handouts.assign import AnyHandOutRequest, HandOutPlan
from b2b.services.handouts.recipients import Recipient, RecipientOutcome, RecipientRow
from frontend.site.navigation import Crumb, Link
from mitxonline.kernel.paging import find_page

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
class CourseChoice:
    """A course whose codes can be handed out."""

    pk: int
    title: str


class HandOutPlace(ABC):
    """Where codes are handed out: the addresses of its pages, and what differs between a contract and other sales."""

    can_withdraw_access = False

    @property
    @abstractmethod
    def lot(self) -> Lot: ...

    @property
    @abstractmethod
    def has_own_codes(self) -> bool:
        """Whether each person gets a code of their own."""

    @property
    @abstractmethod
    def can_hand_out(self) -> bool: ...

    @property
    @abstractmethod
    def courses(self) -> Sequence[CourseChoice] | None:
        """The courses to choose from; None if there is no choice."""

    @property
    @abstractmethod
    def list_url(self) -> str: ...

    @property
    @abstractmethod
    def hand_out_url(self) -> str: ...

    @property
    @abstractmethod
    def selected_url(self) -> str: ...

    @property
    @abstractmethod
    def more_seats(self) -> Link:
        """Where to get more seats."""

    @property
    @abstractmethod
    def why_closed(self) -> str:
        """Why no code can be handed out, where none can."""

    @abstractmethod
    def crumbs(self, title: str = "") -> list[Crumb]: ...

    @abstractmethod
    def make_request(self, course_id: int | None, recipients: Sequence[Recipient]) -> AnyHandOutRequest: ...


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


def parse_words(text: str) -> str:
    """Read what was searched for."""
    return "".join(char for char in text if char.isprintable()).strip()[:SEARCH_MAX_LENGTH]


def paginate_codes(
    rows: QuerySet[Any], code_filter: CodeFilter, counts: Mapping[str, int], number: str | None
) -> Page[Any]:
    paginator = Paginator(rows, PER_PAGE)
    # The tabs have counted these rows already. Filling the cached property saves the paginator its own query.
    paginator.__dict__["count"] = counts.get(code_filter.state, 0) if code_filter.state else sum(counts.values())
    return find_page(paginator, number)


def build_tabs(code_filter: CodeFilter, counts: Mapping[str, int]) -> tuple[StateTab, ...]:
    """Return “All” and a tab for each state. They keep the course and the search, and count what these leave."""
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
    def is_short(self) -> bool:
        """Whether more seats would help."""
        return self.plan.refusal is not None and self.plan.refusal.code in ("no_seat_to_give", "too_few_seats")

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
