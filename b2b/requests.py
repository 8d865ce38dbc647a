"""Asking for a contract to be brought in line, from everywhere that changes what its codes should be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from b2b.enums import ReconcileState
from b2b.events import ReconcileRequested
from b2b.models import Reconcile
from mitxonline.coordinator.bus import publish

# A request that waited this long got lost on its way to the worker and is sent again.
STUCK_AFTER = timedelta(minutes=15)


def request_reconcile(*, contract_id: int, reason: str, now: datetime, requested_by_id: int | None = None) -> Reconcile:
    """Have the contract brought in line by the worker; many requests fold into the one that waits.

    The request's row is locked until the transaction ends, and comes last in the order of locks (ADR 0003).
    """
    asked = {"reason": reason[:255], "requested_by_id": requested_by_id, "requested_at": now}
    with transaction.atomic():
        # The waiting row is locked: a worker that is about to take it waits for what this transaction changes. Between
        # finding that someone else has put one there and locking it, it may be taken; then there is room for ours.
        waiting = Reconcile.objects.select_for_update(no_key=True)
        for remaining in reversed(range(3)):
            try:
                record, is_new = waiting.get_or_create(
                    contract_id=contract_id, state=ReconcileState.WAITING, defaults=asked
                )
                break
            except IntegrityError:
                if not remaining:
                    raise
        if is_new or record.requested_at < now - STUCK_AFTER:
            publish(ReconcileRequested(contract_id=contract_id))
    return record


def request_reconciles(
    contract_ids: Iterable[int], *, reason: str, now: datetime, requested_by_id: int | None = None
) -> None:
    """Ask for several contracts, in primary key order: two that ask for the same ones don't wait for each other."""
    for contract_id in sorted(set(contract_ids)):
        request_reconcile(contract_id=contract_id, reason=reason, now=now, requested_by_id=requested_by_id)
