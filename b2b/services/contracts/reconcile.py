"""Bringing a contract's runs, products and codes in line with its terms.

Publications, changed courseware, commands and the sweep all end here. A reconcile plans, changes what the plan says in
short transactions, and plans again until nothing is left. So it can be stopped anywhere and started again, and running
it twice does no harm. Only one works on a contract at a time, and learners wait for one short step at most.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TypeAlias

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from b2b.enums import ReconcileState
from b2b.errors.contracts import ContractNotPublished
from b2b.models import ContractTerms, Reconcile
from b2b.selectors.contracts import find_contract
from b2b.services.contracts.plan import CodeStep, ReconcilePlan, plan_reconcile
from b2b.services.contracts.terms import bring_into_force
from b2b.services.products.prices import apply_prices
from b2b.services.products.runs import make_discounts, make_runs
from ecommerce.services.discounts.batches import (
    DELETE,
    LIMIT,
    RETIRE,
    SWITCH_OFF,
    SWITCH_ON,
    UNLIMIT,
    WITHDRAW,
    change_codes,
    make_codes,
)
from mitxonline.coordinator.deliveries import describe_error
from mitxonline.kernel import clock
from mitxonline.kernel.db import named_lock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.metrics import observe

# Terms that change during a reconcile are followed too, but not for ever.
ROUNDS = 12

# Called with the number of codes that are done, and of all.
Progress: TypeAlias = "Callable[[int, int], None]"

# The order matters: missing codes are switched on before any are made, and limits are set before any are switched off.
_CHANGES = (
    ("unlimit", UNLIMIT),
    ("limit", LIMIT),
    ("switch_on", SWITCH_ON),
    ("switch_off", SWITCH_OFF),
    ("delete", DELETE),
    ("retire", RETIRE),
    ("withdraw", WITHDRAW),
)


class Unsettled(RuntimeError):
    """After many rounds there is still something to do: the plan and what is done contradict each other."""


class TermsMoved(Exception):
    """Other terms came into force since the plan was made."""


def contract_lock(contract_id: int, *, wait: bool = True) -> AbstractContextManager[None]:
    """Keep other reconciles off the contract, over several transactions.

    The same database session can take it twice: a command takes it around a change and the reconcile after it, so that
    no worker steps in between. Raises LockTaken if another session has it and ``wait`` is false.
    """
    return named_lock("b2b.reconcile", contract_id, wait=wait)


def run_reconcile(
    *,
    contract_id: int,
    now: datetime,
    progress: Progress | None = None,
    reason: str = "",
    requested_by_id: int | None = None,
    wait: bool = True,
) -> Reconcile:
    """Bring the contract in line now, and return the record of what was done.

    Takes over a waiting request, and continues a reconcile that was killed. Where there is nothing to do and no request
    waits, the record isn't saved.
    Raises ContractNotPublished, CourseKeyImpossible; LockTaken if another reconcile is running and ``wait`` is false.
    """
    with contract_lock(contract_id, wait=wait):
        record = _take_record(contract_id, now=now) or Reconcile(
            contract_id=contract_id,
            reason=reason[:255],
            requested_by_id=requested_by_id,
            requested_at=now,
            started_at=now,
            state=ReconcileState.RUNNING,
        )
        run = ReconcileRun(record=record, now=now, progress=progress)
        begin = time.monotonic()
        try:
            plan = run.settle()
        except (Exception, KeyboardInterrupt) as error:
            # If the database is gone the record stays “running”, and the next reconcile continues it.
            with suppress(DatabaseError):
                _fail(record, error)
            observe("reconcile", ("failed",), time.monotonic() - begin)
            raise
        _finish(record, plan, run.changes)
        observe("reconcile", ("done",), time.monotonic() - begin)
    return record


class ReconcileRun:
    """One run of a reconcile, with what it changed so far."""

    def __init__(self, *, record: Reconcile, now: datetime, progress: Progress | None) -> None:
        self.record = record
        self.now = now
        self.progress = progress
        self.changes: Counter[str] = Counter()
        self.done = 0
        self.total = 0

    def settle(self) -> ReconcilePlan:
        """Plan and apply until there is nothing left to do; return the last, empty plan."""
        contract_id = self.record.contract_id
        for _round in range(ROUNDS):
            if bring_into_force(page_id=contract_id, now=self.now) is None:
                raise ContractNotPublished(name=find_contract(contract_id).name)
            plan = plan_reconcile(contract_id=contract_id, now=self.now)
            is_first_round = not self.record.before
            if is_first_round:
                self.record.before = dict(plan.counts)
            if plan.is_empty:
                return plan
            if is_first_round:
                # A reconcile that continues this one couldn't count any more what there was before.
                self.record.save()
            with suppress(TermsMoved):
                self.apply(plan)
        raise Unsettled(f"contract {contract_id} is not in line after {ROUNDS} rounds")

    def apply(self, plan: ReconcilePlan) -> None:
        """Make the plan's changes. Raises TermsMoved as soon as its terms are no longer in force."""
        self.total = self.done + plan.code_change.total
        step = partial(_step, plan.terms)
        codes_of_new_discounts = self.make_runs(plan, step)
        self.set_prices(plan, step)
        known = [code_step for code_step in plan.codes if code_step.discount_id is not None]
        max_uses = None if plan.terms.max_learners is None else 1
        for name, change in _CHANGES:
            self.changes[f"codes_{name}"] += change_codes(
                change, _counts(known, name), max_uses=max_uses, step=step, progress=self.report
            )
        self.changes["codes_make"] += make_codes(
            _counts(known, "make") | codes_of_new_discounts,
            max_uses=max_uses,
            now=self.now,
            step=step,
            progress=self.report,
        )

    def make_runs(self, plan: ReconcilePlan, step: Callable[[], AbstractContextManager[None]]) -> dict[int, int]:
        """Create the missing runs, products and discounts, and return how many codes each new discount needs."""
        if not plan.runs and not plan.missing_discounts:
            return {}
        with step():
            made = make_runs(plans=plan.runs, terms=plan.terms, now=self.now, by_id=self.record.requested_by_id)
            discounts = make_discounts([*made, *plan.missing_discounts], terms=plan.terms)
        self.changes["runs_made"] += len(made)
        self.changes["products_made"] += len(made)
        first = plan.first_change.make
        return {discount.pk: first for discount in discounts} if first else {}

    def set_prices(self, plan: ReconcilePlan, step: Callable[[], AbstractContextManager[None]]) -> None:
        if plan.prices:
            with step():
                self.changes["prices_changed"] += apply_prices(
                    terms=plan.terms,
                    product_ids=[price.product.pk for price in plan.prices],
                    discount_ids=[price.discount.pk for price in plan.prices],
                    now=self.now,
                    by_id=self.record.requested_by_id,
                )

    def report(self, codes: int) -> None:
        self.done += codes
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.total))


