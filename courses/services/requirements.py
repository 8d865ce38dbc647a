"""Editing a program's requirements as a list of groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from courses.enums import RequirementKind
from courses.events import RequirementsChanged
from courses.models import Program, ProgramRequirement
from courses.selectors.programs import requirements_tree
from mitxonline.coordinator.bus import publish


@dataclass(frozen=True, slots=True)
class Group:
    """Courses of which all are required, or at least ``at_least``."""

    title: str
    course_ids: tuple[int, ...]
    at_least: int | None = None

    @property
    def kind(self) -> RequirementKind:
        return RequirementKind.ALL_OF if self.at_least is None else RequirementKind.AT_LEAST


def groups_of(program_id: int) -> list[Group] | None:
    """Return the requirements as groups of courses, or None if groups are nested, which a list can't show.

    Courses at the top of the tree are all required: neighbors become one group.
    """
    groups: list[Group] = []
    ungrouped: list[int] = []
    for node in requirements_tree(program_id):
        requirement = node.requirement
        if requirement.course_id is not None:
            ungrouped.append(requirement.course_id)
            continue
        if any(child.children for child in node.children):
            return None
        if ungrouped:
            groups.append(Group(title="", course_ids=tuple(ungrouped)))
            ungrouped = []
        ids = tuple(child.requirement.course_id for child in node.children if child.requirement.course_id is not None)
        groups.append(Group(title=requirement.title, course_ids=ids, at_least=requirement.at_least))
    if ungrouped:
        groups.append(Group(title="", course_ids=tuple(ungrouped)))
    return groups


def set_requirements(*, program: Program, groups: Iterable[Group]) -> bool:
    """Replace the program's requirements; return whether anything changed."""
    new = list(groups)
    with transaction.atomic():
        # Two editors who save at once take turns, so that their trees don't mix.
        Program.objects.select_for_update(of=("self",), no_key=True).get(pk=program.pk)
        if groups_of(program.pk) == new:
            return False
        program.requirements.all().delete()
        for position, group in enumerate(new):
            _create_group(program, group, position)
        publish(RequirementsChanged(program_id=program.pk))
    return True


def _create_group(program: Program, group: Group, position: int) -> None:
    parent = ProgramRequirement.objects.create(
        program=program, position=position, kind=group.kind, at_least=group.at_least, title=group.title
    )
    ProgramRequirement.objects.bulk_create(
        [
            ProgramRequirement(
                program=program, parent=parent, position=index, kind=RequirementKind.COURSE, course_id=course_id
            )
            for index, course_id in enumerate(group.course_ids)
        ]
    )
