"""Alerts to finance: recorded in the transaction that causes them, and e-mailed together a little later."""

from __future__ import annotations

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

# How long a worker may take to e-mail the alerts it claimed, before another one does.
CLAIM_TIME = timedelta(minutes=10)
# Older alerts aren't e-mailed, for example when finance's address was set late. The admin's home page shows them.
EXPIRES_AFTER = timedelta(days=7)
MAY_REFUND = "ecommerce.refund_order"
BATCH_SIZE = 500
# How many alerts one e-mail lists; it counts the rest.
MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Alerts that this worker has claimed, and the addresses to send them to."""

    alerts: tuple[MoneyAlert, ...]
    addresses: tuple[str, ...]


def raise_alert(order_id: int, kind: AlertKind, *, about: str, now: datetime) -> None:
    """Record an alert, once for each ``about``; call it in the transaction that causes it."""
    alert = MoneyAlert(order_id=order_id, kind=kind, about=about[:100], raised_at=now)
    MoneyAlert.objects.bulk_create([alert], ignore_conflicts=True)


def find_finance_addresses() -> list[str]:
    """Return the shop's finance address, or else the addresses of everyone who may refund orders."""
    if address := shop_settings().finance_email:
        return [address]
    app, codename = MAY_REFUND.split(".")
    granted = Q(content_type__app_label=app, codename=codename)
    rights = Permission.objects.filter(granted)
    people = User.objects.filter(Q(groups__permissions__in=rights) | Q(user_permissions__in=rights), is_active=True)
    return list(people.exclude(email="").order_by("email").values_list("email", flat=True).distinct())


def claim_alert_batch(*, now: datetime) -> AlertBatch:
    """Claim the alerts that are due, so that only one worker e-mails them; none where no address is known."""
    addresses = find_finance_addresses()
    if not addresses:
        return AlertBatch((), ())
    with transaction.atomic():
        is_free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_TIME)
        due = MoneyAlert.objects.filter(is_free, mailed_at=None, raised_at__gte=now - EXPIRES_AFTER)
        alerts = tuple(
            due.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .select_related("order")
            .order_by("pk")[:BATCH_SIZE]
        )
        MoneyAlert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(claimed_at=now)
    return AlertBatch(alerts, tuple(addresses))


def email_alerts(*, now: datetime) -> int:
    """E-mail finance all alerts that are due in one message; return how many orders they are about.

    If sending fails, a later run tries again.
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
        for alert in batch.alerts[:MAX_LISTED]
    ]
    send_email(
        "ecommerce/emails/money_alerts",
        to=batch.addresses,
        context={
            "order_count": len(orders),
            "entries": entries,
            "more": max(len(batch.alerts) - MAX_LISTED, 0),
            "link": f"{settings.SITE_BASE_URL}{reverse('shop_orders:index')}",
        },
    )
    MoneyAlert.objects.filter(pk__in=[alert.pk for alert in batch.alerts]).update(mailed_at=now, claimed_at=None)
    return len(orders)
