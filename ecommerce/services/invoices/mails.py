"""The e-mails about invoices, sent by a worker after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from ecommerce.models import Invoice, InvoiceEntry, InvoiceReminder
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.invoices.files import draw_credit_note_file, draw_invoice_file, make_code_file
from mitxonline.kernel import clock
from mitxonline.kernel.mail import MailFile, send_email

PDF = "application/pdf"


def email_invoice(*, invoice_id: int, now: datetime) -> None:
    """Send an issued invoice with its PDF and the list of its codes. A void one isn't sent."""
    invoice = Invoice.objects.select_related("customer").get(pk=invoice_id)
    if not invoice.is_alive:
        return
    codes = make_code_file(invoice)
    _email_customer(
        "invoice",
        invoice,
        files=[_invoice_pdf(invoice, now), *([codes.file] if codes else [])],
        lines=_describe_lines(invoice),
        code_count=codes.count if codes else 0,
    )


def email_credit_note(*, entry_id: int) -> None:
    entry = InvoiceEntry.objects.select_related("invoice").get(pk=entry_id)
    invoice = entry.invoice
    _email_customer(
        "credit_note",
        invoice,
        files=[MailFile(f"{entry.number}.pdf", draw_credit_note_file(entry), PDF)],
        entry=entry,
        is_open=invoice.is_open,
        owed=(-invoice.balance).formatted() if invoice.balance.is_negative else "",
        codes_off=sum(row.codes_off for row in entry.lines.all()),
    )


def email_voided_invoice(*, invoice_id: int) -> None:
    invoice = Invoice.objects.get(pk=invoice_id)
    _email_customer("invoice_void", invoice, has_codes=invoice.lines.exclude(product=None).exists())


def email_reminder(*, reminder_id: int, now: datetime) -> bool:
    """Send a reminder, at most once, and return whether it was sent.

    It is claimed before it is sent, so that no two workers send it and a crash sends it no second time. It isn't sent
    when the invoice was paid, voided or paused meanwhile. Raises OSError where the mail server refuses it; then the
    claim is given back, and the next attempt may send it.
    """
    waiting = InvoiceReminder.objects.filter(pk=reminder_id, claimed_at=None, sent_at=None)
    reminder = waiting.select_related("invoice").first()
    if reminder is None:
        return False
    # Drawn before the claim: if that fails, nothing was sent, and the next attempt may.
    pdf = _invoice_pdf(reminder.invoice, now)
    if not waiting.update(claimed_at=now):
        return False
    invoice = Invoice.objects.get(pk=reminder.invoice_id)
    if not invoice.is_open or invoice.reminders_paused or invoice.due_on is None:
        return False
    is_overdue = invoice.due_on < clock.date_of(now)
    try:
        _email_customer("invoice_reminder", invoice, files=[pdf], is_overdue=is_overdue)
    except OSError:
        InvoiceReminder.objects.filter(pk=reminder_id, sent_at=None).update(claimed_at=None)
        raise
    InvoiceReminder.objects.filter(pk=reminder_id).update(sent_at=now)
    return True


def _email_customer(name: str, invoice: Invoice, *, files: Sequence[MailFile] = (), **context: object) -> None:
    support = shop_settings().support_email
    send_email(
        f"ecommerce/emails/{name}",
        to=invoice.addresses,
        reply_to=[support] if support else [],
        context={"invoice": invoice} | context,
        language=settings.LANGUAGE_CODE,
        about=invoice,
        files=files,
    )


def _invoice_pdf(invoice: Invoice, now: datetime) -> MailFile:
    return MailFile(f"{invoice.number}.pdf", draw_invoice_file(invoice, now=now), PDF)


def _describe_lines(invoice: Invoice) -> list[str]:
    return [
        line.title if line.is_lump_sum else _("%(seats)d × %(title)s") % {"seats": line.seats, "title": line.title}
        for line in invoice.lines.order_by("pk")
    ]
