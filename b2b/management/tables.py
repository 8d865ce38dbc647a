"""The tables that commands print: their columns, and the cells of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext_lazy as _

from b2b.services.contracts.checks import Disagreement
from b2b.services.contracts.wording import PlanLine
from b2b.services.seats.bulk import PersonRow
from b2b.services.seats.moving import PersonMove
from mitxonline.kernel.console import Column

ORGANIZATIONS = (
    Column("id", _("ID")),
    Column("name", _("Name")),
    Column("slug", _("Slug")),
    Column("key", _("Key")),
    Column("contracts", _("Contracts")),
)

CONTRACTS = (
    Column("id", _("ID")),
    Column("name", _("Name")),
    Column("slug", _("Slug")),
    Column("organization", _("Organization")),
    Column("type", _("Type")),
    Column("start", _("Start")),
    Column("end", _("End")),
    Column("active", _("Active")),
    Column("max_learners", _("Max learners"), _("Unlimited")),
    Column("members", _("Members")),
    Column("price", _("Price"), _("Free")),
)

COURSEWARE = (
    Column("id", _("ID")),
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("type", _("Type")),
    Column("readable_id", _("Readable ID")),
    Column("name", _("Name")),
    Column("start", _("Start")),
    Column("end", _("End")),
    Column("course_site", _("Course site")),
)

LEARNERS = (
    Column("email", _("Email")),
    Column("name", _("Name")),
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("source", _("Came by")),
    Column("since", _("Since")),
)

RECONCILES = (
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("state", _("State")),
    Column("requested", _("Requested")),
    Column("by", _("By")),
    Column("reason", _("Reason")),
    Column("seconds", _("Seconds")),
    Column("codes_before", _("Codes before")),
    Column("codes_after", _("Codes after")),
    Column("error", _("Error")),
)

FILES = (
    Column("contract_id", _("Contract")),
    Column("file", _("File")),
    Column("codes", _("Codes")),
)

PLAN = (
    Column("action", _("Action")),
    Column("key", _("Course key")),
    Column("title", _("Title")),
    Column("count", _("Codes")),
    Column("note", _("Note")),
)

PEOPLE = (
    Column("line", _("Line")),
    Column("email", _("Email")),
    Column("outcome", _("Outcome")),
    Column("note", _("Note")),
)

MOVES = (
    Column("email", _("E-mail")),
    Column("title", _("Course")),
    Column("from", _("From")),
    Column("to", _("To")),
)

CHECKS = (
    Column("contract_id", _("Contract"), _("none")),
    Column("kind", _("What")),
    Column("fault", _("Fault")),
    Column("key", _("Course key")),
    Column("note", _("Note")),
)

SYNC = (
    Column("outcome", _("What")),
    Column("alias", _("Alias in Keycloak")),
    Column("name", _("Name")),
    Column("id", _("ID")),
    Column("key", _("Key")),
    Column("note", _("Note")),
)


def cells(rows: Iterable[object], columns: Sequence[Column]) -> list[list[object]]:
    """The attributes of these rows that the columns are named after."""
    return [[getattr(row, column.key) for column in columns] for row in rows]


def plan_cells(lines: Iterable[PlanLine], *, style: str) -> list[tuple[object, ...]]:
    """One row for each line of a plan; programs read the action's name, people its words."""
    return [
        (line.action if style == "json" else line.label, line.key, line.title, line.count, line.note) for line in lines
    ]


def people_cells(people: Iterable[PersonRow]) -> list[tuple[object, ...]]:
    return [(person.change.line, person.email, person.outcome.value, person.sentence) for person in people]


def move_cells(moves: Iterable[PersonMove]) -> list[tuple[object, ...]]:
    """One row for each course of each person, and one for a person without courses."""
    rows: list[tuple[object, ...]] = []
    for move in moves:
        for course in move.courses:
            to = course.to.course_run.courseware_id if course.to is not None else ""
            rows.append((move.email, course.title, course.run_key, to))
        if not move.courses:
            rows.append((move.email, "", "", ""))
    return rows


def check_cells(found: Iterable[Disagreement]) -> list[tuple[object, ...]]:
    return [(each.contract_id, each.kind, not each.is_note, each.key, each.sentence) for each in found]
