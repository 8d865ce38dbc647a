"""Requests to reconcile contracts, from every change that affects which codes a contract should have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from b2b.enums import ReconcileState
from b2b.events import ReconcileRequested
from b2b.models import Reconcile
from mitxonline.coordinator.bus import publish

# A request that has waited this long was lost on its way to the worker, so it is sent again.
STUCK_AFTER = timedelta(minutes=15)


def request_reconcile(*, contract_id: int, reason: str, now: datetime, requested_by_id: int | None = None) -> Reconcile:
    """Have the worker reconcile the contract; a request that already waits takes in later ones.

    The row of the request stays locked until the transaction ends. It is the last one in the lock order (ADR 0003).
    """
    defaults = {"reason": reason[:255], "requested_by_id": requested_by_id, "requested_at": now}
    with transaction.atomic():
        # Locking the waiting row makes a worker wait for the changes of this transaction. If another transaction has
        # inserted the row, a worker may take it before we lock it: get_or_create fails, and the next try inserts ours.
        waiting = Reconcile.objects.select_for_update(no_key=True)
        for tries_left in reversed(range(3)):
            try:
                record, is_new = waiting.get_or_create(
                    contract_id=contract_id, state=ReconcileState.WAITING, defaults=defaults
                )
                break
            except IntegrityError:
                if not tries_left:
                    raise
        if is_new or record.requested_at < now - STUCK_AFTER:
            publish(ReconcileRequested(contract_id=contract_id))
    return record


def request_reconciles(
    contract_ids: Iterable[int], *, reason: str, now: datetime, requested_by_id: int | None = None
) -> None:
    """Request several contracts in primary key order, so that two transactions with the same ones can't deadlock."""
    for contract_id in sorted(set(contract_ids)):
        request_reconcile(contract_id=contract_id, reason=reason, now=now, requested_by_id=requested_by_id)
