"""What other terms would do to a contract, before they are in force: shown by ``--dry-run`` and to the editor.

Counted and decided by what does it afterwards (``plan_reconcile``, ``runs_that_follow``): so it is what happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.codes import CAN_BE_USED, IN_CONTRACT, with_code_facts
from b2b.enums import ContractStanding, IntegrationType
from b2b.models import ContractPage, ContractTerms
from b2b.seats import SeatCount, count_seats
from b2b.services.contracts.contracts import ModifyContract, page_to_modify
from b2b.services.contracts.pages import saying_what_is_invalid
from b2b.services.contracts.plan import ReconcilePlan, Supposed, plan_reconcile
from b2b.services.contracts.term_words import TERMS, term_in_words, term_label
from b2b.services.contracts.terms import Days, Following, changed_terms, runs_that_follow, terms_as_written
from courses.models import Enrollment
from ecommerce.models import DiscountCode
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money


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
    standing_before: ContractStanding | None
    standing: ContractStanding
    ending: int
    codes_that_stay: int
    # As they stand, with the cap that is to come.
    seats: SeatCount

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes, and nothing follows."""
        return not self.changes and not self.dates and not self.stays and self.reconcile.is_empty

    @property
    def cap(self) -> int | None:
        """How many seats there will be; None without limit."""
        return self.after.max_learners

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
        return fingerprint(self.contract_id, self.changes, self.sentences, self.warnings)


def plan_terms(*, page: ContractPage, now: datetime) -> TermsPlan:
    """What publishing this page, as it stands in memory, would do; nothing is written.

    Raises TermsInvalid for what no contract can say, CourseKeyImpossible.
    """
    with saying_what_is_invalid():
        page.full_clean()
    return _plan(page.pk, after=terms_as_written(page), now=now)


def plan_modify_contract(request: ModifyContract, *, now: datetime) -> TermsPlan:
    """What ``modify_contract`` would do with this request; nothing is written. Raises what it raises."""
    return plan_terms(page=page_to_modify(request), now=now)


def _plan(contract_id: int, *, after: ContractTerms, now: datetime) -> TermsPlan:
    before = ContractTerms.objects.filter(pk=contract_id).select_related("organization").first()
    following = Following()
    if before is not None:
        following = runs_that_follow(contract_id=contract_id, old=Days.of(before), new=Days.of(after))
    seats = count_seats([contract_id]).get(contract_id, SeatCount())
    reconcile, today = plan_reconcile(contract_id=contract_id, now=now, supposed=Supposed(terms=after)), date_of(now)
    return TermsPlan(
        contract_id=contract_id,
        before=before,
        after=after,
        changes=tuple(_changes(before, after)),
        reconcile=reconcile,
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
        standing_before=before.standing_on(today) if before is not None else None,
        standing=after.standing_on(today),
        ending=_people_whose_courses_end(following, now=now),
        codes_that_stay=_codes_that_stay(before, after, reconcile),
        seats=replace(seats, cap=after.max_learners),
    )


def _people_whose_courses_end(following: Following, *, now: datetime) -> int:
    """How many people are in runs whose new end is past; no query where there is none."""
    over = [one.course_run_id for one in following.moves if one.course_run.end_date and one.course_run.end_date < now]
    if not over:
        return 0
    return Enrollment.objects.active().filter(run__in=over).values("user").distinct().count()


def _codes_that_stay(before: ContractTerms | None, after: ContractTerms, plan: ReconcilePlan) -> int:
    """Codes that go on letting people in where the contract asks for none any more; no query elsewhere."""
    if before is None or after.needs_codes or not before.needs_codes:
        return 0
    codes = with_code_facts(DiscountCode.objects.filter(**{IN_CONTRACT: after.pk}))
    change = plan.code_change
    return max(
        0, codes.filter(CAN_BE_USED).count() - change.delete - change.retire - change.switch_off - change.withdraw
    )


# --- In words --------------------------------------------------------------------------------------------------------


def _changes(before: ContractTerms | None, after: ContractTerms) -> Iterator[TermChange]:
    names = set(changed_terms(before, after)) if before is not None else set(TERMS)
    for name in TERMS:
        if name in names:
            yield TermChange(
                name=name,
                label=term_label(name),
                before=term_in_words(before, name) if before is not None else "",
                after=term_in_words(after, name),
            )


def _moment(value: datetime | None) -> str:
    return date_format(localtime(value), "DATE_FORMAT") if value else _("no end")


def _sentences(plan: TermsPlan) -> Iterator[str]:
    yield from _about_standing(plan)
    yield from _about_runs(plan)
    yield from _about_codes(plan)
    yield from _about_seats(plan)


def _about_standing(plan: TermsPlan) -> Iterator[str]:
    yield from _about_being_active(plan)
    if plan.standing is not plan.standing_before:
        yield from _about_days(plan)
    yield from _about_doors(plan)


