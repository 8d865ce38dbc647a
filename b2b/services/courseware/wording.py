"""Plans of adding and removing courseware, a line for each step."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from b2b.services.contracts.plan import ReconcilePlan
from b2b.services.contracts.wording import PlanLine, reconcile_lines, run_line
from b2b.services.courseware.courseware import Addition, Removal


def addition_lines(addition: Addition, plan: ReconcilePlan) -> list[PlanLine]:
    """The steps of adding courseware, in the order they are taken."""
    lines: list[PlanLine] = []
    if addition.changes_row:
        title = str(getattr(addition.item, "title", ""))
        lines.append(PlanLine("cover", key=addition.row.readable_id, title=title))
    lines += [run_line(run) for run in addition.making]
    lines += [
        PlanLine("give_back_run", key=run.course_run.courseware_id, title=run.course_run.title)
        for run in addition.returning
    ]
    if (run := addition.taking_over) is not None:
        lines.append(PlanLine("take_over_run", key=run.courseware_id, title=run.title))
    return lines + reconcile_lines(plan)


def removal_lines(removal: Removal, plan: ReconcilePlan, *, assigned: Sequence[tuple[str, str]]) -> list[PlanLine]:
    """The steps of removing courseware. ``assigned`` has the address and the course key of each assigned code."""
    lines = [PlanLine("remove_courseware", key=row.readable_id, title=str(row)) for row in removal.rows]
    emails: dict[str, list[str]] = {}
    for email, key in assigned:
        emails.setdefault(key, []).append(email)
    for run in removal.runs:
        key = run.course_run.courseware_id
        note = _("given to %(people)s") % {"people": ", ".join(emails[key])} if key in emails else ""
        lines.append(PlanLine("remove_run", key=key, title=run.course_run.title, note=note))
    return lines + reconcile_lines(plan)
