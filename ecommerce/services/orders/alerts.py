"""Telling finance what needs a decision about money: written down with the fact, mailed together a little later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from ecommerce.enums import AlertKind
from ecommerce.models import MoneyAlert
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.mail import send_email
from mitxonline.users.models import User

# How long a worker may take to mail what it claimed, before another one does.
PATIENCE = timedelta(minutes=10)
# What is older than this when an address is given at last is on the admin's first page, and isn't mailed any more.
KEPT = timedelta(days=7)
MAY_REFUND = "ecommerce.refund_order"
AT_ONCE = 500
# How many matters one message names; of the rest it says how many there are.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Messages that are this worker's to mail, and to whom."""

    alerts: tuple[MoneyAlert, ...]
    addresses: tuple[str, ...]


def raise_alert(order_id: int, kind: AlertKind, *, about: str, now: datetime) -> None:
    """Have finance told, once for each ``about``; in the transaction that makes it so."""
    alert = MoneyAlert(order_id=order_id, kind=kind, about=about[:100], raised_at=now)
    MoneyAlert.objects.bulk_create([alert], ignore_conflicts=True)


def find_finance_addresses() -> list[str]:
    """Whom to tell: the shop's address for it, or everyone who was given the right to refund orders."""
    if address := shop_settings().finance_email:
        return [address]
    app, codename = MAY_REFUND.split(".")
    granted = Q(content_type__app_label=app, codename=codename)
    rights = Permission.objects.filter(granted)
    people = User.objects.filter(Q(groups__permissions__in=rights) | Q(user_permissions__in=rights), is_active=True)
    return list(people.exclude(email="").order_by("email").values_list("email", flat=True).distinct())


def claim_alert_batch(*, now: datetime) -> AlertBatch:
    """Take what is to be mailed, so that of two workers one mails it; nothing where there is no one to tell."""
    addresses = find_finance_addresses()
    if not addresses:
        return AlertBatch((), ())
    with transaction.atomic():
        is_free = Q(claimed_at=None) | Q(claimed_at__lt=now - PATIENCE)
        due = MoneyAlert.objects.filter(is_free, mailed_at=None, raised_at__gte=now - KEPT)
        alerts = tuple(
            due.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .select_related("order")
            .order_by("pk")[:AT_ONCE]
        )
        MoneyAlert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(claimed_at=now)
    return AlertBatch(alerts, tuple(addresses))


def mark_mailed(alerts: Sequence[MoneyAlert], *, now: datetime) -> None:
    """Remember that these were mailed."""
    MoneyAlert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(mailed_at=now, claimed_at=None)


def email_alerts(*, now: datetime) -> int:
    """Mail finance what needs a decision, all of it in one message; how many orders' matters that were.

    What can't be mailed is tried again by a later run.
    """
    batch = claim_alert_batch(now=now)
    if not batch.alerts:
        return 0
    orders = {alert.order.number for alert in batch.alerts}
    entries = [
        {
            "alert": alert,
            "order": alert.order,
            "link": f"{settings.SITE_BASE_URL}{reverse('shop_orders:order', args=[alert.order_id])}",
        }
        for alert in batch.alerts[:SHOWN]
    ]
    send_email(
        "ecommerce/emails/money_alerts",
        to=batch.addresses,
        context={
            "order_count": len(orders),
            "told": entries,
            "more": max(len(batch.alerts) - SHOWN, 0),
            "link": f"{settings.SITE_BASE_URL}{reverse('shop_orders:index')}",
        },
    )
    mark_mailed(batch.alerts, now=now)
    return len(orders)
