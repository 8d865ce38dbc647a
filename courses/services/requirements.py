"""A program's requirements, as an editor sees them and as they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from courses.enums import RequirementKind
from courses.models import Program, ProgramRequirement
from courses.selectors.programs import RequirementNode, requirements_tree


@dataclass(frozen=True, slots=True)
class Group:
    """Courses that belong together: all of them are needed, or at least so many."""

    title: str
    course_ids: tuple[int, ...]
    at_least: int | None = None

    @property
    def kind(self) -> RequirementKind:
        """What the group asks for."""
        return RequirementKind.ALL_OF if self.at_least is None else RequirementKind.AT_LEAST


def groups_of(program_id: int) -> list[Group] | None:
    """The requirements as groups of courses; None where groups lie inside groups, which this can't show.

    Courses that stand alone at the top are all needed: neighbors of them become one group.
    """
    groups: list[Group] = []
    alone: list[int] = []
    for node in requirements_tree(program_id):
        course_id = node.requirement.course_id
        if course_id is not None:
            alone.append(course_id)
            continue
        if any(child.children for child in node.children):
            return None
        groups += _group_courses(alone)
        alone = []
        groups.append(_group(node))
    return groups + _group_courses(alone)


def set_requirements(*, program: Program, groups: Iterable[Group]) -> bool:
    """Make these the program's requirements; whether anything changed."""
    wanted = list(groups)
    with transaction.atomic():
        Program.objects.select_for_update(of=("self",), no_key=True).get(pk=program.pk)
        if groups_of(program.pk) == wanted:
            return False
        program.requirements.all().delete()
        for position, group in enumerate(wanted):
            _make(program, group, position)
    return True


def _make(program: Program, group: Group, position: int) -> None:
    parent = ProgramRequirement.objects.create(
        program=program, position=position, kind=group.kind, at_least=group.at_least, title=group.title
    )
    ProgramRequirement.objects.bulk_create(
        [
            ProgramRequirement(
                program=program, parent=parent, position=place, kind=RequirementKind.COURSE, course_id=course_id
            )
            for place, course_id in enumerate(group.course_ids)
        ]
    )


def _group(node: RequirementNode) -> Group:
    requirement = node.requirement
    ids = tuple(child.requirement.course_id for child in node.children if child.requirement.course_id is not None)
    return Group(title=requirement.title, course_ids=ids, at_least=requirement.at_least)


def _group_courses(course_ids: list[int]) -> list[Group]:
    return [Group(title="", course_ids=tuple(course_ids))] if course_ids else []
