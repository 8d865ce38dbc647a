"""Following disputes. A dispute is answered at the gateway; here it is shown, and blocks a refund of the same money."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from ecommerce.enums import OPEN_DISPUTE_STATES, AlertKind, DisputeState
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import Dispute, Order, PaymentAttempt, Refund
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.refunds.ledger import book_lost_disputes, undo_effects
from mitxonline.kernel import audit

logger = logging.getLogger(__name__)


def follow_dispute(notice: DisputeNotice, *, gateway_name: str, now: datetime) -> Dispute | None:
    """Record a dispute as the gateway reports it. Return None where the payment isn't ours.

    Notices may come twice or in another order: an older one doesn't reopen a dispute that has ended.
    """
    attempt = PaymentAttempt.objects.filter(gateway=gateway_name, payment_id=notice.payment_id).first()
    if attempt is None or not notice.payment_id:
        return None
    with transaction.atomic():
        order = Order.objects.locked().get(pk=attempt.order_id)
        attempt = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        dispute = Dispute.objects.locked().filter(gateway=gateway_name, dispute_id=notice.dispute_id).first()
        before = dispute.state if dispute is not None else ""
        if dispute is None:
            dispute = Dispute(
                order=order,
                attempt=attempt,
                gateway=gateway_name,
                dispute_id=notice.dispute_id,
                state=notice.state,
                opened_at=now,
            )
        _update_dispute(dispute, notice, now=now)
        dispute.save()
        if dispute.state != before:
            _log_dispute(dispute, order)
            _raise_alert(dispute, before, now=now)
        if DisputeState.LOST in {before, dispute.state}:
            book_lost_disputes(attempt, order=order, now=now)
        if before == DisputeState.LOST != dispute.state:
            _undo_effects(dispute, order, now=now)
    return dispute


def _update_dispute(dispute: Dispute, notice: DisputeNotice, *, now: datetime) -> None:
    if dispute.is_open or notice.state not in OPEN_DISPUTE_STATES:
        dispute.state = notice.state
        dispute.amount, dispute.currency = notice.amount.amount, notice.amount.currency
        dispute.reason = notice.reason[:255] or dispute.reason
    if not dispute.is_open and dispute.closed_at is None:
        dispute.closed_at = now
    if notice.funds == "withdrawn" and dispute.funds_withdrawn_at is None:
        dispute.funds_withdrawn_at = now
    if notice.funds == "reinstated" and dispute.funds_reinstated_at is None:
        dispute.funds_reinstated_at = now


def _undo_effects(dispute: Dispute, order: Order, *, now: datetime) -> None:
    """Give back what a lost dispute took, also where refunds on their way had its money as well."""
    booked = Refund.objects.filter(gateway=dispute.gateway, gateway_refund_id=dispute.dispute_id).first()
    if booked is not None:
        undo_effects(booked, order=order, now=now)


def _raise_alert(dispute: Dispute, before: str, *, now: datetime) -> None:
    kinds = {DisputeState.NEEDS_RESPONSE: AlertKind.DISPUTE, DisputeState.LOST: AlertKind.DISPUTE_LOST}
    kind = kinds.get(DisputeState(dispute.state))
    if kind is None and not before and dispute.is_open:
        kind = AlertKind.DISPUTE
    if kind is not None:
        raise_alert(dispute.order_id, kind, about=f"dispute {dispute.pk}", now=now)


def _log_dispute(dispute: Dispute, order: Order) -> None:
    audit.record(
        order,
        "ecommerce.dispute.follow",
        by_id=None,
        data={"dispute_id": dispute.pk, "amount": str(dispute.money), "state": str(dispute.state)},
    )
    level = logging.ERROR if dispute.state in {*OPEN_DISPUTE_STATES, DisputeState.LOST} else logging.INFO
    logger.log(level, "dispute", extra={"order": order.pk, "dispute": dispute.pk, "state": str(dispute.state)})
