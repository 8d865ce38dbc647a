"""Reminders of invoices: which stage is due today, and queueing each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from ecommerce.events import InvoiceReminderDue
from ecommerce.models import Invoice, InvoiceReminder
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock


def queue_reminders(*, now: datetime) -> int:
    """Queue the reminders that are due today, and return how many. Run again, it queues nothing twice."""
    today, stages = clock.date_of(now), sorted(settings.INVOICE_REMINDER_DAYS)
    if not stages:
        return 0
    begun = Invoice.objects.open().filter(reminders_paused=False, due_on__lte=today - timedelta(days=stages[0]))
    ids = begun.order_by("pk").values_list("pk", flat=True)
    return sum(_queue_reminder(invoice_id, stages, now=now, today=today) for invoice_id in ids.iterator())


def find_stage(invoice: Invoice, stages: Sequence[int], *, today: date) -> int | None:
    """Return the stage of the reminder that is due, or None.

    Only the last stage that has come counts: after a week without a worker a customer gets one reminder, not three. A
    stage that had passed when the invoice was issued isn't caught up on, nor is one before the due date once that is
    over.
    """
    if invoice.due_on is None or invoice.issued_on is None:
        return None
    days = (today - invoice.due_on).days
    since_issue = (invoice.issued_on - invoice.due_on).days
    come = [stage for stage in stages if since_issue < stage <= days and (stage > 0 or days <= 0)]
    return come[-1] if come else None


def _queue_reminder(invoice_id: int, stages: Sequence[int], *, now: datetime, today: date) -> int:
    with transaction.atomic():
        invoice = Invoice.objects.open().locked().filter(pk=invoice_id, reminders_paused=False).first()
        if invoice is None or not invoice.addresses:
            return 0
        stage = find_stage(invoice, stages, today=today)
        if stage is None or invoice.reminders.filter(days__gte=stage).exists():
            return 0
        reminder = InvoiceReminder.objects.create(invoice=invoice, days=stage, queued_at=now)
        publish(InvoiceReminderDue(reminder_id=reminder.pk))
    return 1
