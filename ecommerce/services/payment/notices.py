"""Notices from gateways: stored raw and once, and processed later by the worker.

The delivery of ``NoticeReceived`` is written in the transaction that stores the notice. Whatever fails afterwards is
retried from there. The gateway has its answer and doesn't need to send the notice again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import DataError, transaction
from django.db.models import Q

from ecommerce.enums import NoticeState
from ecommerce.errors.checkout import GatewayUnknown
from ecommerce.events import NoticeReceived
from ecommerce.gateways.base import (
    OUR_KEY,
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
from ecommerce.models import GatewayNotice, PaymentAttempt, Refund
from ecommerce.services.payment.payments import (
    confirm_attempt,
    find_attempt,
    mismatch_reason,
    settle_notice,
    sync_refunds_and_disputes,
)
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.deliveries import describe_error
from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)

# What may be the id of a payment or refund, in a body whose format we don't know.
_WORD = re.compile(r'"([\w-]{3,255})"')
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def receive_notice(
    *, gateway_name: str, body: bytes, headers: Mapping[str, str], host: str, now: datetime
) -> GatewayNotice:
    """Store a notice and publish NoticeReceived; a notice that comes again changes nothing.

    Raises GatewayUnknown where this installation has no such gateway, NoticeForged where the gateway didn't sign it.
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
            defaults={"account": account, "kind": envelope.kind, "body": _decode(body), "received_at": now},
        )
        if is_new:
            publish(NoticeReceived(notice_id=notice.pk))
    return notice


def process_notice(*, notice_id: int, now: datetime) -> GatewayNotice:
    """Act on a stored notice; doing it again does no harm.

    A failure is saved on the row and raised, so that the delivery is retried. One that would repeat every time is only
    saved. A notice that can't be read and mentions nothing of ours belongs to another program at the same gateway: it
    is kept, and no one is alerted.
    """
    notice = GatewayNotice.objects.get(pk=notice_id)
    try:
        state, order_id = _act_on_notice(notice, now=now)
    except Exception as error:
        reason = f"{type(error).__name__}: {_describe_failure(error)}"[:300]
        if not _is_permanent(error):
            _save_outcome(notice, state=NoticeState.FAILED, error=reason)
            raise
        if isinstance(error, NoticeNotUnderstood) and not _mentions_ours(notice):
            _save_outcome(notice, state=NoticeState.UNKNOWN, error="", processed_at=now)
        else:
            logger.error("notice can't be processed", extra={"notice": notice.pk, "kind": notice.kind})
            _save_outcome(notice, state=NoticeState.STUCK, error=reason, processed_at=now)
        return notice
    _save_outcome(notice, state=state, error="", processed_at=now, order_id=order_id or notice.order_id)
    return notice


def replay_notices(*, ids: Sequence[int], by_id: int | None) -> int:
    """Have the worker process stored notices again; return how many still had their body."""
    with transaction.atomic():
        chosen = list(GatewayNotice.objects.filter(pk__in=ids).exclude(body="").order_by("pk"))
        for notice in chosen:
            publish(NoticeReceived(notice_id=notice.pk))
            audit.record(notice, "ecommerce.notice.replay", by_id=by_id, data={"event": notice.event_id})
    return len(chosen)


def forget_notices(*, now: datetime) -> int:
    """Empty the bodies of old notices, which name buyers; return how many. The rows stay."""
    before = now - timedelta(days=settings.NOTICE_BODY_DAYS)
    return GatewayNotice.objects.filter(received_at__lt=before).exclude(body="").update(body="")


def _act_on_notice(notice: GatewayNotice, *, now: datetime) -> tuple[NoticeState, int | None]:
    gateway = gateways().get(notice.gateway)
    if gateway is None:
        raise PaymentFailed(f"no gateway {notice.gateway} here", retriable=True, code="no_gateway")
    if not notice.body:
        return NoticeState(notice.state), None
    content = gateway.read_notice(notice.body.encode(), account=notice.account)
    match content:
        case PaymentNotice():
            return _act_on_payment(content, gateway, notice.account, now=now)
        case RefundNotice() | RefundsChanged() | DisputeNotice():
            return _act_on_aftermath(content, gateway, now=now)
        case OtherNotice():
            return NoticeState.KEPT, None


