"""What other terms would do to a contract before they are in force: shown to the editor and by ``--dry-run``.

The plan is what happens, because the functions that do it afterwards decide and count here too (``plan_reconcile``,
``runs_that_follow``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from b2b.codes import IN_CONTRACT, with_code_facts
from b2b.enums import ContractStanding, IntegrationType
from b2b.models import ContractPage, ContractTerms
from b2b.seats import SeatCount, count_seats
from b2b.services.contracts.contracts import ModifyContract, page_to_modify
from b2b.services.contracts.pages import refusing_invalid_pages
from b2b.services.contracts.plan import ReconcilePlan, Supposed, plan_reconcile
from b2b.services.contracts.term_words import TERMS, format_term, term_label
from b2b.services.contracts.terms import Days, Following, changed_terms, runs_that_follow, terms_as_written
from b2b.services.contracts.wording import (
    SENTENCES,
    PlanLine,
    count_actions,
    reconcile_lines,
    say_count,
)
from courses.models import Enrollment
from ecommerce.codes import CAN_BE_USED
from ecommerce.models import DiscountCode
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class TermChange:
    """One term that changes, in words."""

    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DateMove:
    """A run whose dates follow the contract's, with its new dates."""

    key: str
    title: str
    start: datetime | None
    end: datetime | None
    is_removed: bool

    @property
    def note(self) -> str:
        return f"{_format_day(self.start)} – {_format_day(self.end)}"


