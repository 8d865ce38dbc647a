"""Plans, one line for each thing that is done; for commands, and for the admin's pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from b2b.services.contracts.plan import CodeStep, ReconcilePlan
from b2b.services.contracts.terms_plan import TermsPlan
from b2b.services.courseware.courseware import Addition, Removal
from b2b.services.products.runs import RunPlan
from b2b.services.products.targets import CodeChange
from mitxonline.kernel.money import Money

if TYPE_CHECKING:
    from django.utils.functional import Promise

ACTIONS: Mapping[str, str | Promise] = {
    "make_organization": gettext_lazy("make organization"),
    "make_contract": gettext_lazy("make contract"),
    "make_run": gettext_lazy("make run and product"),
    "take_over_run": gettext_lazy("take over run"),
    "give_back_run": gettext_lazy("give back run"),
    "remove_run": gettext_lazy("remove run"),
    "remove_courseware": gettext_lazy("remove courseware"),
    "cover": gettext_lazy("cover"),
    "move_dates": gettext_lazy("move dates"),
    "keep_dates": gettext_lazy("keep dates"),
    "make_discount": gettext_lazy("make discount"),
    "set_price": gettext_lazy("set price"),
    "repair_product": gettext_lazy("set product and discount right"),
    "make": gettext_lazy("make codes"),
    "switch_on": gettext_lazy("switch codes on again"),
    "switch_off": gettext_lazy("switch codes off"),
    "unlimit": gettext_lazy("make codes unlimited"),
    "limit": gettext_lazy("limit codes to one use"),
    "delete": gettext_lazy("delete codes"),
    "retire": gettext_lazy("switch codes off"),
    "withdraw": gettext_lazy("switch codes off"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is done; ``action`` is a key of ``ACTIONS``, ``count`` how many codes it concerns."""

    action: str
    key: str = ""
    title: str = ""
    count: int | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """The action in words."""
        return str(ACTIONS[self.action])


def addition_lines(addition: Addition, plan: ReconcilePlan) -> list[Line]:
    """What adding courseware does, in the order it happens."""
    lines: list[Line] = []
    if addition.changes_row:
        title = str(getattr(addition.item, "title", ""))
        lines.append(Line("cover", key=addition.row.readable_id, title=title))
    lines += [_run_line(run) for run in addition.making]
    lines += [
        Line("give_back_run", key=run.course_run.courseware_id, title=run.course_run.title)
        for run in addition.returning
    ]
    if (run := addition.taking_over) is not None:
        lines.append(Line("take_over_run", key=run.courseware_id, title=run.title))
    return lines + plan_lines(plan)


def removal_lines(removal: Removal, plan: ReconcilePlan, *, assigned: Sequence[tuple[str, str]]) -> list[Line]:
    """What removing courseware does; codes that were given to someone are named (``assigned_codes``)."""
    lines = [Line("remove_courseware", key=one.readable_id, title=str(one)) for one in removal.rows]
    given: dict[str, list[str]] = {}
    for email, key in assigned:
        given.setdefault(key, []).append(email)
    for run in removal.runs:
        key = run.course_run.courseware_id
        note = _("given to %(people)s") % {"people": ", ".join(given[key])} if key in given else ""
        lines.append(Line("remove_run", key=key, title=run.course_run.title, note=note))
    return lines + plan_lines(plan)


def terms_lines(plan: TermsPlan) -> list[Line]:
    """What other terms do, in the order it happens."""
    moves = [
        Line("move_dates", key=one.key, title=one.title, note=one.note) for one in plan.dates if not one.is_removed
    ]
    stays = [Line("keep_dates", key=one.key, title=one.title, note=one.reason) for one in plan.stays]
    return moves + stays + plan_lines(plan.reconcile)


