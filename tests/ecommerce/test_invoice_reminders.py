"""Reminders of invoices: before and after the due date, each once, never of what was paid, voided or paused."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.core import mail

from ecommerce.events import InvoiceReminderDue
from ecommerce.models import Invoice, InvoiceReminder
from ecommerce.services.invoices import mails
from ecommerce.services.invoices.entries import pause_reminders
from ecommerce.services.invoices.mails import email_reminder
from ecommerce.services.invoices.reminders import find_stage, queue_reminders
from mitxonline.kernel import clock
from tests.factories import NOON
from tests.factories.invoices import make_draft, make_invoice, pay
from tests.support.events import deliveries_of

pytestmark = pytest.mark.django_db

TODAY = clock.date_of(NOON)
DUE = TODAY + timedelta(days=30)


@pytest.fixture(autouse=True)
def stages(settings: LazySettings) -> None:
    settings.INVOICE_REMINDER_DAYS = [-3, 7, 21]


def on(days: int) -> datetime:
    """The moment this many days after the due date."""
    return NOON + timedelta(days=30 + days)


def run(days: int) -> list[int]:
    """Queue and send what is due on this day; return the stages sent."""
    before = set(InvoiceReminder.objects.values_list("pk", flat=True))
    queue_reminders(now=on(days))
    new = InvoiceReminder.objects.exclude(pk__in=before).order_by("pk")
    return [reminder.days for reminder in new if email_reminder(reminder_id=reminder.pk, now=on(days))]


def test_each_stage_is_sent_once() -> None:
    invoice, other = make_invoice(), make_draft()
    days = (-4, -3, -3, -1, 0, 6, 7, 8, 21, 22, 100)
    assert [run(each) for each in days] == [[], [-3], [], [], [], [], [7], [], [21], [], []]
    assert [reminder.days for reminder in invoice.reminders.order_by("pk")] == [-3, 7, 21]
    assert not other.reminders.exists()
    assert len(mail.outbox) == 3
    assert deliveries_of(InvoiceReminderDue).count() == 3


def test_a_reminder_says_what_is_due_and_carries_the_invoice() -> None:
    invoice = make_invoice()
    pay(invoice, "100")
    assert run(7) == [7]
    (message,) = mail.outbox
    assert message.subject == f"Reminder: invoice {invoice.number} is overdue"
    assert "$200.00 was due on" in message.body
    assert [name for name, _content, _kind in message.attachments] == [f"{invoice.number}.pdf"]


def test_what_was_paid_or_paused_is_not_reminded() -> None:
    paid, paused, open_one = make_invoice(), make_invoice(), make_invoice()
    pay(paid, "300")
    pause_reminders(invoice_id=paused.pk, is_paused=True, by_id=None)
    run(7)
    assert list(InvoiceReminder.objects.values_list("invoice", flat=True)) == [open_one.pk]
    pause_reminders(invoice_id=paused.pk, is_paused=False, by_id=None)
    run(7)
    assert InvoiceReminder.objects.count() == 2


def test_a_payment_between_queueing_and_sending_stops_the_reminder() -> None:
    invoice = make_invoice()
    queue_reminders(now=on(7))
    pay(invoice, "300")
    assert not email_reminder(reminder_id=invoice.reminders.get().pk, now=on(7))
    assert mail.outbox == []


def test_after_days_without_a_worker_only_the_last_reminder_is_sent() -> None:
    make_invoice()
    assert run(30) == [21]
    assert run(31) == []


def test_a_mail_server_that_refuses_is_asked_again_and_a_crash_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = make_invoice()
    queue_reminders(now=on(7))
    reminder = invoice.reminders.get()

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError("greylisted")

    with monkeypatch.context() as patch:
        patch.setattr(mails, "send_email", refuse)
        with pytest.raises(OSError, match="greylisted"):
            email_reminder(reminder_id=reminder.pk, now=on(7))
    assert email_reminder(reminder_id=reminder.pk, now=on(7))
    assert not email_reminder(reminder_id=reminder.pk, now=on(7))
    assert len(mail.outbox) == 1


def test_a_reminder_whose_pdf_could_not_be_drawn_is_sent_by_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = make_invoice()
    queue_reminders(now=on(7))
    reminder = invoice.reminders.get()

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("no font")

    with monkeypatch.context() as patch:
        patch.setattr(mails, "draw_invoice_file", fail)
        with pytest.raises(RuntimeError, match="no font"):
            email_reminder(reminder_id=reminder.pk, now=on(7))
    assert email_reminder(reminder_id=reminder.pk, now=on(7))
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("issued", "due", "today", "stage"),
    [
        (0, 30, 27, -3),
        (0, 30, 30, -3),
        (0, 30, 31, None),  # too late for the one before it
        (0, 0, 0, None),  # issued and due on the same day
        (0, 2, 1, None),  # issued within the three days
        (0, 2, 9, 7),
        (0, 30, 1000, 21),
    ],
)
def test_the_stage_that_is_due(issued: int, due: int, today: int, stage: int | None) -> None:
    def day(number: int) -> date:
        return TODAY + timedelta(days=number)

    invoice = Invoice(issued_on=day(issued), due_on=day(due))
    assert find_stage(invoice, [-3, 7, 21], today=day(today)) == stage
