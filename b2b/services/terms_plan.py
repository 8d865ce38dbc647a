"""What other terms would do to a contract, before they are in force: shown by ``--dry-run`` and to the editor.

Counted and decided by what does it afterwards (``plan_reconcile``, ``runs_that_follow``): so it is what happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.db.models import Count, Q
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.enums import IntegrationType, MembershipState
from b2b.models import ContractMembership, ContractPage, ContractTerms
from b2b.services.contracts import changed_page, refuse_over_draft
from b2b.services.plan import ReconcilePlan, Supposed, plan_reconcile, terms_in_force
from b2b.services.terms import Days, Following, changed_terms, runs_that_follow, terms_as_written
from b2b.services.tree import saying_what_is_invalid
from mitxonline.kernel.money import Money

# The page's field whose label stands for a term.
_FIELDS = {
    "integration_type": "integration_type",
    "active": "active",
    "start": "contract_start",
    "end": "contract_end",
    "max_learners": "max_learners",
    "price": "enrollment_fixed_price",
    "currency": "currency",
    "codes_only_for_assignee": "codes_only_for_assignee",
}


@dataclass(frozen=True, slots=True)
class TermChange:
    """One term that changes, in words."""

    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DateMove:
    """A run whose dates follow the contract's."""

    key: str
    title: str
    start: datetime | None
    end: datetime | None
    is_removed: bool

    @property
    def note(self) -> str:
        """The days it then has."""
        return f"{_moment(self.start)} – {_moment(self.end)}"


@dataclass(frozen=True, slots=True)
class DateStay:
    """A run that can't follow the contract's dates, and the reason in words."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class PriceMove:
    """A course whose price follows the contract's."""

    key: str
    title: str
    old: Money
    new: Money


@dataclass(frozen=True)
class TermsPlan:
    """Terms that are not in force yet, and everything that follows from them."""

    contract_id: int
    before: ContractTerms | None
    after: ContractTerms
    changes: tuple[TermChange, ...]
    reconcile: ReconcilePlan
    dates: tuple[DateMove, ...]
    stays: tuple[DateStay, ...]
    members: int
    held: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes, and nothing follows."""
        return not self.changes and not self.dates and not self.stays and self.reconcile.is_empty

    @property
    def cap(self) -> int | None:
        """How many seats there will be; None without limit."""
        return self.after.max_learners

    @property
    def members_above_cap(self) -> int:
        """Seats taken or held beyond the new cap."""
        return 0 if self.cap is None else max(self.members + self.held - self.cap, 0)

    @property
    def prices(self) -> tuple[PriceMove, ...]:
        """Courses whose price changes."""
        moves = (
            PriceMove(
                key=step.product.item_id,
                title=step.title,
                old=Money(step.product.price, step.product.currency),
                new=self.after.money,
            )
            for step in self.reconcile.prices
        )
        return tuple(move for move in moves if move.old != move.new)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before it is done."""
        return tuple(_warnings(self))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What follows, for people, in the order it happens."""
        return tuple(_sentences(self))

    @property
    def fingerprint(self) -> str:
        """Of what was shown: equal as long as the same terms would do the same."""
        told = (self.contract_id, self.changes, self.sentences, self.warnings)
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()


def plan_terms(*, page: ContractPage, now: datetime) -> TermsPlan:
    """What publishing this page, as it stands in memory, would do; nothing is written.

    Raises TermsInvalid for what no contract can say, CourseKeyImpossible.
    """
    with saying_what_is_invalid():
        page.full_clean()
    return _plan(page.pk, after=terms_as_written(page), now=now)


def plan_modify(*, contract_id: int, changes: Mapping[str, Any], now: datetime, over_draft: bool = False) -> TermsPlan:
    """What publishing the contract with these columns of its page changed would do; nothing is written.

    Refuses like ``modify_contract``.
    """
    page = changed_page(contract_id=contract_id, changes=changes)
    if not over_draft:
        refuse_over_draft(page)
    return plan_terms(page=page, now=now)


def plan_unpublish(*, contract_id: int, now: datetime) -> TermsPlan:
    """What taking the contract's page off the site would do; nothing is written. Raises ContractNotPublished."""
    terms = copy(terms_in_force(contract_id))
    terms.active = False
    return _plan(contract_id, after=terms, now=now)


def _plan(contract_id: int, *, after: ContractTerms, now: datetime) -> TermsPlan:
    before = ContractTerms.objects.filter(pk=contract_id).select_related("organization").first()
    following = Following()
    if before is not None:
        following = runs_that_follow(contract_id=contract_id, old=Days.of(before), new=Days.of(after))
    seats = ContractMembership.objects.filter(contract_id=contract_id).aggregate(
        members=Count("pk", filter=Q(state=MembershipState.ACTIVE)),
        held=Count("pk", filter=Q(state=MembershipState.HELD)),
    )
    return TermsPlan(
        contract_id=contract_id,
        before=before,
        after=after,
        changes=tuple(_changes(before, after)),
        reconcile=plan_reconcile(contract_id=contract_id, now=now, supposed=Supposed(terms=after)),
        dates=tuple(
            DateMove(
                key=run.course_run.courseware_id,
                title=run.course_run.title,
                start=run.course_run.start_date,
                end=run.course_run.end_date,
                is_removed=run.removed_at is not None,
            )
            for run in following.moves
        ),
        stays=tuple(
            DateStay(key=stay.run.course_run.courseware_id, title=stay.run.course_run.title, reason=stay.reason)
            for stay in following.stays
        ),
        members=seats["members"],
        held=seats["held"],
    )


# --- In words --------------------------------------------------------------------------------------------------------