def _act_on_payment(
    content: PaymentNotice, gateway: PaymentGateway, account: str, *, now: datetime
) -> tuple[NoticeState, int | None]:
    """Ask the gateway about the payment: a notice is only a hint, unless its gateway says that it is the last word.

    It is a hint too where another account of ours signed it than the one that the payment belongs to.

    One that contradicts what we know is acted on as it is, without asking. Asking about our attempt would answer for
    another payment, and this one would never reach staff.
    """
    attempt = find_attempt(content, gateway.name)
    if attempt is None:
        return NoticeState.UNKNOWN, None
    is_final = content.is_final and attempt.account == account
    if is_final or mismatch_reason(content, attempt):
        return NoticeState.DONE, settle_notice(notice=content, gateway_name=gateway.name, now=now).pk
    if not attempt.session_id and content.session_id:  # we crashed before the gateway's answer named the session
        PaymentAttempt.objects.filter(pk=attempt.pk, session_id="").update(session_id=content.session_id)
    return NoticeState.DONE, confirm_attempt(attempt_id=attempt.pk, now=now).pk


def _act_on_aftermath(
    content: RefundNotice | RefundsChanged | DisputeNotice, gateway: PaymentGateway, *, now: datetime
) -> tuple[NoticeState, int | None]:
    """Ask for all refunds and disputes of the payment, so that the order of notices doesn't matter.

    The account is the payment's own, which its host may not have any more. Nothing is asked about a payment that isn't
    recorded yet: ``confirm_attempt`` asks when it is.
    """
    paid = PaymentAttempt.objects.filter(gateway=gateway.name, payment_id=content.payment_id).first()
    if not content.payment_id or paid is None:
        return NoticeState.UNKNOWN, None
    sync_refunds_and_disputes(content.payment_id, gateway, account=paid.account, now=now)
    return NoticeState.DONE, paid.order_id


def _save_outcome(notice: GatewayNotice, *, state: NoticeState, error: str, **changes: object) -> None:
    notice.state, notice.error = state, error
    for name, value in changes.items():
        setattr(notice, name, value)
    notice.save(update_fields=["state", "error", *changes])
    if error:
        logger.warning("notice not processed", extra={"notice": notice.pk, "kind": notice.kind})


def _describe_failure(error: Exception) -> str:
    # Staff read this beside the notice. Texts of the database or of a library are left out: they may name people.
    if isinstance(error, DomainError):
        return error.code
    return str(error) if isinstance(error, PaymentFailed | NoticeNotUnderstood) else describe_error(error)


def _is_permanent(error: Exception) -> bool:
    # Where the gateway refuses our key, the notice can be processed once the key is repaired.
    if isinstance(error, PaymentFailed):
        return not error.retriable and error.code not in OUR_KEY
    return isinstance(error, NoticeNotUnderstood | DataError | RecursionError | UnicodeError)


def _mentions_ours(notice: GatewayNotice) -> bool:
    """Whether a body that couldn't be read mentions one of our payments or refunds."""
    words = set(islice((found.group(1) for found in _WORD.finditer(notice.body)), 1000))
    references = {word for word in words if _UUID.fullmatch(word)}
    attempts = PaymentAttempt.objects.filter(gateway=notice.gateway)
    named = Q(session_id__in=words) | Q(payment_id__in=words) | Q(reference__in=references)
    refunds = Refund.objects.filter(attempt__gateway=notice.gateway)
    return attempts.filter(named).exists() or refunds.filter(gateway_refund_id__in=words).exists()


def _decode(body: bytes) -> str:
    # PostgreSQL stores no NUL in a text.
    return body.decode(errors="replace").replace("\0", "\ufffd")
