"""Terms in force: read from the live page, and nowhere else (ADR 0007).

Wagtail publishes in many ways (an editor, a schedule, a command, an old draft) that share no hook, but all of them
write the page's row. So the row is what is read here, under the terms' lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from b2b.enums import ReconcileState
from b2b.models import ContractPage, ContractRun, ContractTerms, Reconcile
from b2b.services.contracts.term_words import TERMS, format_term, term_label
from b2b.services.products.prices import apply_prices
from b2b.services.products.runs import dates_by_contract
from courses.services.runs import save_runs
from mitxonline.kernel.audit import Detail, record
from mitxonline.kernel.money import Money

# Stands for the revision of a live page that has none: one that was added to the tree as live.
NO_REVISION = 0

TERM_FIELDS = (
    "organization_id",
    "integration_type",
    "active",
    "start",
    "end",
    "max_learners",
    "price",
    "currency",
    "codes_only_for_assignee",
)


def bring_into_force(*, page_id: int, now: datetime, by_id: int | None = None) -> ContractTerms | None:
    """Put the terms of the live page in force, with the runs' dates and the products' prices.

    Does nothing where they are in force already. The terms of a page that isn't live become inactive; None where it
    never was. Safe to call at any time.
    """
    terms, wanted = _terms_and_page(page_id)
    if terms is not None and not _differ(terms, wanted):
        return terms
    if terms is None and wanted is None:
        return None
    with transaction.atomic():
        _lock_terms(page_id, wanted, now=now)
        # Read again under the lock: two publications may overlap, and the second one must see the later page.
        terms, wanted = _terms_and_page(page_id)
        if terms is not None and _differ(terms, wanted):
            _write(terms, wanted, now=now, by_id=by_id)
    return terms


def terms_as_written(page: ContractPage) -> ContractTerms:
    """Read the page's terms, not saved: a cap or price of 0 is none, the price has its currency's digits."""
    price = Money(page.enrollment_fixed_price or 0, page.currency).amount
    return ContractTerms(
        page_id=page.pk,
        organization_id=page.get_parent().pk,
        integration_type=page.integration_type,
        active=page.active,
        start=page.contract_start,
        end=page.contract_end,
        max_learners=page.max_learners or None,
        price=price or None,
        currency=page.currency,
        codes_only_for_assignee=page.codes_only_for_assignee,
        revision_id=page.live_revision_id or NO_REVISION,
    )


def contracts_out_of_line(*, stuck_before: datetime, contract_id: int | None = None) -> list[int]:
    """Find contracts whose page and terms differ, or whose request for a reconcile got lost; all, or just this one."""
    stuck = Reconcile.objects.filter(
        contract=OuterRef("pk"), state=ReconcileState.WAITING, requested_at__lt=stuck_before
    )
    live_but_behind = Q(live=True) & (
        Q(terms__isnull=True) | ~Q(revision=F("in_force")) | ~Q(revision=F("reconciled")) | Exists(stuck)
    )
    gone_but_in_force = Q(live=False, terms__active=True)
    pages = ContractPage.objects.filter(alias_of__isnull=True).annotate(
        revision=Coalesce("live_revision_id", NO_REVISION),
        in_force=Coalesce("terms__revision_id", -1),
        reconciled=Coalesce("terms__reconciled_revision_id", -1),
    )
    if contract_id is not None:
        pages = pages.filter(pk=contract_id)
    return list(pages.filter(live_but_behind | gone_but_in_force).order_by("pk").values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class Days:
    """A contract's first and last day."""

    start: date | None
    end: date | None

    @classmethod
    def of(cls, terms: ContractTerms) -> Days:
        return cls(start=terms.start, end=terms.end)


@dataclass(frozen=True, slots=True)
class Stay:
    """A run that can't follow the contract's days because of a date set by hand, and the reason in words."""

    run: ContractRun
    reason: str


@dataclass(frozen=True, slots=True)
class Following:
    """What a contract's new days do to its runs. Runs in ``moves`` have their new dates in memory.

    ``given`` are all runs that the contract gives new days, also those that keep dates set by hand.
    """

    moves: tuple[ContractRun, ...] = ()
    stays: tuple[Stay, ...] = ()
    given: tuple[ContractRun, ...] = ()


def move_run_dates(*, contract_id: int, old: Days, new: Days) -> Following:
    """Move the runs whose dates are those that the contract last gave them.

    A day that the contract no longer has changes no run, and a date set by hand stays.
    """
    following = runs_that_follow(contract_id=contract_id, old=old, new=new)
    runs = [link.course_run for link in following.moves]
    if runs:
        save_runs(runs, fields=["start_date", "enrollment_start", "end_date", "enrollment_end"])
    if following.given:
        ContractRun.objects.bulk_update(following.given, ["given_start", "given_end"])
    return following


def runs_that_follow(*, contract_id: int, old: Days, new: Days) -> Following:
    """Find the runs that follow, with their new dates in memory, and those that can't; nothing is written.

    Removed runs follow too, so that they have the contract's dates if they come back. They aren't listed in ``stays``.
    """
    if old == new:
        return Following()
    links = ContractRun.objects.filter(contract_id=contract_id).select_related("course_run").order_by("pk")
    moves, stays, given = [], [], []
    for link in links:
        has_moved, reason = _follow(link, old=old, new=new)
        if has_moved:
            moves.append(link)
        if not reason:
            given.append(link)
        elif link.removed_at is None:
            stays.append(Stay(run=link, reason=reason))
    return Following(moves=tuple(moves), stays=tuple(stays), given=tuple(given))


