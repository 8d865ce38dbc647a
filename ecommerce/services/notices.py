"""What gateways tell us by themselves: kept first, word for word and once, understood later by the worker.

The delivery of ``NoticeReceived`` is written in the transaction that keeps the notice. Whatever goes wrong afterwards
is tried again from there; the gateway has its answer and is not asked to send again (P4, P17).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from ecommerce.enums import NoticeState
from ecommerce.errors import GatewayUnknown
from ecommerce.events import NoticeReceived
from ecommerce.gateways.base import (
    DisputeNotice,
    NoticeNotUnderstood,
    OtherNotice,
    PaymentFailed,
    PaymentGateway,
    PaymentNotice,
    RefundNotice,
    RefundsChanged,
)
from ecommerce.gateways.registry import gateways
from ecommerce.models import GatewayNotice, Order, PaymentAttempt
from ecommerce.services.payments import attempt_of, confirm, follow_aftermath, settle, what_is_wrong
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)


def receive_notice(
    *, gateway_name: str, body: bytes, headers: Mapping[str, str], host: str, now: datetime
) -> GatewayNotice:
    """Keep a notice that the gateway wrote; the same one again is the same row, and nothing more happens.

    Raises GatewayUnknown where this installation has no such gateway, NoticeForged for what it didn't write.
    """
    gateway = gateways().get(gateway_name)
    if gateway is None:
        raise GatewayUnknown
    account = gateway.account_for(host)
    envelope = gateway.open_notice(body, headers, account=account)
    with transaction.atomic():
        notice, is_new = GatewayNotice.objects.get_or_create(
            gateway=gateway.name,
            event_id=envelope.event_id,
            defaults={"account": account, "kind": envelope.kind, "body": body.decode(), "received_at": now},
        )
        if is_new:
            publish(NoticeReceived(notice_id=notice.pk))
    return notice


def process_notice(*, notice_id: int, now: datetime) -> GatewayNotice:
    """Act on a kept notice; again is harmless. What fails is written on the row and raised, to be tried again."""
    notice = GatewayNotice.objects.get(pk=notice_id)
    try:
        state, order_id = _act_on(notice, now=now)
    except (PaymentFailed, NoticeNotUnderstood, DomainError) as error:
        _note(notice, state=NoticeState.FAILED, error=f"{type(error).__name__}: {_reason(error)}"[:300])
        raise
    _note(notice, state=state, error="", processed_at=now, order_id=order_id or notice.order_id)
    return notice


def replay_notices(*, ids: Sequence[int], by_id: int | None) -> int:
    """Have kept notices acted on again by the worker; how many there were with their text still there."""
    with transaction.atomic():
        chosen = list(GatewayNotice.objects.filter(pk__in=ids).exclude(body="").order_by("pk"))
        for notice in chosen:
            publish(NoticeReceived(notice_id=notice.pk))
            audit.record(notice, "ecommerce.notice.replay", by_id=by_id, data={"event": notice.event_id})
    return len(chosen)


def forget_notices(*, now: datetime) -> int:
    """Drop the text of notices that are long past: it names buyers. The rows stay; how many were emptied."""
    before = now - timedelta(days=settings.NOTICE_BODY_DAYS)
    return GatewayNotice.objects.filter(received_at__lt=before).exclude(body="").update(body="")


def _act_on(notice: GatewayNotice, *, now: datetime) -> tuple[NoticeState, int | None]:
    gateway = gateways().get(notice.gateway)
    if gateway is None:
        raise PaymentFailed(f"no gateway {notice.gateway} here", retriable=True, code="no_gateway")
    if not notice.body:
        return NoticeState(notice.state), None
    told = gateway.read_notice(notice.body.encode(), account=notice.account)
    match told:
        case PaymentNotice():
            return _about_payment(told, gateway, now=now)
        case RefundNotice() | RefundsChanged() | DisputeNotice():
            return _about_aftermath(told, gateway, notice.account, now=now)
        case OtherNotice():
            return NoticeState.KEPT, None


def _about_payment(told: PaymentNotice, gateway: PaymentGateway, *, now: datetime) -> tuple[NoticeState, int | None]:
    """What a notice says of a payment is a hint to ask; only where it can't be right is it taken at its word."""
    attempt = attempt_of(told, gateway.name)
    if attempt is None:
        return NoticeState.UNKNOWN, None
    if what_is_wrong(told, attempt):
        return NoticeState.DONE, settle(notice=told, gateway_name=gateway.name, now=now).pk
    if not attempt.session_id and told.session_id:  # we were interrupted before we heard the session's name
        PaymentAttempt.objects.filter(pk=attempt.pk, session_id="").update(session_id=told.session_id)
    return NoticeState.DONE, confirm(attempt_id=attempt.pk, now=now).pk


def _about_aftermath(
    told: RefundNotice | RefundsChanged | DisputeNotice, gateway: PaymentGateway, account: str, *, now: datetime
) -> tuple[NoticeState, int | None]:
    """Ask for all refunds and disputes of the payment, so that the order of notices doesn't matter.

    Of a payment that is not noted yet nothing is known here; when it is noted, ``confirm`` asks for the same.
    """
    order = Order.objects.filter(attempts__gateway=gateway.name, attempts__payment_id=told.payment_id).first()
    if not told.payment_id or order is None:
        return NoticeState.UNKNOWN, None
    follow_aftermath(told.payment_id, gateway, account=account, now=now)
    return NoticeState.DONE, order.pk


def _note(notice: GatewayNotice, *, state: NoticeState, error: str, **changes: object) -> None:
    notice.state, notice.error = state, error
    for name, value in changes.items():
        setattr(notice, name, value)
    notice.save(update_fields=["state", "error", *changes])
    if error:
        logger.warning("notice not acted on", extra={"notice": notice.pk, "kind": notice.kind})


def _reason(error: Exception) -> str:
    return error.code if isinstance(error, DomainError) else str(error)
