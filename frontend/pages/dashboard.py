"""What the dashboard shows. Learners’ progress inside a course is known to the course site only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from b2b.enums import ContractStanding
from b2b.selectors.groups import GroupSale, WaitingSeat, describe_sales, list_group_sales, waiting_seats
from b2b.selectors.seats import (
    MemberContract,
    MemberOrganization,
    MemberRun,
    WaitingCode,
    organizations_of,
    waiting_codes,
)
from cms.selectors.addresses import course_urls, program_url
from cms.selectors.pages import visible_program_pages
from courses.models import Course, CourseRun, Program
from courses.selectors.dashboard import dashboard_for
from courses.selectors.programs import (
    RequirementNode,
    count_fulfilled,
    count_needed,
    courses_under,
    requirements_trees,
)
from frontend.pages.awaited import AwaitedOrder, awaited_orders
from frontend.pages.course_site import CourseDoor, course_door
from frontend.pages.links import organization_url
from mitxonline.users.models import User

RUNS_SHOWN = 3
PROGRAMS_SHOWN = 2
GROUPS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CourseRow:
    """A course of the learner, with the URL of its page if it has one, and the way into it."""

    run: CourseRun
    url: str
    door: CourseDoor


@dataclass(frozen=True, slots=True)
class ContractBox:
    contract: MemberContract
    shown: tuple[MemberRun, ...]

    @property
    def hidden_count(self) -> int:
        return len(self.contract.runs) - len(self.shown)


@dataclass(frozen=True, slots=True)
class OrganizationCard:
    """An organization of the learner: open contracts with their courses, the others a line each."""

    member: MemberOrganization
    url: str
    open: tuple[ContractBox, ...]
    closed: tuple[MemberContract, ...]

    @property
    def links_to_page(self) -> bool:
        return any(box.hidden_count for box in self.open)


@dataclass(frozen=True, slots=True)
class ProgramTile:
    course: Course
    is_started: bool


@dataclass(frozen=True, slots=True)
class StartedProgram:
    """A program of which the learner has taken at least one course.

    `needed` courses fulfill its requirements; `fulfilled` of them the learner is enrolled in.
    """

    program: Program
    url: str
    tiles: tuple[ProgramTile, ...]
    needed: int
    fulfilled: int

    @property
    def is_complete(self) -> bool:
        return self.fulfilled >= self.needed


@dataclass(frozen=True, slots=True)
class DashboardPage:
    current: CourseRow | None
    in_progress: tuple[CourseRow, ...]
    upcoming: tuple[CourseRow, ...]
    finished: tuple[CourseRow, ...]
    waiting: tuple[WaitingCode, ...]
    organizations: tuple[OrganizationCard, ...]
    course_urls: Mapping[int, str]
    programs: tuple[StartedProgram, ...]
    awaited: tuple[AwaitedOrder, ...]
    waiting_seats: tuple[WaitingSeat, ...]
    groups: tuple[GroupSale, ...]
    now: datetime
    joined_at: datetime

    @property
    def is_new(self) -> bool:
        """Whether the person registered a moment ago, so that nobody can be back yet."""
        return self.now - self.joined_at < timedelta(days=1)

    @property
    def has_courses(self) -> bool:
        return bool(self.current or self.upcoming or self.finished)

    @property
    def has_side(self) -> bool:
        return bool(self.waiting or self.waiting_seats or self.organizations or self.programs or self.groups)


def dashboard_page(*, user: User, now: datetime) -> DashboardPage:
    """The learner’s dashboard; the number of queries doesn’t grow with their courses."""
    dashboard = dashboard_for(user.pk, now=now)
    runs = [*dashboard.in_progress, *dashboard.upcoming, *dashboard.finished]
    started = frozenset(run.course_id for run in runs)
    organizations = organizations_of(user.pk, now=now)
    urls = course_urls([*(run.course for run in runs), *list_contract_courses(organizations)])

    def list_rows(runs: Iterable[CourseRun]) -> tuple[CourseRow, ...]:
        return tuple(
            CourseRow(
                run,
                url=urls.get(run.course_id, ""),
                door=course_door(run, dashboard.lms_states[run.pk], user=user, now=now),
            )
            for run in runs
        )

    in_progress = list_rows(dashboard.in_progress)
    return DashboardPage(
        current=next(iter(in_progress), None),
        in_progress=in_progress[1:],
        upcoming=list_rows(dashboard.upcoming),
        finished=list_rows(dashboard.finished),
        waiting=tuple(waiting_codes(user)),
        organizations=tuple(_organization_card(each) for each in organizations),
        course_urls=urls,
        programs=_started_programs(started),
        awaited=awaited_orders(user.pk),
        waiting_seats=tuple(waiting_seats(user)),
        groups=_latest_groups(user, now),
        now=now,
        joined_at=user.date_joined,
    )


def _latest_groups(user: User, now: datetime) -> tuple[GroupSale, ...]:
    """Return the latest group purchases; two queries, one where there are none."""
    sales = list(list_group_sales(user)[:GROUPS_SHOWN])
    return tuple(describe_sales(sales, user, now=now)) if sales else ()


def list_contract_courses(organizations: Iterable[MemberOrganization]) -> list[Course]:
    return [run.course for each in organizations for contract in each.contracts for run in contract.runs]


def _organization_card(member: MemberOrganization) -> OrganizationCard:
    is_open = {contract.terms.pk: contract.standing is ContractStanding.OPEN for contract in member.contracts}
    return OrganizationCard(
        member=member,
        url=organization_url(member.organization),
        open=tuple(
            ContractBox(contract=each, shown=each.runs[:RUNS_SHOWN])
            for each in member.contracts
            if is_open[each.terms.pk]
        ),
        closed=tuple(each for each in member.contracts if not is_open[each.terms.pk]),
    )


def _started_programs(started: Iterable[int]) -> tuple[StartedProgram, ...]:
    """The programs with the most courses started, of those with a page; two queries, none without courses."""
    started = frozenset(started)
    if not started:
        return ()
    pages = list(visible_program_pages().filter(program__requirements__course_id__in=started).distinct())
    trees = requirements_trees([page.program_id for page in pages])
    cards = [
        _started_program(program, trees[program.pk], started)
        for program in (page.program for page in pages)
        if program is not None
    ]
    return tuple(sorted(cards, key=lambda card: -card.fulfilled)[:PROGRAMS_SHOWN])


def _started_program(program: Program, tree: Sequence[RequirementNode], started: frozenset[int]) -> StartedProgram:
    courses = [course for node in tree for course in courses_under(node)]
    return StartedProgram(
        program=program,
        url=program_url(program),
        tiles=tuple(ProgramTile(course=course, is_started=course.pk in started) for course in courses),
        needed=count_needed(tree),
        fulfilled=count_fulfilled(tree, started),
    )
