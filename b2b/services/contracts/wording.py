"""Plans in words: a line for each step, and sentences that count the steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from b2b.services.contracts.plan import CodeStep, ReconcilePlan
from b2b.services.products.runs import RunPlan
from b2b.services.products.targets import CodeChange

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

ACTIONS: dict[str, StrOrPromise] = {
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

# Actions that are counted as another one.
COUNTED_AS = {"retire": "switch_off", "withdraw": "switch_off", "make_discount": "repair_product"}

# The parts of a summary, in its order: “1 run made, 200 codes made, 12 codes switched off”.
SUMMARY = {
    "make_run": ngettext_lazy("%(number)s run made", "%(number)s runs made", "n"),
    "take_over_run": ngettext_lazy("%(number)s run taken over", "%(number)s runs taken over", "n"),
    "give_back_run": ngettext_lazy("%(number)s run restored", "%(number)s runs restored", "n"),
    "remove_run": ngettext_lazy("%(number)s run removed", "%(number)s runs removed", "n"),
    "move_dates": ngettext_lazy("dates of %(number)s run moved", "dates of %(number)s runs moved", "n"),
    "keep_dates": ngettext_lazy("%(number)s run keeps its dates", "%(number)s runs keep their dates", "n"),
    "repair_product": ngettext_lazy("%(number)s product set right", "%(number)s products set right", "n"),
    "set_price": ngettext_lazy("%(number)s price set", "%(number)s prices set", "n"),
    "make": ngettext_lazy("%(number)s code made", "%(number)s codes made", "n"),
    "switch_on": ngettext_lazy("%(number)s code switched on again", "%(number)s codes switched on again", "n"),
    "switch_off": ngettext_lazy("%(number)s code switched off", "%(number)s codes switched off", "n"),
    "unlimit": ngettext_lazy("%(number)s code unlimited", "%(number)s codes unlimited", "n"),
    "limit": ngettext_lazy("%(number)s code limited to one use", "%(number)s codes limited to one use", "n"),
    "delete": ngettext_lazy("%(number)s code deleted", "%(number)s codes deleted", "n"),
}

# What a summary says where none of the above happens: where there are runs, they say it.
SUMMARY_WITHOUT_RUNS = {
    "make_organization": ngettext_lazy("a new organization", "%(number)s new organizations", "n"),
    "make_contract": ngettext_lazy("a new contract", "%(number)s new contracts", "n"),
    "cover": ngettext_lazy("%(number)s item of courseware covered", "%(number)s items of courseware covered", "n"),
    "remove_courseware": ngettext_lazy("%(number)s item removed", "%(number)s items removed", "n"),
}

# A sentence each, in the order in which a change of terms does them.
SENTENCES = {
    "make_run": ngettext_lazy(
        "Makes %(number)s run with its product.", "Makes %(number)s runs with their products.", "n"
    ),
    "move_dates": ngettext_lazy("Moves the dates of %(number)s run.", "Moves the dates of %(number)s runs.", "n"),
    "set_price": ngettext_lazy(
        "Sets the price of %(number)s course to %(price)s; orders keep theirs.",
        "Sets the price of %(number)s courses to %(price)s; orders keep theirs.",
        "n",
    ),
    "repair_product": ngettext_lazy(
        "Sets %(number)s product and its discount right.", "Sets %(number)s products and discounts right.", "n"
    ),
    "unlimit": ngettext_lazy("Makes %(number)s code unlimited.", "Makes %(number)s codes unlimited.", "n"),
    "limit": ngettext_lazy("Limits %(number)s code to one use.", "Limits %(number)s codes to one use each.", "n"),
    "switch_on": ngettext_lazy("Switches %(number)s code on again.", "Switches %(number)s codes on again.", "n"),
    "make": ngettext_lazy("Makes %(number)s code.", "Makes %(number)s codes.", "n"),
    "switch_off": ngettext_lazy("Switches off %(number)s code.", "Switches off %(number)s codes.", "n"),
    "delete": ngettext_lazy(
        "Deletes %(number)s code that no one has.", "Deletes %(number)s codes that no one has.", "n"
    ),
}


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One step of a plan; ``action`` is a key of ``ACTIONS``, ``count`` how many codes it concerns."""

    action: str
    key: str = ""
    title: str = ""
    count: int | None = None
    note: str = ""

    @property
    def label(self) -> str:
        return str(ACTIONS[self.action])


def reconcile_lines(plan: ReconcilePlan) -> list[PlanLine]:
    """The steps of a reconcile, in the order it takes them."""
    lines = [run_line(run) for run in plan.runs]
    lines += [PlanLine("make_discount", key=product.item_id, title=title) for product, title in plan.missing_discounts]
    for step in plan.prices:
        old, new = step.product.money, plan.terms.money
        if old != new:
            note = f"{old.formatted()} → {new.formatted()}"
            lines.append(PlanLine("set_price", key=step.product.item_id, title=step.title, note=note))
        elif step.is_repair:
            lines.append(PlanLine("repair_product", key=step.product.item_id, title=step.title))
    return lines + [line for step in plan.codes for line in _code_lines(step)]


def run_line(run: RunPlan) -> PlanLine:
    return PlanLine("make_run", key=run.key, title=run.title, note=run.warning)


def _code_lines(step: CodeStep) -> Iterator[PlanLine]:
    for field in fields(CodeChange):
        if count := getattr(step.change, field.name):
            yield PlanLine(field.name, key=step.key, title=step.title, count=count)


def count_actions(lines: Sequence[PlanLine]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in lines:
        counts[COUNTED_AS.get(line.action, line.action)] += 1 if line.count is None else line.count
    return counts


def summarize(lines: Sequence[PlanLine]) -> str:
    """All lines in a phrase without a period: “1 run made, 200 codes made”."""
    counts = count_actions(lines)
    for phrases in (SUMMARY, SUMMARY_WITHOUT_RUNS):
        parts = [say_count(phrase, counts[action]) for action, phrase in phrases.items() if counts[action]]
        if parts:
            return ", ".join(parts)
    return _("nothing to make or change")


def say_count(phrase: StrOrPromise, count: int, **values: str) -> str:
    """Fill a number into one of the phrases: ``n`` chooses between singular and plural, ``number`` is its text."""
    return str(phrase % {"n": count, "number": number_format(count, force_grouping=True), **values})