@dataclass(frozen=True, slots=True)
class DateStay:
    """A run that can't follow the contract's dates, and the reason in words."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True)
class TermsPlan:
    """Terms that aren't in force yet, and everything that follows from them.

    ``ending`` counts people in runs whose new end is past, ``codes_that_stay`` the codes that keep working although the
    contract no longer asks for any. ``seats`` are counted now, with the cap that is to come.
    """

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
    seats: SeatCount

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.dates and not self.stays and self.reconcile.is_empty

    @property
    def cap(self) -> int | None:
        return self.after.max_learners

    @cached_property
    def lines(self) -> list[PlanLine]:
        """The steps, in the order they are taken."""
        moves = [
            PlanLine("move_dates", key=move.key, title=move.title, note=move.note)
            for move in self.dates
            if not move.is_removed
        ]
        stays = [PlanLine("keep_dates", key=stay.key, title=stay.title, note=stay.reason) for stay in self.stays]
        return moves + stays + reconcile_lines(self.reconcile)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know before they confirm."""
        return tuple(_warnings(self))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What follows, a sentence each, in the order it happens."""
        return (*_describe_standing(self), *_describe_steps(self), *_describe_seats(self))

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.contract_id, self.changes, self.sentences, self.warnings)


def plan_terms(*, page: ContractPage, now: datetime) -> TermsPlan:
    """Plan the publication of this page as it is in memory; nothing is written.

    Raises TermsInvalid, CourseKeyImpossible.
    """
    with refusing_invalid_pages():
        page.full_clean()
    return _plan(page.pk, after=terms_as_written(page), now=now)


def plan_modify_contract(request: ModifyContract, *, now: datetime) -> TermsPlan:
    """Plan what ``modify_contract`` does with this request; nothing is written. Raises what it raises."""
    return plan_terms(page=page_to_modify(request), now=now)


def _plan(contract_id: int, *, after: ContractTerms, now: datetime) -> TermsPlan:
    before = ContractTerms.objects.filter(pk=contract_id).select_related("organization").first()
    following = Following()
    if before is not None:
        following = runs_that_follow(contract_id=contract_id, old=Days.of(before), new=Days.of(after))
    seats = count_seats([contract_id]).get(contract_id, SeatCount())
    reconcile = plan_reconcile(contract_id=contract_id, now=now, supposed=Supposed(terms=after))
    today = date_of(now)
    return TermsPlan(
        contract_id=contract_id,
        before=before,
        after=after,
        changes=tuple(_term_changes(before, after)),
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
        ending=_count_people_in_ended_runs(following, now=now),
        codes_that_stay=_count_codes_that_stay(before, after, reconcile),
        seats=replace(seats, cap=after.max_learners),
    )


def _count_people_in_ended_runs(following: Following, *, now: datetime) -> int:
    ended = [run.course_run_id for run in following.moves if run.course_run.end_date and run.course_run.end_date < now]
    if not ended:
        return 0
    return Enrollment.objects.active().filter(run__in=ended).values("user").distinct().count()


def _count_codes_that_stay(before: ContractTerms | None, after: ContractTerms, plan: ReconcilePlan) -> int:
    if before is None or after.needs_codes or not before.needs_codes:
        return 0
    codes = with_code_facts(DiscountCode.objects.filter(**{IN_CONTRACT: after.pk}))
    change = plan.code_change
    return max(
        0, codes.filter(CAN_BE_USED).count() - change.delete - change.retire - change.switch_off - change.withdraw
    )


# --- In words --------------------------------------------------------------------------------------------------------


def _term_changes(before: ContractTerms | None, after: ContractTerms) -> Iterator[TermChange]:
    names = set(changed_terms(before, after)) if before is not None else set(TERMS)
    for name in TERMS:
        if name in names:
            yield TermChange(
                name=name,
                label=term_label(name),
                before=format_term(before, name) if before is not None else "",
                after=format_term(after, name),
            )


def _format_day(value: datetime | None) -> str:
    return date_format(localtime(value), "DATE_FORMAT") if value else _("no end")


def _describe_standing(plan: TermsPlan) -> Iterator[str]:
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
    if plan.standing is not plan.standing_before:
        yield from _describe_days(plan)
    yield from _describe_doors(plan)


def _describe_days(plan: TermsPlan) -> Iterator[str]:
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
        if plan.seats.joined:
            yield say_count(
                ngettext_lazy(
                    "%(number)s member keeps their seat and courses.",
                    "%(number)s members keep their seats and courses.",
                    "n",
                ),
                plan.seats.joined,
            )
    elif plan.standing is ContractStanding.OPEN and plan.standing_before in (
        ContractStanding.ENDED,
        ContractStanding.NOT_STARTED,
    ):
        yield _("The contract is open from now on: people get in, and its codes work.")


def _describe_doors(plan: TermsPlan) -> Iterator[str]:
    before, after = plan.before, plan.after
    if before is None:
        return
    if before.integration_type != after.integration_type:
        if after.integration_type == IntegrationType.NON_SSO:
            yield _(
                "People join with codes. Those who joined by signing in keep their seats until they leave the "
                "organization."
            )
        elif after.is_free:
            yield _("People of the organization join by signing in.")
        else:
            yield _("People of the organization see the price once they have signed in, and pay with a code.")
    if plan.codes_that_stay:
        sentence = ngettext_lazy(
            "%(number)s live code keeps working: it lets people in beside signing in.",
            "%(number)s live codes keep working: they let people in beside signing in.",
            "n",
        )
        yield say_count(sentence, plan.codes_that_stay)
    if before.max_learners is not None and after.max_learners is None:
        yield _("There is no learner cap any more: any number of people can join.")


def _describe_steps(plan: TermsPlan) -> Iterator[str]:
    counts = count_actions(plan.lines)
    for action, sentence in SENTENCES.items():
        if counts[action]:
            yield say_count(sentence, counts[action], price=plan.after.money.formatted())
        if action == "move_dates":
            for stay in plan.stays:
                yield _("“%(title)s” keeps its dates: it %(reason)s.") % {"title": stay.title, "reason": stay.reason}
    if plan.reconcile.staying:
        sentence = ngettext_lazy(
            "%(number)s code more than seats stays on, because someone has it.",
            "%(number)s codes more than seats stay on, because someone has them.",
            "n",
        )
        yield say_count(sentence, plan.reconcile.staying)


def _describe_seats(plan: TermsPlan) -> Iterator[str]:
    changes_cap = plan.before is not None and plan.before.max_learners != plan.cap
    if changes_cap and plan.cap is not None and (plan.seats.taken or plan.seats.invited):
        yield _("Seats: %(seats)s.") % {"seats": plan.seats.sentence}
    if not plan.seats.over_cap:
        return
    if plan.seats.invited:
        sentence = ngettext_lazy(
            "%(number)s seat more than the cap is taken or kept for an invited person: no one is removed, the invited "
            "still get in, and no one else does until there is room.",
            "%(number)s seats more than the cap are taken or kept for invited people: no one is removed, the invited "
            "still get in, and no one else does until there is room.",
            "n",
        )
    else:
        sentence = ngettext_lazy(
            "%(number)s seat more than the cap is taken: no one is removed, and no one gets in until there is room.",
            "%(number)s seats more than the cap are taken: no one is removed, and no one gets in until there is room.",
            "n",
        )
    yield say_count(sentence, plan.seats.over_cap)


def _warnings(plan: TermsPlan) -> Iterator[str]:
    after = plan.after
    if after.active and (warning := no_cap_warning(after.integration_type, after.max_learners)):
        yield warning
    if after.active and not after.organization.live:
        yield _(
            "The organization “%(name)s” isn’t published: its members can’t find its page, and no one joins it by "
            "signing in."
        ) % {"name": after.organization.name}
    yield from plan.reconcile.warnings


def no_cap_warning(integration_type: str, max_learners: int | None) -> str:
    """Warn of a contract whose codes let in any number of people; empty where there is nothing to warn of."""
    if integration_type != IntegrationType.NON_SSO or max_learners:
        return ""
    return _("This contract has no learner cap; one code for each course lets in any number of people.")
