"""Requirements of programs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

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
    rows = ProgramRequirement.objects.filter(program_id=program_id).select_related("course__department")
    nodes = {row.pk: RequirementNode(row) for row in rows.order_by("position", "pk")}
    top: list[RequirementNode] = []
    for node in nodes.values():
        parent = nodes.get(node.requirement.parent_id or 0)
        (parent.children if parent else top).append(node)
    return top


def courses_of_program(program_id: int) -> list[Course]:
    """Return the courses of the program in the tree's order, in one query."""
    return [course for node in requirements_tree(program_id) for course in courses_under(node)]


def open_runs_of_programs(program_ids: Collection[int], *, now: datetime) -> dict[int, dict[int, int]]:
    """Map each program to its open courses and the soonest run of each: ``{program_id: {course_id: run_id}}``.

    Two queries, none without programs.
    """
    if not program_ids:
        return {}
    required = ProgramRequirement.objects.filter(program_id__in=program_ids, course__isnull=False)
    courses = list(required.order_by("position", "pk").values_list("program_id", "course_id"))
    runs = CourseRun.objects.enrollable(now).filter(course_id__in={course_id for _program, course_id in courses})
    soonest = dict(runs.order_by("course_id", "start_date", "pk").distinct("course_id").values_list("course_id", "pk"))
    found: dict[int, dict[int, int]] = {}
    for program_id, course_id in courses:
        if course_id in soonest:
            found.setdefault(program_id, {})[course_id] = soonest[course_id]
    return found


def courses_under(node: RequirementNode) -> list[Course]:
    own = [node.course] if node.course is not None else []
    return own + [course for child in node.children for course in courses_under(child)]
