"""Bringing a contract's runs, products and codes in line with its terms.

One service for every way that leads here: a publication, changed courseware, a command, the sweep. It looks, does what
is missing in short transactions, and looks again until nothing is. So it may be stopped anywhere and started again, and
run twice without harm. Only one works on a contract at a time; learners wait for no longer than one short step.
"""

from __future__ import annotations

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
from b2b.requests import STUCK_AFTER, request_reconcile
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

__all__ = ["STUCK_AFTER", "ReconcilePlan", "contract_lock", "plan_reconcile", "request_reconcile", "run_reconcile"]

# Terms that change while they are being followed are followed again, but not for ever.
ROUNDS = 12

# Called with how many codes are done, and how many there are to do.
Progress: TypeAlias = "Callable[[int, int], None]"

# In this order: what is missing is switched on before it is made, limits are set before anything is switched off.
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
    """After many rounds there is still something to do: what is decided and what is done contradict each other."""


class TermsMoved(Exception):
    """Other terms came into force between looking and doing; look again."""


def contract_lock(contract_id: int, *, wait: bool = True) -> AbstractContextManager[None]:
    """Work on the contract's runs and codes alone, over several transactions.

    Taken again by the same database session it is no obstacle: a command takes it around a change and the reconcile
    after it, so that no worker steps in between. LockTaken if someone else has it and ``wait`` is false.
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
    """Bring the contract in line now; the record of what was done.

    Takes over what waits, and goes on where one that was killed stopped. Where nothing is to be done and no one asked
    through the queue, nothing is written: the record that is returned has no number then.
    Raises ContractNotPublished, CourseKeyImpossible; LockTaken if another one is at work and ``wait`` is false.
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
        work = _Work(record=record, now=now, progress=progress)
        try:
            plan = work.settle()
        except (Exception, KeyboardInterrupt) as error:
            # Where the database is gone the record stays “running”, and the next one goes on with it.
            with suppress(DatabaseError):
                _fail(record, error)
            raise
        _finish(record, plan, work.changes)
    return record


class _Work:
    """One contract being brought in line, and what was done so far."""

    def __init__(self, *, record: Reconcile, now: datetime, progress: Progress | None) -> None:
        self.record = record
        self.now = now
        self.progress = progress
        self.changes: Counter[str] = Counter()
        self.done = 0
        self.total = 0

    def settle(self) -> ReconcilePlan:
        """Look and do until there is nothing left to do; the last look."""
        contract_id = self.record.contract_id
        for _round in range(ROUNDS):
            if bring_into_force(page_id=contract_id, now=self.now) is None:
                raise ContractNotPublished(name=find_contract(contract_id).name)
            plan = plan_reconcile(contract_id=contract_id, now=self.now)
            is_first_look = not self.record.before
            if is_first_look:
                self.record.before = dict(plan.counts)
            if plan.is_empty:
                return plan
            if is_first_look:
                # Whoever continues after us would no longer know what was before.
                self.record.save()
            with suppress(TermsMoved):
                self.apply(plan)
        raise Unsettled(f"contract {contract_id} is not in line after {ROUNDS} rounds")

    def apply(self, plan: ReconcilePlan) -> None:
        """Do what the plan says, as long as its terms are those in force; TermsMoved when they no longer are."""
        self.total = self.done + plan.code_change.total
        step = partial(_step, plan.terms)
        fresh = self.make_runs(plan, step)
        self.set_prices(plan, step)
        known = [code_step for code_step in plan.codes if code_step.discount_id is not None]
        for name, change in _CHANGES:
            wants = _wants(known, name)
            self.changes[f"codes_{name}"] += change_codes(
                change, wants, max_uses=_max_uses(plan.terms), step=step, progress=self.tell
            )
        self.changes["codes_make"] += make_codes(
            _wants(known, "make") | fresh,
            max_uses=_max_uses(plan.terms),
            now=self.now,
            step=step,
            progress=self.tell,
        )

    def make_runs(self, plan: ReconcilePlan, step: Callable[[], AbstractContextManager[None]]) -> dict[int, int]:
        """Make the missing runs, products and discounts; how many codes each new discount needs."""
        if not plan.runs and not plan.missing_discounts:
            return {}
        with step():
            made = make_runs(plans=plan.runs, terms=plan.terms, now=self.now, actor_id=self.record.requested_by_id)
            discounts = make_discounts([*made, *plan.missing_discounts], terms=plan.terms)
        self.changes["runs_made"] += len(made)
        self.changes["products_made"] += len(made)
        first = plan.first_change.make
        return {discount.pk: first for discount in discounts} if first else {}

    def set_prices(self, plan: ReconcilePlan, step: Callable[[], AbstractContextManager[None]]) -> None:
        """Let products and discounts follow the price."""
        if plan.prices:
            with step():
                self.changes["prices_changed"] += apply_prices(
                    terms=plan.terms,
                    product_ids=[one.product.pk for one in plan.prices],
                    discount_ids=[one.discount.pk for one in plan.prices],
                    now=self.now,
                    actor_id=self.record.requested_by_id,
                )

    def tell(self, codes: int) -> None:
        """Say how far it is."""
        self.done += codes
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.total))


