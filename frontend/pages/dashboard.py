"""What the dashboard shows. Facts only: how far someone got is known to the course site, not here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from b2b.enums import ContractStanding
from b2b.selectors.seats import (
    MemberContract,
    MemberOrganization,
    MemberRun,
    WaitingCode,
    organizations_of,
    waiting_codes,
)
from cms.selectors.pages import visible_program_pages
from courses.enums import RequirementKind
from courses.models import Course, Program, ProgramRequirement
from courses.selectors.dashboard import Dashboard, DashboardCard, dashboard_for
from frontend.pages.awaited import AwaitedOrder, awaited_orders
from frontend.pages.places import course_url, courses_with_a_page, organization_url, program_url
from mitxonline.users.models import User

RUNS_SHOWN = 3
PROGRAMS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One course of the learner's, with the page that leads to it where there is one."""

    card: DashboardCard
    url: str


@dataclass(frozen=True, slots=True)
class ContractBox:
    """One contract on an organization's card."""

    contract: MemberContract
    shown: tuple[MemberRun, ...]

    @property
    def hidden_count(self) -> int:
        """How many courses the card leaves to the organization's page."""
        return len(self.contract.runs) - len(self.shown)


@dataclass(frozen=True, slots=True)
class OrganizationCard:
    """One organization of the learner's; open contracts with their courses, the others in a line each."""

    member: MemberOrganization
    url: str
    open: tuple[ContractBox, ...]
    closed: tuple[MemberContract, ...]

    @property
    def names_its_page(self) -> bool:
        """Whether a link to the organization's page stands beside a contract already."""
        return any(box.hidden_count for box in self.open)


@dataclass(frozen=True, slots=True)
class ProgramTile:
    """One course of a program: its cover once it was started."""

    course: Course
    is_started: bool


@dataclass(frozen=True, slots=True)
class ProgramCard:
    """A program the learner has begun by taking one of its courses."""

    program: Program
    url: str
    tiles: tuple[ProgramTile, ...]

    @property
    def started(self) -> int:
        """How many of its courses the learner has come into."""
        return sum(tile.is_started for tile in self.tiles)


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """All of it."""

    current: CourseRow | None
    in_progress: tuple[CourseRow, ...]
    upcoming: tuple[CourseRow, ...]
    finished: tuple[CourseRow, ...]
    waiting: tuple[WaitingCode, ...]
    organizations: tuple[OrganizationCard, ...]
    programs: tuple[ProgramCard, ...]
    awaited: tuple[AwaitedOrder, ...]
    now: datetime

    @property
    def has_courses(self) -> bool:
        """Whether there is any course at all."""
        return bool(self.current or self.upcoming or self.finished)

    @property
    def has_side(self) -> bool:
        """Whether anything stands beside the courses."""
        return bool(self.waiting or self.organizations or self.programs)


def dashboard_page(*, user: User, now: datetime) -> DashboardPage:
    """The learner's dashboard; as many queries for one course as for fifty."""
    dashboard = dashboard_for(user.pk, now=now)
    started = _course_ids(dashboard)
    with_page = courses_with_a_page(started)
    rows = {
        name: tuple(_row(card, with_page) for card in cards)
        for name, cards in {
            "in_progress": dashboard.in_progress,
            "upcoming": dashboard.upcoming,
            "finished": dashboard.finished,
        }.items()
    }
    return DashboardPage(
        current=next(iter(rows["in_progress"]), None),
        in_progress=rows["in_progress"][1:],
        upcoming=rows["upcoming"],
        finished=rows["finished"],
        waiting=tuple(waiting_codes(user)),
        organizations=tuple(_organization(each) for each in organizations_of(user.pk, now=now)),
        programs=_programs(started),
        awaited=awaited_orders(user.pk),
        now=now,
    )


def _course_ids(dashboard: Dashboard) -> frozenset[int]:
    cards = [*dashboard.in_progress, *dashboard.upcoming, *dashboard.finished]
    return frozenset(card.run.course_id for card in cards)


def _row(card: DashboardCard, with_page: frozenset[int]) -> CourseRow:
    course = card.run.course
    return CourseRow(card=card, url=course_url(course) if course.pk in with_page else "")


def _organization(member: MemberOrganization) -> OrganizationCard:
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


def _programs(started: Iterable[int]) -> tuple[ProgramCard, ...]:
    """The programs the learner has got furthest in, of those with a page; two queries, none without courses."""
    mine = frozenset(started)
    if not mine:
        return ()
    pages = list(visible_program_pages().filter(program__requirements__course_id__in=mine).distinct())
    tiles: dict[int, list[ProgramTile]] = {page.program_id: [] for page in pages}
    courses = ProgramRequirement.objects.filter(program_id__in=list(tiles), kind=RequirementKind.COURSE)
    for row in courses.select_related("course__department").order_by("program_id", "position", "pk"):
        if row.course is not None:
            tiles[row.program_id].append(ProgramTile(course=row.course, is_started=row.course_id in mine))
    cards = [
        ProgramCard(program=program, url=program_url(program), tiles=tuple(tiles[program.pk]))
        for program in (page.program for page in pages)
        if program is not None
    ]
    return tuple(sorted(cards, key=lambda card: -card.started)[:PROGRAMS_SHOWN])
