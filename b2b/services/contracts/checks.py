"""Finding what disagrees with the terms of contracts, and fixing it.

Most of it is in the plan of a reconcile. The rest was changed outside the services, in the Django admin or by SQL. What
an editor may have intended (dates, a run taken off the site) is reported as a note, not an error, and is fixed only on
request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeAlias

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from b2b.enums import MembershipState, ReconcileState
from b2b.models import (
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    Reconcile,
)
from b2b.requests import STUCK_AFTER
from b2b.seats import (
    count_seats,
    lock_terms,
    release_held_seats,
)
from b2b.selectors.contracts import find_contract
from b2b.selectors.seats import people_without_connection
from b2b.services.contracts.plan import CodeStep, PriceStep, ReconcilePlan, plan_reconcile
from b2b.services.contracts.reconcile import contract_lock, run_reconcile
from b2b.services.contracts.terms import bring_into_force, contracts_out_of_line
from courses.enums import RunAccess
from courses.services.runs import reserve_runs, save_runs
from ecommerce.enums import OrderState
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.services.catalog.batches import detach_discounts, put_on_sale_with_code, take_off_sale
from ecommerce.services.discounts.batches import RECOUNT, change_codes, count_miscounted, switch_off
from mitxonline.kernel.audit import Detail, record
from mitxonline.kernel.clock import end_of_day, start_of_day
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Something that isn't as the terms say. ``contract_id`` is None where it belongs to no contract.

    ``is_note``: someone may have intended it, so it is no error, and is fixed only on request.
    """

    contract_id: int | None
    kind: str
    sentence: str
    key: str = ""
    is_note: bool = False


Disagreements: TypeAlias = Iterator[Disagreement]


def check_contracts(*, now: datetime, contract_id: int | None = None) -> list[Disagreement]:
    """Find what disagrees in one contract, or in all; nothing is written. Raises ContractUnknown."""
    if contract_id is not None:
        return list(_check(find_contract(contract_id), now=now))
    contracts = ContractPage.objects.filter(alias_of__isnull=True).order_by("pk")
    found = [each for page in contracts.iterator() for each in _check(page, now=now)]
    return [*found, *_orphans()]


def fix_contract(*, contract_id: int, now: datetime, by_id: int | None = None, reset: bool = False) -> None:
    """Fix what disagrees; with ``reset`` also what was set by hand. Raises what a reconcile raises."""
    with contract_lock(contract_id):
        if bring_into_force(page_id=contract_id, now=now, by_id=by_id) is None:
            return
        with transaction.atomic():
            terms = lock_terms([contract_id])[contract_id]
            kinds = {each.kind for each in _check_products(terms)}
            _close_removed(contract_id, now=now)
            _claim_runs(contract_id, now=now)
            for order_id in sorted(_closed_orders_with_seats(contract_id)):
                release_held_seats(order_id=order_id)
            if reset:
                _reset_dates(terms)
            if kinds or reset:
                data: dict[str, Detail] = {"kinds": sorted(kinds), "reset": reset}
                record(terms.page, "b2b.contract.fix", by_id=by_id, data=data)
        _recount(contract_id)
        run_reconcile(contract_id=contract_id, now=now, reason=_("Fixed after a check"), requested_by_id=by_id)


def fix_orphans() -> int:
    """Switch off codes that belong to no contract; return how many."""
    return switch_off(_orphan_codes())


# --- Checks ----------------------------------------------------------------------------------------------------------


def _check(page: ContractPage, *, now: datetime) -> Disagreements:
    terms = ContractTerms.objects.filter(pk=page.pk).select_related("organization").first()
    if terms is None:
        if page.live:
            yield _disagreement(page.pk, "not_in_force", _("The page is published, but its terms aren’t in force."))
        return
    if page.pk in contracts_out_of_line(stuck_before=now - STUCK_AFTER, contract_id=page.pk):
        yield from _check_revisions(page, terms)
    yield from _check_last_reconcile(page.pk)
    try:
        plan = plan_reconcile(contract_id=page.pk, now=now)
    except DomainError as refusal:
        yield _disagreement(page.pk, "impossible", str(refusal))
    else:
        yield from _check_plan(page.pk, plan)
    yield from _check_products(terms)
    yield from _check_connections(terms)
    yield from _check_counters(terms)
    yield from _check_dates(terms)
    yield from _check_cap(terms)


def _check_revisions(page: ContractPage, terms: ContractTerms) -> Disagreements:
    if page.live and terms.revision_id != (page.live_revision_id or 0):
        yield _disagreement(page.pk, "terms_behind", _("The published terms differ from the terms in force."))
    elif not page.live and terms.active:
        yield _disagreement(page.pk, "terms_behind", _("The page isn’t published, but its terms are still in force."))
    elif terms.reconciled_revision_id != terms.revision_id:
        yield _disagreement(page.pk, "not_reconciled", _("The runs and codes don’t follow the terms in force yet."))
    else:
        yield _disagreement(page.pk, "request_lost", _("An update request for this contract was lost."))


