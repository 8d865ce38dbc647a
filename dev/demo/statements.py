"""What the gateway reports of the demo's payments, so that its books balance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from ecommerce.enums import AttemptState, MovementKind
from ecommerce.models import PaymentAttempt, Refund
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from reports.models import GatewayEntry, GatewayReport


@transaction.atomic
def ensure_reports(*, now: datetime) -> None:
    """Report what was paid and refunded, once; nothing where the gateway has reported already."""
    if GatewayReport.objects.exists():
        return
    paid = list(PaymentAttempt.objects.filter(state=AttemptState.PAID, settled_at__isnull=False).order_by("settled_at"))
    if not paid:
        return
    entries = [*_list_payments(paid), *_list_refunds()]
    GatewayEntry.objects.bulk_create(entries, ignore_conflicts=True)
    for name in {entry.gateway for entry in entries}:
        GatewayReport.objects.create(
            gateway=name,
            since=clock.start_of_day(clock.date_of(paid[0].settled_at or now)),
            until=now,
            fetched_at=now,
            entries=sum(entry.gateway == name for entry in entries),
        )


def _list_payments(paid: list[PaymentAttempt]) -> Iterator[GatewayEntry]:
    for attempt in paid:
        money = attempt.paid_money
        yield GatewayEntry(
            gateway=attempt.gateway,
            entry_id=f"payment_{attempt.payment_id}",
            kind=MovementKind.PAYMENT,
            payment_id=attempt.payment_id,
            source_id=attempt.payment_id,
            amount=money.amount,
            currency=money.currency,
            fee=Money(money.amount * Decimal("0.029"), money.currency).amount,
            fee_currency=money.currency,
            at=attempt.settled_at or attempt.started_at,
        )


def _list_refunds() -> Iterator[GatewayEntry]:
    for refund in Refund.objects.filter(state__in=["pending", "succeeded"]).select_related("attempt").order_by("pk"):
        yield GatewayEntry(
            gateway=refund.gateway,
            entry_id=f"refund_{refund.gateway_refund_id}",
            kind=MovementKind.REFUND,
            payment_id=refund.attempt.payment_id,
            source_id=refund.gateway_refund_id,
            amount=-refund.amount,
            currency=refund.currency,
            fee_currency=refund.currency,
            at=refund.sent_at or refund.settled_at or refund.recorded_at,
        )