def plan_lines(plan: ReconcilePlan) -> list[Line]:
    """What a reconcile does, in the order it happens."""
    lines = [_run_line(run) for run in plan.runs]
    lines += [Line("make_discount", key=product.item_id, title=title) for product, title in plan.missing_discounts]
    for step in plan.prices:
        old, new = Money(step.product.price, step.product.currency), plan.terms.money
        if old != new:
            note = f"{old.formatted()} → {new.formatted()}"
            lines.append(Line("set_price", key=step.product.item_id, title=step.title, note=note))
        elif step.is_repair:
            lines.append(Line("repair_product", key=step.product.item_id, title=step.title))
    return lines + [one for step in plan.codes for one in _code_lines(step)]


def summary(lines: Sequence[Line]) -> str:
    """All lines in one sentence: “1 run, 200 codes made, 12 switched off”."""
    counts = {action: _total(lines, action) for action in ACTIONS}
    off = counts["switch_off"] + counts["retire"] + counts["withdraw"]
    repaired = counts["repair_product"] + counts["make_discount"]
    parts = [
        _with_count(ngettext("%(n)d run made", "%(n)d runs made", counts["make_run"]), counts["make_run"]),
        _with_count(
            ngettext("%(n)d run taken over", "%(n)d runs taken over", counts["take_over_run"]), counts["take_over_run"]
        ),
        _with_count(
            ngettext("%(n)d run given back", "%(n)d runs given back", counts["give_back_run"]), counts["give_back_run"]
        ),
        _with_count(ngettext("%(n)d run removed", "%(n)d runs removed", counts["remove_run"]), counts["remove_run"]),
        _with_count(
            ngettext("dates of %(n)d run moved", "dates of %(n)d runs moved", counts["move_dates"]),
            counts["move_dates"],
        ),
        _with_count(
            ngettext("%(n)d run keeps its dates", "%(n)d runs keep their dates", counts["keep_dates"]),
            counts["keep_dates"],
        ),
        _with_count(ngettext("%(n)d product set right", "%(n)d products set right", repaired), repaired),
        _with_count(ngettext("%(n)d price set", "%(n)d prices set", counts["set_price"]), counts["set_price"]),
        _with_count(ngettext("%(n)d code made", "%(n)d codes made", counts["make"]), counts["make"]),
        _with_count(
            ngettext("%(n)d code switched on again", "%(n)d codes switched on again", counts["switch_on"]),
            counts["switch_on"],
        ),
        _with_count(ngettext("%(n)d code switched off", "%(n)d codes switched off", off), off),
        _with_count(ngettext("%(n)d code unlimited", "%(n)d codes unlimited", counts["unlimit"]), counts["unlimit"]),
        _with_count(
            ngettext("%(n)d code limited to one use", "%(n)d codes limited to one use", counts["limit"]),
            counts["limit"],
        ),
        _with_count(ngettext("%(n)d code deleted", "%(n)d codes deleted", counts["delete"]), counts["delete"]),
    ]
    if not any(parts):
        # What is covered or made without runs; where there are runs, they say it.
        covered, uncovered = counts["cover"], counts["remove_courseware"]
        parts = [
            _("a new organization") if counts["make_organization"] else "",
            _("a new contract") if counts["make_contract"] else "",
            _with_count(
                ngettext("%(n)d item of courseware covered", "%(n)d items of courseware covered", covered), covered
            ),
            _with_count(ngettext("%(n)d item removed", "%(n)d items removed", uncovered), uncovered),
        ]
    said = ", ".join(part for part in parts if part)
    return said or _("nothing to make or change")


def _total(lines: Sequence[Line], action: str) -> int:
    return sum(1 if line.count is None else line.count for line in lines if line.action == action)


def _with_count(words: str, count: int) -> str:
    return words % {"n": count} if count else ""


def _run_line(run: RunPlan) -> Line:
    return Line("make_run", key=run.key, title=run.title, note=run.warning)


def _code_lines(step: CodeStep) -> Iterator[Line]:
    for one in fields(CodeChange):
        count = getattr(step.change, one.name)
        if count:
            yield Line(one.name, key=step.key, title=step.title, count=count)
