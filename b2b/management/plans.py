"""The columns of plans and reports, and how their rows become values for programs and words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from django.utils.translation import gettext_lazy

from b2b.management.printing import Column
from b2b.services.contracts.checks import Disagreement
from b2b.services.courseware.wording import Line
from b2b.services.seats.bulk import PersonRow
from b2b.services.seats.moving import PersonMove

PLAN_COLUMNS = (
    Column("action", gettext_lazy("Action")),
    Column("key", gettext_lazy("Course key")),
    Column("title", gettext_lazy("Title")),
    Column("count", gettext_lazy("Codes")),
    Column("note", gettext_lazy("Note")),
)

PEOPLE_COLUMNS = (
    Column("line", gettext_lazy("Line")),
    Column("email", gettext_lazy("Email")),
    Column("outcome", gettext_lazy("Outcome")),
    Column("note", gettext_lazy("Note")),
)

CHECK_COLUMNS = (
    Column("contract_id", gettext_lazy("Contract"), gettext_lazy("none")),
    Column("kind", gettext_lazy("What")),
    Column("fault", gettext_lazy("Fault")),
    Column("key", gettext_lazy("Course key")),
    Column("note", gettext_lazy("Note")),
)

MOVE_COLUMNS = (
    Column("email", gettext_lazy("E-mail")),
    Column("title", gettext_lazy("Course")),
    Column("from", gettext_lazy("From")),
    Column("to", gettext_lazy("To"), gettext_lazy("ends")),
)

Row = Mapping[str, object]


def plan_rows(lines: Sequence[Line], *, style: str) -> list[Row]:
    """One row for each line; programs read the action's name, people its words."""
    return [asdict(line) | ({} if style == "json" else {"action": line.label}) for line in lines]


def people_rows(people: Iterable[PersonRow]) -> list[Row]:
    """One row for each person that was named."""
    return [
        {"line": one.wish.line, "email": one.email, "outcome": one.outcome.value, "note": one.sentence}
        for one in people
    ]


def move_rows(moves: Iterable[PersonMove]) -> list[Row]:
    """One row for each course of each person that is moved, and one for a person without."""
    rows: list[Row] = []
    for one in moves:
        for course in one.courses:
            to = course.to.course_run.courseware_id if course.to is not None else ""
            rows.append({"email": one.email, "title": course.title, "from": course.run_key, "to": to})
        if not one.courses:
            rows.append({"email": one.email, "title": "", "from": "", "to": ""})
    return rows


def check_rows(found: Iterable[Disagreement]) -> list[Row]:
    """One row for each thing that disagrees."""
    return [
        {
            "contract_id": one.contract_id,
            "kind": one.kind,
            "fault": one.is_fault,
            "key": one.key,
            "note": one.sentence,
        }
        for one in found
    ]