def changed_terms(old: ContractTerms, new: ContractTerms) -> Iterator[str]:
    """The names of the terms in which these two differ."""
    return (name for name in TERM_FIELDS if getattr(old, name) != getattr(new, name))


def _follow(link: ContractRun, *, old: Days, new: Days) -> tuple[bool, str]:
    """Move one run in memory. Return whether it moved and, where it can't, the reason.

    A date follows as long as it is the one that the contract last gave, also if the run couldn't follow in between, or
    if the contract had no such day for a while.
    """
    run = link.course_run
    start, end = _days_from_terms(link, old=old, new=new)
    before = (run.start_date, run.enrollment_start, run.end_date, run.enrollment_end)
    begins, opens = (start if each == link.given_start else each for each in before[:2])
    ends, closes = (end if each == link.given_end else each for each in before[2:])
    for first, last in ((begins, ends), (opens, closes)):
        if first is not None and last is not None and first > last:
            if last != end:
                return False, _("ends on %(day)s, before the contract’s first day") % {"day": _format_day(last)}
            return False, _("begins on %(day)s, after the contract’s last day") % {"day": _format_day(first)}
    run.start_date, run.enrollment_start, run.end_date, run.enrollment_end = begins, opens, ends, closes
    link.given_start, link.given_end = start, end
    return (begins, opens, ends, closes) != before, ""


def _days_from_terms(link: ContractRun, *, old: Days, new: Days) -> tuple[datetime, datetime | None]:
    """The dates that the new days give the run. A day that the contract no longer has leaves the date it gave."""
    start, end = dates_by_contract(start=new.start, end=new.end, added_at=link.added_at)
    if new.start is None:
        without_day = dates_by_contract(start=None, end=old.end, added_at=link.added_at)[0]
        if link.given_start not in (without_day, link.added_at):
            start = link.given_start
    return start, end if new.end is not None else link.given_end


def _format_day(moment: datetime) -> str:
    return date_format(localtime(moment), "DATE_FORMAT")


def _terms_and_page(page_id: int) -> tuple[ContractTerms | None, ContractTerms | None]:
    """The terms in force, and those of the live page; None where it isn't live."""
    terms = ContractTerms.objects.filter(pk=page_id).first()
    page = ContractPage.objects.filter(pk=page_id, live=True, alias_of__isnull=True).first()
    return terms, terms_as_written(page) if page is not None else None


def _differ(terms: ContractTerms, wanted: ContractTerms | None) -> bool:
    if wanted is None:
        return terms.active or terms.revision_id is not None
    return terms.revision_id != wanted.revision_id or any(changed_terms(terms, wanted))


def _write(terms: ContractTerms, wanted: ContractTerms | None, *, now: datetime, by_id: int | None) -> None:
    """Save the wanted terms, or that none are in force. The caller holds the lock."""
    stays: list[str] = []
    if wanted is None:
        changes = [f"{term_label('active')}: {_('yes')} → {_('no')}"] if terms.active else []
        terms.active, terms.revision_id, terms.in_force_since = False, None, now
    else:
        changes = [
            f"{term_label(name)}: {format_term(terms, name)} → {format_term(wanted, name)}"
            for name in changed_terms(terms, wanted)
            if name in TERMS
        ]
        if any(changed_terms(terms, wanted)):
            stays = _move_dates_and_prices(terms, wanted, now=now, by_id=by_id)
            terms.in_force_since = now
        for name in (*TERM_FIELDS, "revision_id"):
            setattr(terms, name, getattr(wanted, name))
    terms.save(update_fields=[*TERM_FIELDS, "revision_id", "in_force_since"])
    if changes:
        data: dict[str, Detail] = {"changes": changes, "revision": terms.revision_id}
        if stays:
            data["runs_that_stay"] = stays
        record(terms.page, "b2b.terms.change", by_id=by_id, data=data)


def _move_dates_and_prices(old: ContractTerms, new: ContractTerms, *, now: datetime, by_id: int | None) -> list[str]:
    """Move what can't wait for the reconcile: dates, and prices, or someone would pay the old one.

    Returns the keys of runs that couldn't follow the dates.
    """
    following = move_run_dates(contract_id=old.pk, old=Days.of(old), new=Days.of(new))
    if old.money != new.money:
        current = ContractRun.objects.current().filter(contract_id=old.pk).order_by("pk")
        products = current.filter(product__isnull=False).values_list("product__pk", flat=True)
        discounts = current.filter(product__unlocked_by__isnull=False).values_list("product__unlocked_by", flat=True)
        apply_prices(terms=new, product_ids=list(products), discount_ids=list(discounts), now=now, by_id=by_id)
    return [stay.run.course_run.courseware_id for stay in following.stays]


def _lock_terms(page_id: int, wanted: ContractTerms | None, *, now: datetime) -> None:
    """Lock the row of the terms. The first time it is inserted, inactive; others may do that at the same moment."""
    if wanted is not None and not ContractTerms.objects.locked().filter(pk=page_id):
        blank = ContractTerms(
            page_id=page_id,
            organization_id=wanted.organization_id,
            integration_type=wanted.integration_type,
            active=False,
            currency=wanted.currency,
            in_force_since=now,
        )
        ContractTerms.objects.bulk_create([blank], ignore_conflicts=True)
    list(ContractTerms.objects.locked().filter(pk=page_id))