def _check_last_reconcile(contract_id: int) -> Disagreements:
    last = Reconcile.objects.filter(contract_id=contract_id).order_by("-pk").first()
    if last is not None and last.state == ReconcileState.FAILED:
        yield _disagreement(contract_id, "reconcile_failed", _("The last update failed: %s") % last.error)


def _check_plan(contract_id: int, plan: ReconcilePlan) -> Disagreements:
    for run in plan.runs:
        yield _disagreement(contract_id, "missing_run", _("The course has no run and no product."), run.key)
    for product, _title in plan.missing_discounts:
        yield _disagreement(
            contract_id, "missing_discount", _("The product has no discount, so no code opens it."), product
        )
    for price in plan.prices:
        yield _disagreement(contract_id, *_describe_price(price, plan))
    for step in plan.codes:
        yield from _check_codes(contract_id, step)


def _describe_price(step: PriceStep, plan: ReconcilePlan) -> tuple[str, str, Product]:
    product, wanted = step.product, plan.terms.money
    if product.money != wanted:
        sentence = _("The product’s price is %(actual)s; it should be %(wanted)s.")
        return "price", sentence % {"actual": product.money.formatted(), "wanted": wanted.formatted()}, product
    if not product.requires_code:
        return "requires_no_code", _("The product can be bought without a code."), product
    discount = step.discount
    if (discount.amount, discount.currency) != (wanted.amount, wanted.currency):
        price = Money(discount.amount, discount.currency or wanted.currency)
        sentence = _("The discounted price is %(actual)s; it should be %(wanted)s.")
        return "price", sentence % {"actual": price.formatted(), "wanted": wanted.formatted()}, product
    return "discount", _("The discount isn’t set up for a contract: check its type, dates and status."), product


def _check_codes(contract_id: int, step: CodeStep) -> Disagreements:
    change = step.change
    counts = (
        (
            "too_few_codes",
            change.make + change.switch_on,
            ngettext_lazy("%(n)d code is missing.", "%(n)d codes are missing.", "n"),
        ),
        (
            "too_many_codes",
            change.switch_off,
            ngettext_lazy("There is %(n)d extra code.", "There are %(n)d extra codes.", "n"),
        ),
        (
            "wrong_limit",
            change.unlimit + change.limit,
            ngettext_lazy(
                "%(n)d code can be used more or less often than the terms say.",
                "%(n)d codes can be used more or less often than the terms say.",
                "n",
            ),
        ),
        (
            "unwanted_codes",
            change.delete + change.retire,
            ngettext_lazy(
                "%(n)d unassigned code isn’t needed under the terms.",
                "%(n)d unassigned codes aren’t needed under the terms.",
                "n",
            ),
        ),
        (
            "codes_of_removed",
            change.withdraw,
            ngettext_lazy(
                "The course was removed, and %(n)d of its codes is still on.",
                "The course was removed, and %(n)d of its codes are still on.",
                "n",
            ),
        ),
    )
    for kind, count, sentence in counts:
        if count:
            yield _disagreement(contract_id, kind, sentence % {"n": count}, step.key)


def _check_products(terms: ContractTerms) -> Disagreements:
    """Find changes made around the services that a reconcile doesn't check."""
    pk = terms.pk
    for run in _open_removed_runs(pk).select_related("course_run"):
        sentence = _("The course was removed, but its run is live, open to enrollment, or on sale.")
        yield _disagreement(pk, "removed_but_open", sentence, run.course_run.courseware_id)
    for run in _public_runs(pk).select_related("course_run"):
        sentence = _("The run belongs to the contract, but everyone can see it.")
        yield _disagreement(pk, "public", sentence, run.course_run.courseware_id)
    for product in _products_off_sale(pk):
        yield _disagreement(pk, "off_the_shelf", _("The product isn’t on sale, so no code opens it."), product)
    for product in _other_products(pk):
        yield _disagreement(pk, "other_product", _("The run is also on sale outside the contract."), product)
    for product in _products_with_other_discounts(pk):
        yield _disagreement(pk, "other_discount", _("Other discounts apply to the product."), product)
    for _order_id, number in sorted(_closed_orders_with_seats(pk).items()):
        sentence = _("A seat is still held for order %(number)s, which is closed.")
        yield _disagreement(pk, "dead_hold", sentence % {"number": number})


