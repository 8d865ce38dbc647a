"""The files of invoices: PDF and the list of their codes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import translation
from django.utils.module_loading import import_string

from ecommerce.models import Invoice, InvoiceEntry, SeatSale
from ecommerce.selectors.invoice_document import credit_note_document, invoice_document
from ecommerce.selectors.registration_file import list_sold_courses, registration_file
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.mail import MailFile


def draw_invoice_file(invoice: Invoice, *, now: datetime) -> bytes:
    """Draw an invoice, or a preview of a draft, in the site's language: it is the same for everyone."""
    with translation.override(settings.LANGUAGE_CODE):
        content: bytes = import_string(settings.INVOICE_FILE)(invoice_document(invoice, shop=shop_settings(), now=now))
    return content


def draw_credit_note_file(entry: InvoiceEntry) -> bytes:
    with translation.override(settings.LANGUAGE_CODE):
        content: bytes = import_string(settings.INVOICE_FILE)(credit_note_document(entry, shop=shop_settings()))
    return content


@dataclass(frozen=True, slots=True)
class CodeFile:
    """The list of an invoice's codes, as a CSV file for people."""

    file: MailFile
    count: int


def make_code_file(invoice: Invoice) -> CodeFile | None:
    """Return the codes that can be used or were, as buyers of group purchases get them; None if there are none."""
    courses = list_sold_courses(SeatSale.objects.filter(invoice_line__invoice=invoice))
    count = sum(len(course.codes) for course in courses)
    return CodeFile(registration_file(courses, name=f"{invoice.number}-codes"), count) if count else None