@contextmanager
def _step(terms: ContractTerms) -> Iterator[None]:
    """A short transaction under the terms' lock, for which these terms are still in force."""
    with transaction.atomic():
        state = ContractTerms.objects.locked().filter(pk=terms.pk).values_list("revision_id", "active").first()
        if state != (terms.revision_id, terms.active):
            raise TermsMoved
        yield


def _wants(steps: list[CodeStep], name: str) -> dict[int, int]:
    """How many codes of each discount the steps change in this way."""
    return {
        step.discount_id: getattr(step.change, name)
        for step in steps
        if step.discount_id is not None and getattr(step.change, name)
    }


def _max_uses(terms: ContractTerms) -> int | None:
    """How often a new code can be used."""
    return None if terms.max_learners is None else 1


def _take_record(contract_id: int, *, now: datetime) -> Reconcile | None:
    """The record to go on with: one that waits, else one whose worker was killed or failed. None if no one asked.

    Whoever holds the contract's lock knows that a record still “running” belongs to a process that is gone.
    """
    newest = list(Reconcile.objects.filter(contract_id=contract_id).order_by("-pk")[:5])
    waiting = [one for one in newest if one.state == ReconcileState.WAITING]
    abandoned = [one for one in newest if one.state == ReconcileState.RUNNING]
    failed = [one for one in newest[:1] if one.state == ReconcileState.FAILED]
    chosen = next(iter([*waiting, *abandoned, *failed]), None)
    if chosen is None:
        return None
    given_up = [one.pk for one in abandoned if one is not chosen]
    if given_up:
        Reconcile.objects.filter(pk__in=given_up).update(
            state=ReconcileState.FAILED, finished_at=now, error=_("Interrupted; the next one went on.")
        )
    # A request under way holds the waiting row's lock: this waits until what it asks for can be seen.
    chosen.state, chosen.error, chosen.started_at = ReconcileState.RUNNING, "", chosen.started_at or now
    chosen.finished_at = None
    chosen.save(update_fields=["state", "error", "started_at", "finished_at"])
    return chosen


def _finish(record: Reconcile, plan: ReconcilePlan, changes: Counter[str]) -> None:
    """Write down what was done, and up to which revision the contract is in line."""
    record.state = ReconcileState.DONE
    record.after = {**plan.counts, "changes": {name: count for name, count in changes.items() if count}}
    terms = plan.terms
    if not record._state.adding:
        # How long it took is a fact of the clock's, not of the moment it was asked.
        record.finished_at = clock.now()
        record.save(update_fields=["state", "before", "after", "finished_at"])
    elif terms.reconciled_revision_id == terms.revision_id:
        return
    ContractTerms.objects.filter(pk=terms.pk, revision_id=terms.revision_id).update(
        reconciled_revision_id=terms.revision_id, reconciled_at=clock.now()
    )


def _fail(record: Reconcile, error: BaseException) -> None:
    """Write down that it failed, and why, in words for people where there are any."""
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