def _changes(before: ContractTerms | None, after: ContractTerms) -> Iterator[TermChange]:
    names = set(changed_terms(before, after)) if before is not None else set(_FIELDS)
    for name, field in _FIELDS.items():
        if name in names:
            yield TermChange(
                name=name,
                label=str(ContractPage._meta.get_field(field).verbose_name),
                before=_shown(before, name) if before is not None else "",
                after=_shown(after, name),
            )


def _shown(terms: ContractTerms, name: str) -> str:
    value = getattr(terms, name)
    if name == "integration_type":
        return str(IntegrationType(value).label)
    if name == "price":
        return terms.money.formatted() if value is not None else _("free")
    if name == "max_learners":
        return number_format(value, force_grouping=True) if value is not None else _("no limit")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("none")
    return date_format(value, "DATE_FORMAT") if isinstance(value, date) else str(value)


def _moment(value: datetime | None) -> str:
    return date_format(localtime(value), "DATE_FORMAT") if value else _("no end")


def _sentences(plan: TermsPlan) -> Iterator[str]:
    yield from _about_standing(plan)
    yield from _about_runs(plan)
    yield from _about_codes(plan)
    yield from _about_seats(plan)


def _about_standing(plan: TermsPlan) -> Iterator[str]:
    was_active = plan.before is not None and plan.before.active
    if plan.after.active and plan.before is None:
        yield _("The contract comes into force.")
    elif plan.after.active and not was_active:
        yield _("The contract is active again.")
    elif was_active and not plan.after.active:
        yield _(
            "The contract becomes inactive: nobody new gets in, its codes are refused, and members keep the courses "
            "they have. No code is made or switched off."
        )
    if plan.before is not None and plan.before.integration_type != plan.after.integration_type:
        yield (
            _("People of the organization get in by signing in.")
            if plan.after.integration_type == IntegrationType.SSO and plan.after.is_free
            else _("People get in with codes; who came by signing in keeps the seat until they leave the organization.")
            if plan.after.integration_type == IntegrationType.NON_SSO
            else _("People of the organization see the price when they have signed in, and pay with a code.")
        )


def _about_runs(plan: TermsPlan) -> Iterator[str]:
    runs, dates = len(plan.reconcile.runs), sum(not one.is_removed for one in plan.dates)
    if runs:
        yield _counted(
            ngettext("Makes %(n)s run with its product.", "Makes %(n)s runs with their products.", runs), runs
        )
    if dates:
        yield _counted(ngettext("Moves the dates of %(n)s run.", "Moves the dates of %(n)s runs.", dates), dates)
    for one in plan.stays:
        yield _("“%(title)s” keeps its dates: it %(reason)s.") % {"title": one.title, "reason": one.reason}
    if plan.prices:
        count = len(plan.prices)
        sentence = ngettext(
            "Sets the price of %(n)s course to %(price)s; orders keep theirs.",
            "Sets the price of %(n)s courses to %(price)s; orders keep theirs.",
            count,
        )
        yield sentence % {"n": number_format(count, force_grouping=True), "price": plan.after.money.formatted()}
    steps = [step for step in plan.reconcile.prices if step.is_repair and step.product.money == plan.after.money]
    repaired = len(steps) + len(plan.reconcile.missing_discounts)
    if repaired:
        yield _counted(
            ngettext(
                "Sets %(n)s product and its discount right.", "Sets %(n)s products and discounts right.", repaired
            ),
            repaired,
        )


def _about_codes(plan: TermsPlan) -> Iterator[str]:
    codes = plan.reconcile.code_change
    off = codes.switch_off + codes.retire + codes.withdraw
    told = (
        (codes.unlimit, ngettext("Makes %(n)s code unlimited.", "Makes %(n)s codes unlimited.", codes.unlimit)),
        (
            codes.limit,
            ngettext("Limits %(n)s code to one use.", "Limits %(n)s codes to one use each.", codes.limit),
        ),
        (
            codes.switch_on,
            ngettext("Switches %(n)s code on again.", "Switches %(n)s codes on again.", codes.switch_on),
        ),
        (codes.make, ngettext("Makes %(n)s code.", "Makes %(n)s codes.", codes.make)),
        (off, ngettext("Switches off %(n)s code.", "Switches off %(n)s codes.", off)),
        (
            codes.delete,
            ngettext("Deletes %(n)s code that nobody has.", "Deletes %(n)s codes that nobody has.", codes.delete),
        ),
        (
            plan.reconcile.staying,
            ngettext(
                "%(n)s code more than seats stays on, because somebody has it.",
                "%(n)s codes more than seats stay on, because somebody has them.",
                plan.reconcile.staying,
            ),
        ),
    )
    for count, sentence in told:
        if count:
            yield _counted(sentence, count)


def _about_seats(plan: TermsPlan) -> Iterator[str]:
    above = plan.members_above_cap
    if above:
        yield _counted(
            ngettext(
                "%(n)s seat more than the cap is taken: nobody is removed, and nobody gets in until there is room.",
                "%(n)s seats more than the cap are taken: nobody is removed, and nobody gets in until there is room.",
                above,
            ),
            above,
        )


def _warnings(plan: TermsPlan) -> Iterator[str]:
    after = plan.after
    if after.active and after.integration_type == IntegrationType.NON_SSO and after.max_learners is None:
        yield _("This contract has no learner cap; one code for each course lets in any number of people.")
    if after.active and not after.organization.live:
        yield _(
            "The organization “%(name)s” is not published: its members don't find its page, and nobody joins it "
            "by signing in."
        ) % {"name": after.organization.name}
    yield from plan.reconcile.warnings


def _counted(sentence: str, count: int) -> str:
    return sentence % {"n": number_format(count, force_grouping=True)}
