"""What a program asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from courses.enums import RequirementKind
from courses.models import Course, CourseRun, ProgramRequirement


@dataclass
class RequirementNode:
    """One node of the tree, with its children in order."""

    requirement: ProgramRequirement
    children: list[RequirementNode] = field(default_factory=list)

    @property
    def course(self) -> Course | None:
        """The course, at a leaf."""
        return self.requirement.course

    @property
    def is_choice(self) -> bool:
        """Whether only some of the children are needed."""
        return self.requirement.kind == RequirementKind.AT_LEAST


def requirements_tree(program_id: int) -> list[RequirementNode]:
    """The program's top requirements with everything under them; one query for any size."""
    rows = ProgramRequirement.objects.filter(program_id=program_id).select_related("course__department")
    nodes = {row.pk: RequirementNode(row) for row in rows.order_by("position", "pk")}
    top: list[RequirementNode] = []
    for node in nodes.values():
        parent = nodes.get(node.requirement.parent_id or 0)
        (parent.children if parent else top).append(node)
    return top


def courses_of_program(program_id: int) -> list[Course]:
    """Every course the program's requirements name, in the tree's order; one query."""
    return [course for node in requirements_tree(program_id) for course in courses_under(node)]


def open_runs_of_programs(program_ids: Collection[int], *, now: datetime) -> dict[int, dict[int, int]]:
    """For each program its courses that are open, each with its soonest run; two queries, none without a program."""
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
    """The courses at and below a node, in order."""
    here = [node.course] if node.course is not None else []
    return here + [course for child in node.children for course in courses_under(child)]
