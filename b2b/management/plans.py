"""What is going to be done, or was, one row for each thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from b2b.management.printing import Column
from b2b.services.code_table import CodeChange
from b2b.services.courseware import Addition, Removal
from b2b.services.plan import CodeStep, ReconcilePlan
from b2b.services.runs import RunPlan
from mitxonline.kernel.money import Money

PLAN_COLUMNS = (
    Column("action", gettext_lazy("Action")),
    Column("key", gettext_lazy("Course key")),
    Column("title", gettext_lazy("Title")),
    Column("count", gettext_lazy("Codes")),
    Column("note", gettext_lazy("Note")),
)

ACTIONS: Mapping[str, str | Promise] = {
    "make_organization": gettext_lazy("make organization"),
    "make_contract": gettext_lazy("make contract"),
    "make_run": gettext_lazy("make run and product"),
    "take_over_run": gettext_lazy("take over run"),
    "give_back_run": gettext_lazy("give back run"),
    "remove_run": gettext_lazy("remove run"),
    "remove_courseware": gettext_lazy("remove courseware"),
    "cover": gettext_lazy("cover"),
    "set_price": gettext_lazy("set price"),
    "make": gettext_lazy("make codes"),
    "switch_on": gettext_lazy("switch codes on again"),
    "switch_off": gettext_lazy("switch codes off"),
    "unlimit": gettext_lazy("make codes unlimited"),
    "limit": gettext_lazy("limit codes to one use"),
    "delete": gettext_lazy("delete codes"),
    "retire": gettext_lazy("switch codes off"),
    "withdraw": gettext_lazy("switch codes off"),
}

Row = dict[str, object]


def addition_rows(addition: Addition, plan: ReconcilePlan) -> list[Row]:
    """What adding courseware does, in the order it happens."""
    rows: list[Row] = []
    if addition.changes_row:
        rows.append(row("cover", key=addition.row.readable_id, title=str(getattr(addition.item, "title", ""))))
    rows += [_run_row(run) for run in addition.making]
    rows += [
        row("give_back_run", key=run.course_run.courseware_id, title=run.course_run.title) for run in addition.returning
    ]
    if (run := addition.taking_over) is not None:
        rows.append(row("take_over_run", key=run.courseware_id, title=run.title))
    return rows + plan_rows(plan)


def removal_rows(removal: Removal, plan: ReconcilePlan, *, assigned: Sequence[tuple[str, str]]) -> list[Row]:
    """What removing courseware does; codes that were given to somebody are named."""
    rows = [row("remove_courseware", key=one.readable_id, title=str(one)) for one in removal.rows]
    given: dict[str, list[str]] = {}
    for email, key in assigned:
        given.setdefault(key, []).append(email)
    for run in removal.runs:
        key = run.course_run.courseware_id
        note = _("given to %(people)s") % {"people": ", ".join(given[key])} if key in given else ""
        rows.append(row("remove_run", key=key, title=run.course_run.title, note=note))
    return rows + plan_rows(plan)


def plan_rows(plan: ReconcilePlan) -> list[Row]:
    """What a reconcile does, in the order it happens."""
    rows = [_run_row(run) for run in plan.runs]
    rows += [
        row(
            "set_price",
            key=step.product.item_id,
            title=step.title,
            note=_price_note(Money(step.product.price, step.product.currency), plan.terms.money),
        )
        for step in plan.prices
        if step.changes_product
    ]
    return rows + [one for step in plan.codes for one in _code_rows(step)]


def row(action: str, *, key: str = "", title: str = "", count: int | None = None, note: str = "") -> Row:
    """One row; programs read the action's name, people its words."""
    return {"action": action, "key": key, "title": title, "count": count, "note": note}


def in_words(rows: Sequence[Row]) -> list[Row]:
    """The rows with their actions in words."""
    return [one | {"action": str(ACTIONS[str(one["action"])])} for one in rows]


def summary(rows: Sequence[Row]) -> str:
    """All rows in one sentence: “1 run, 200 codes made, 12 switched off”."""
    counts = {action: _total(rows, action) for action in ACTIONS}
    off = counts["switch_off"] + counts["retire"] + counts["withdraw"]
    parts = [
        _said(ngettext("%(n)d run made", "%(n)d runs made", counts["make_run"]), counts["make_run"]),
        _said(
            ngettext("%(n)d run taken over", "%(n)d runs taken over", counts["take_over_run"]), counts["take_over_run"]
        ),
        _said(
            ngettext("%(n)d run given back", "%(n)d runs given back", counts["give_back_run"]), counts["give_back_run"]
        ),
        _said(ngettext("%(n)d run removed", "%(n)d runs removed", counts["remove_run"]), counts["remove_run"]),
        _said(ngettext("%(n)d price set", "%(n)d prices set", counts["set_price"]), counts["set_price"]),
        _said(ngettext("%(n)d code made", "%(n)d codes made", counts["make"]), counts["make"]),
        _said(
            ngettext("%(n)d code switched on again", "%(n)d codes switched on again", counts["switch_on"]),
            counts["switch_on"],
        ),
        _said(ngettext("%(n)d code switched off", "%(n)d codes switched off", off), off),
        _said(ngettext("%(n)d code unlimited", "%(n)d codes unlimited", counts["unlimit"]), counts["unlimit"]),
        _said(
            ngettext("%(n)d code limited to one use", "%(n)d codes limited to one use", counts["limit"]),
            counts["limit"],
        ),
        _said(ngettext("%(n)d code deleted", "%(n)d codes deleted", counts["delete"]), counts["delete"]),
    ]
    if not any(parts):
        # What is covered or made without runs; where there are runs, they say it.
        covered, uncovered = counts["cover"], counts["remove_courseware"]
        parts = [
            _("a new organization") if counts["make_organization"] else "",
            _("a new contract") if counts["make_contract"] else "",
            _said(ngettext("%(n)d item of courseware covered", "%(n)d items of courseware covered", covered), covered),
            _said(ngettext("%(n)d item removed", "%(n)d items removed", uncovered), uncovered),
        ]
    said = ", ".join(part for part in parts if part)
    return said or _("nothing to make or change")


def _total(rows: Sequence[Row], action: str) -> int:
    return sum(int(str(one["count"])) if one["count"] is not None else 1 for one in rows if one["action"] == action)


def _said(words: str, count: int) -> str:
    return words % {"n": count} if count else ""


def _run_row(run: RunPlan) -> Row:
    return row("make_run", key=run.key, title=run.title, note=run.warning)


def _code_rows(step: CodeStep) -> Iterator[Row]:
    for one in fields(CodeChange):
        count = getattr(step.change, one.name)
        if count:
            yield row(one.name, key=step.key, title=step.title, count=count)


def _price_note(old: Money, new: Money) -> str:
    return f"{old.formatted()} → {new.formatted()}"
