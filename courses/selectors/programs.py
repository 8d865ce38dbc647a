"""Requirements of programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from courses.enums import RequirementKind
from courses.models import Course, CourseRun, ProgramRequirement


@dataclass
class RequirementNode:
    requirement: ProgramRequirement
    children: list[RequirementNode] = field(default_factory=list)

    @property
    def course(self) -> Course | None:
        return self.requirement.course

    @property
    def is_choice(self) -> bool:
        return self.requirement.kind == RequirementKind.AT_LEAST


def requirements_tree(program_id: int) -> list[RequirementNode]:
    """Return the program's top requirements with their children, in one query."""
    return requirements_trees([program_id])[program_id]


def requirements_trees(program_ids: Collection[int]) -> dict[int, list[RequirementNode]]:
    """Return the top requirements of each program with their children; one query, none without programs."""
    trees: dict[int, list[RequirementNode]] = {program_id: [] for program_id in program_ids}
    if not trees:
        return trees
    rows = ProgramRequirement.objects.filter(program_id__in=trees).select_related("course__department")
    nodes = {row.pk: RequirementNode(row) for row in rows.order_by("position", "pk")}
    for node in nodes.values():
        parent = nodes.get(node.requirement.parent_id or 0)
        (parent.children if parent else trees[node.requirement.program_id]).append(node)
    return trees


def courses_of_program(program_id: int) -> list[Course]:
    """Return the courses of the program in the tree's order, in one query."""
    return [course for node in requirements_tree(program_id) for course in courses_under(node)]


class StartRank(IntEnum):
    """Which start of a course comes first where one is suggested."""

    TO_COME = 0
    ANY_TIME = 1
    BEGUN = 2


def rank_start(*, starts_at: datetime | None, is_self_paced: bool, now: datetime) -> StartRank:
    if is_self_paced or starts_at is None:
        return StartRank.ANY_TIME
    return StartRank.TO_COME if starts_at > now else StartRank.BEGUN


@dataclass(frozen=True, slots=True)
class CourseStarts:
    """A course that a program requires, and the runs a learner can take it in, the suggested one first.

    A run that has begun is among them only where no other is open. Full ones come last: they may have a place for
    someone whose own order holds it.
    """

    course: Course
    runs: tuple[CourseRun, ...]


def starts_of_programs(program_ids: Collection[int], *, now: datetime) -> dict[int, list[CourseStarts]]:
    """Return the courses of each program in the tree's order, with their starts.

    Two queries, none without programs.
    """
    if not program_ids:
        return {}
    required = ProgramRequirement.objects.filter(program_id__in=program_ids, course__isnull=False)
    required = required.select_related("course__department").order_by("parent__position", "position", "pk")
    open_runs: dict[int, list[CourseRun]] = {row.course_id or 0: [] for row in required}
    for run in CourseRun.objects.enrollable(now).filter(course_id__in=open_runs):
        open_runs[run.course_id].append(run)
    found: dict[int, list[CourseStarts]] = {program_id: [] for program_id in program_ids}
    for row in required:
        if row.course is not None:
            runs = tuple(_sort_starts(open_runs[row.course.pk], now))
            found[row.program_id].append(CourseStarts(row.course, runs))
    return found


def _sort_starts(runs: Iterable[CourseRun], now: datetime) -> list[CourseRun]:
    def rank(run: CourseRun) -> StartRank:
        return rank_start(starts_at=run.start_date, is_self_paced=run.is_self_paced, now=now)

    ordered = sorted(runs, key=lambda run: (run.is_full, rank(run), run.start_date or now, run.pk))
    return [run for run in ordered if rank(run) != StartRank.BEGUN] or ordered


def count_needed(nodes: Sequence[RequirementNode]) -> int:
    """Return how many courses fulfill all of these requirements; of a choice, as few as possible."""
    return measure_needed(nodes, {})[0]


def measure_needed(nodes: Sequence[RequirementNode], sizes: Mapping[int, int]) -> tuple[int, int]:
    """Return the least and the most that fulfilling all of these requirements takes, with a size for each course.

    Courses without a size in ``sizes`` count one.
    """
    ranges = [_measure_node(node, sizes) for node in nodes]
    return sum(least for least, _most in ranges), sum(most for _least, most in ranges)


def count_fulfilled(nodes: Sequence[RequirementNode], course_ids: Collection[int]) -> int:
    """Return how many of the needed courses these are: beyond what a choice asks for, a course doesn't count."""
    return sum(_count_fulfilled(node, course_ids) for node in nodes)


def _measure_node(node: RequirementNode, sizes: Mapping[int, int]) -> tuple[int, int]:
    if node.course is not None:
        size = sizes.get(node.course.pk, 1)
        return size, size
    ranges = [_measure_node(child, sizes) for child in node.children]
    number = node.requirement.at_least if node.is_choice else None
    least = sorted(least for least, _most in ranges)[:number]
    most = sorted((most for _least, most in ranges), reverse=True)[:number]
    return sum(least), sum(most)


def _count_fulfilled(node: RequirementNode, course_ids: Collection[int]) -> int:
    if node.course is not None:
        return int(node.course.pk in course_ids)
    counts = sorted((_count_fulfilled(child, course_ids) for child in node.children), reverse=True)
    return sum(counts[: node.requirement.at_least] if node.is_choice else counts)


def courses_under(node: RequirementNode) -> list[Course]:
    own = [node.course] if node.course is not None else []
    return own + [course for child in node.children for course in courses_under(child)]