def _check_connections(terms: ContractTerms) -> Disagreements:
    # No sign-in will ever end these seats: a claim is only followed for connected accounts.
    count = len(people_without_connection(terms.pk))
    if count:
        sentence = ngettext(
            "%(n)d person has a seat by single sign-on, but their account isn’t connected any more.",
            "%(n)d people have a seat by single sign-on, but their accounts aren’t connected any more.",
            count,
        )
        yield _disagreement(terms.pk, "no_connection", sentence % {"n": count})


def _check_counters(terms: ContractTerms) -> Disagreements:
    discounts = _discounts(terms.pk)
    counts = count_miscounted(list(discounts))
    for discount_id, count in sorted(counts.items()):
        sentence = ngettext(
            "The use counter of %(n)d code is wrong.",
            "The use counters of %(n)d codes are wrong.",
            count,
        )
        yield _disagreement(terms.pk, "miscounted", sentence % {"n": count}, discounts[discount_id])


def _check_dates(terms: ContractTerms) -> Disagreements:
    runs = ContractRun.objects.current().filter(contract_id=terms.pk).select_related("course_run")
    for run in runs.order_by("pk"):
        for kind, sentence in _describe_dates(terms, run):
            yield Disagreement(terms.pk, kind, sentence, key=run.course_run.courseware_id, is_note=True)


def _describe_dates(terms: ContractTerms, link: ContractRun) -> Iterator[tuple[str, str]]:
    """Describe what was set by hand, and dates of the contract's that couldn't follow because of that."""
    run = link.course_run
    if not run.live:
        yield "set_by_hand", _("The run is not live.")
    start = start_of_day(terms.start) if terms.start else None
    end = end_of_day(terms.end) if terms.end else None
    dates = (
        (run.start_date, link.given_start, start, _("It starts on %(is)s, but the contract starts on %(wanted)s.")),
        (
            run.enrollment_start,
            link.given_start,
            start,
            _("Enrollment opens on %(is)s, but the contract starts on %(wanted)s."),
        ),
        (run.end_date, link.given_end, end, _("It ends on %(is)s, but the contract ends on %(wanted)s.")),
        (
            run.enrollment_end,
            link.given_end,
            end,
            _("Enrollment closes on %(is)s, but the contract ends on %(wanted)s."),
        ),
    )
    for moment, given, wanted, sentence in dates:
        # Without a contract date there is nothing to compare.
        if wanted is not None and moment != wanted:
            text = sentence % {"is": _format_moment(moment), "wanted": _format_moment(wanted)}
            if moment == given:
                sentence = _("%(what)s It couldn’t be changed because it conflicts with another date of the run.")
                yield "cannot_follow", sentence % {"what": text}
            else:
                yield "set_by_hand", text


def _format_moment(moment: datetime | None) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT") if moment else _("no date")


def _check_cap(terms: ContractTerms) -> Disagreements:
    over_cap = count_seats([terms.pk])[terms.pk].over_cap
    if over_cap:
        sentence = ngettext(
            "The contract is %(n)d seat over its cap, counting invitations. No one loses a seat.",
            "The contract is %(n)d seats over its cap, counting invitations. No one loses a seat.",
            over_cap,
        )
        yield Disagreement(terms.pk, "above_cap", sentence % {"n": over_cap}, is_note=True)


def _orphans() -> Disagreements:
    count = _orphan_codes().count()
    if count:
        sentence = ngettext(
            "%(n)d enrollment code is on, but belongs to no contract.",
            "%(n)d enrollment codes are on, but belong to no contract.",
            count,
        )
        yield Disagreement(None, "orphan_codes", sentence % {"n": count})


def _disagreement(contract_id: int, kind: str, sentence: str, about: Product | str = "") -> Disagreement:
    key = about if isinstance(about, str) else about.item_id
    return Disagreement(contract_id, kind, sentence, key=key)


# --- Rows that disagree ----------------------------------------------------------------------------------------------


def _open_removed_runs(contract_id: int) -> QuerySet[ContractRun]:
    enrolling = Q(course_run__enrollment_end__isnull=True) | Q(course_run__enrollment_end__gt=F("removed_at"))
    is_open = Q(course_run__live=True) | enrolling | Q(product__is_active=True)
    return ContractRun.objects.filter(is_open, contract_id=contract_id, removed_at__isnull=False).order_by("pk")


def _public_runs(contract_id: int) -> QuerySet[ContractRun]:
    return ContractRun.objects.filter(contract_id=contract_id, course_run__access=RunAccess.PUBLIC).order_by("pk")


def _current_products(contract_id: int) -> QuerySet[Product]:
    products = Product.objects.filter(contract_run__contract_id=contract_id, contract_run__removed_at__isnull=True)
    return products.select_related("course_run").order_by("pk")