def _about_days(plan: TermsPlan) -> Iterator[str]:
    start, end = plan.after.start, plan.after.end
    if plan.standing is ContractStanding.ENDED and end is not None:
        yield _("The contract is over: no one new gets in, and its codes are refused.")
        if plan.ending:
            sentence = ngettext(
                "%(n)s person’s courses end on %(day)s.", "%(n)s people’s courses end on %(day)s.", plan.ending
            )
            yield sentence % {
                "n": number_format(plan.ending, force_grouping=True),
                "day": date_format(end, "DATE_FORMAT"),
            }
    elif plan.standing is ContractStanding.NOT_STARTED and start is not None:
        yield _("No one new gets in until %(day)s, when its codes begin to work.") % {
            "day": date_format(start, "DATE_FORMAT")
        }
    elif plan.standing is ContractStanding.OPEN and plan.standing_before in (
        ContractStanding.ENDED,
        ContractStanding.NOT_STARTED,
    ):
        yield _("The contract is open from now on: people get in, and its codes work.")


def _about_doors(plan: TermsPlan) -> Iterator[str]:
    before, after = plan.before, plan.after
    if before is None:
        return
    if before.integration_type != after.integration_type:
        yield (
            _("People of the organization get in by signing in.")
            if after.integration_type == IntegrationType.SSO and after.is_free
            else _("People get in with codes; who came by signing in keeps the seat until they leave the organization.")
            if after.integration_type == IntegrationType.NON_SSO
            else _("People of the organization see the price when they have signed in, and pay with a code.")
        )
    if plan.codes_that_stay:
        yield _with_count(
            ngettext(
                "%(n)s code keeps working, because someone has it: it lets people in beside signing in.",
                "%(n)s codes keep working, because someone has them: they let people in beside signing in.",
                plan.codes_that_stay,
            ),
            plan.codes_that_stay,
        )
    if before.max_learners is not None and after.max_learners is None:
        yield _("There is no learner cap any more: any number of people can join.")


def _about_being_active(plan: TermsPlan) -> Iterator[str]:
    was_active = plan.before is not None and plan.before.active
    if plan.after.active and plan.before is None:
        yield _("The contract comes into force.")
    elif plan.after.active and not was_active:
        yield _("The contract is active again.")
    elif was_active and not plan.after.active:
        yield _(
            "The contract becomes inactive: no one new gets in, its codes are refused, and members keep the courses "
            "they have. No code is made or switched off."
        )


def _about_runs(plan: TermsPlan) -> Iterator[str]:
    runs, dates = len(plan.reconcile.runs), sum(not one.is_removed for one in plan.dates)
    if runs:
        yield _with_count(
            ngettext("Makes %(n)s run with its product.", "Makes %(n)s runs with their products.", runs), runs
        )
    if dates:
        yield _with_count(ngettext("Moves the dates of %(n)s run.", "Moves the dates of %(n)s runs.", dates), dates)
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
        yield _with_count(
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
            ngettext("Deletes %(n)s code that no one has.", "Deletes %(n)s codes that no one has.", codes.delete),
        ),
        (
            plan.reconcile.staying,
            ngettext(
                "%(n)s code more than seats stays on, because someone has it.",
                "%(n)s codes more than seats stay on, because someone has them.",
                plan.reconcile.staying,
            ),
        ),
    )
    for count, sentence in told:
        if count:
            yield _with_count(sentence, count)


def _about_seats(plan: TermsPlan) -> Iterator[str]:
    changes_cap = plan.before is not None and plan.before.max_learners != plan.cap
    if changes_cap and plan.cap is not None and (plan.seats.taken or plan.seats.invited):
        yield _("Seats: %(seats)s.") % {"seats": plan.seats.sentence}
    above = plan.seats.above
    if not above:
        return
    if plan.seats.invited:
        sentence = ngettext(
            "%(n)s seat more than the cap is taken or kept for an invited person: no one is removed, the invited still "
            "get in, and no one else does until there is room.",
            "%(n)s seats more than the cap are taken or kept for invited people: no one is removed, the invited still "
            "get in, and no one else does until there is room.",
            above,
        )
    else:
        sentence = ngettext(
            "%(n)s seat more than the cap is taken: no one is removed, and no one gets in until there is room.",
            "%(n)s seats more than the cap are taken: no one is removed, and no one gets in until there is room.",
            above,
        )
    yield _with_count(sentence, above)


def _warnings(plan: TermsPlan) -> Iterator[str]:
    after = plan.after
    if after.active and (warning := no_cap_warning(after.integration_type, after.max_learners)):
        yield warning
    if after.active and not after.organization.live:
        yield _(
            "The organization “%(name)s” is not published: its members don't find its page, and no one joins it "
            "by signing in."
        ) % {"name": after.organization.name}
    yield from plan.reconcile.warnings


def no_cap_warning(integration_type: str, max_learners: int | None) -> str:
    """Warn of a contract whose codes let in any number of people; empty where there is nothing to warn of."""
    if integration_type != IntegrationType.NON_SSO or max_learners:
        return ""
    return _("This contract has no learner cap; one code for each course lets in any number of people.")


def _with_count(sentence: str, count: int) -> str:
    return sentence % {"n": number_format(count, force_grouping=True)}