@contextmanager
def _step(terms: ContractTerms) -> Iterator[None]:
    """A short transaction under the terms' lock. Raises TermsMoved if these terms are no longer in force."""
    with transaction.atomic():
        state = ContractTerms.objects.locked().filter(pk=terms.pk).values_list("revision_id", "active").first()
        if state != (terms.revision_id, terms.active):
            raise TermsMoved
        yield


def _counts(steps: list[CodeStep], name: str) -> dict[int, int]:
    """How many codes of each discount the steps change in this way."""
    return {
        step.discount_id: getattr(step.change, name)
        for step in steps
        if step.discount_id is not None and getattr(step.change, name)
    }


def _take_record(contract_id: int, *, now: datetime) -> Reconcile | None:
    """Take the record to continue: a waiting one, else one whose worker was killed or failed. None if there is none.

    The caller holds the contract's lock, so a record that is still “running” belongs to a process that is gone.
    """
    newest = list(Reconcile.objects.filter(contract_id=contract_id).order_by("-pk")[:5])
    waiting = [each for each in newest if each.state == ReconcileState.WAITING]
    abandoned = [each for each in newest if each.state == ReconcileState.RUNNING]
    failed = [each for each in newest[:1] if each.state == ReconcileState.FAILED]
    chosen = next(iter([*waiting, *abandoned, *failed]), None)
    if chosen is None:
        return None
    given_up = [each.pk for each in abandoned if each is not chosen]
    if given_up:
        Reconcile.objects.filter(pk__in=given_up).update(
            state=ReconcileState.FAILED, finished_at=now, error=_("Interrupted. A later update continued it.")
        )
    # A request that isn't committed yet holds the lock of the waiting row: this waits until its changes are visible.
    chosen.state, chosen.error, chosen.started_at = ReconcileState.RUNNING, "", chosen.started_at or now
    chosen.finished_at = None
    chosen.save(update_fields=["state", "error", "started_at", "finished_at"])
    return chosen


def _finish(record: Reconcile, plan: ReconcilePlan, changes: Counter[str]) -> None:
    """Save what was done, and up to which revision the contract is in line."""
    record.state = ReconcileState.DONE
    record.after = {**plan.counts, "changes": {name: count for name, count in changes.items() if count}}
    terms = plan.terms
    if not record._state.adding:
        # ``now`` is the time of the request; the end is read from the clock.
        record.finished_at = clock.now()
        record.save(update_fields=["state", "before", "after", "finished_at"])
    elif terms.reconciled_revision_id == terms.revision_id:
        return
    ContractTerms.objects.filter(pk=terms.pk, revision_id=terms.revision_id).update(
        reconciled_revision_id=terms.revision_id, reconciled_at=clock.now()
    )


def _fail(record: Reconcile, error: BaseException) -> None:
    """Save that it failed and why; a refusal has a sentence for people."""
    if record._state.adding:
        return
    record.state, record.finished_at = ReconcileState.FAILED, clock.now()
    if isinstance(error, DomainError):
        record.error = str(error)
    elif isinstance(error, Exception):
        record.error = describe_error(error)
    else:
        record.error = _("Interrupted.")
    record.save(update_fields=["state", "before", "finished_at", "error"])