def _products_off_sale(contract_id: int) -> QuerySet[Product]:
    return _current_products(contract_id).filter(is_active=False)


def _other_products(contract_id: int) -> QuerySet[Product]:
    products = Product.objects.filter(course_run__contract_run__contract_id=contract_id, contract_run__isnull=True)
    return products.filter(is_active=True).select_related("course_run").order_by("pk")


def _products_with_other_discounts(contract_id: int) -> QuerySet[Product]:
    named = Product.discounts.through.objects.filter(product=OuterRef("pk"))
    return _current_products(contract_id).filter(Exists(named))


def _closed_orders_with_seats(contract_id: int) -> dict[int, str]:
    """Return the numbers of closed orders that still hold a seat, by order id."""
    held = ContractMembership.objects.filter(contract_id=contract_id, state=MembershipState.HELD)
    dead = held.exclude(order__state=OrderState.PENDING)
    return dict(dead.filter(order__isnull=False).values_list("order__pk", "order__number"))


def _discounts(contract_id: int) -> dict[int, str]:
    """The contract's discounts, those of removed runs included, each with its course key."""
    discounts = Discount.objects.filter(unlocks__contract_run__contract_id=contract_id)
    return dict(discounts.order_by("pk").values_list("pk", "unlocks__course_run__courseware_id"))


def _orphan_codes() -> QuerySet[DiscountCode]:
    return DiscountCode.objects.filter(
        active=True,
        discount__in=Discount.objects.filter(unlocks__isnull=False, unlocks__contract_run__isnull=True),
    )


# --- Fixes -----------------------------------------------------------------------------------------------------------


def _close_removed(contract_id: int, *, now: datetime) -> None:
    """Close removed runs from the moment they were removed: with a later end they would count as open again."""
    rows = list(_open_removed_runs(contract_id).select_related("course_run"))
    runs = []
    for row in rows:
        run, since = row.course_run, row.removed_at or now
        run.live = False
        run.enrollment_start = min(run.enrollment_start or since, since)
        run.enrollment_end = min(run.enrollment_end or since, since)
        runs.append(run)
    if runs:
        save_runs(runs, fields=["live", "enrollment_start", "enrollment_end"])
    take_off_sale([row.product_id for row in rows if row.product_id is not None], now=now)


def _claim_runs(contract_id: int, *, now: datetime) -> None:
    """Hide the contract's runs, put their products on sale, and take other products and discounts away."""
    reserve_runs(list(_public_runs(contract_id).values_list("course_run_id", flat=True)), now=now)
    detach_discounts(list(_products_with_other_discounts(contract_id).values_list("pk", flat=True)))
    put_on_sale_with_code(list(_products_off_sale(contract_id).values_list("pk", flat=True)), now=now)
    take_off_sale(list(_other_products(contract_id).values_list("pk", flat=True)), now=now, requires_code=True)


def _reset_dates(terms: ContractTerms) -> None:
    """Give the runs the contract's dates, and make them live."""
    links = list(ContractRun.objects.current().filter(contract=terms.pk).select_related("course_run").order_by("pk"))
    runs = [link.course_run for link in links]
    start = start_of_day(terms.start) if terms.start else None
    end = end_of_day(terms.end) if terms.end else None
    for run in runs:
        run.live = True
        run.start_date, run.enrollment_start = start or run.start_date, start or run.enrollment_start
        run.end_date, run.enrollment_end = end or run.end_date, end or run.enrollment_end
        if end is not None and start is None:
            # A date set by hand may be after the contract's last day: no run begins after it ends.
            run.start_date = min(run.start_date, end) if run.start_date else None
            run.enrollment_start = min(run.enrollment_start, end) if run.enrollment_start else None
        if start is not None and end is None:
            run.end_date = max(run.end_date, start) if run.end_date else None
            run.enrollment_end = max(run.enrollment_end, start) if run.enrollment_end else None
    if runs:
        fields = ["live", "start_date", "enrollment_start", "end_date", "enrollment_end"]
        save_runs(runs, fields=fields)
        for link in links:
            link.given_start = link.course_run.start_date or link.given_start
            link.given_end = link.course_run.end_date
        ContractRun.objects.bulk_update(links, ["given_start", "given_end"])


def _recount(contract_id: int) -> None:
    """Correct the use counters, in short steps under the terms' lock."""
    counts = count_miscounted(list(_discounts(contract_id)))
    change_codes(RECOUNT, counts, step=partial(_hold_lock, contract_id), progress=lambda _codes: None)


@contextmanager
def _hold_lock(contract_id: int) -> Iterator[None]:
    with transaction.atomic():
        lock_terms([contract_id])
        yield
