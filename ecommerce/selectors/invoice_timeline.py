"""What invoices tell on timelines: of an invoice, a credit note, a customer, a code that was invoiced, or a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.enums import CodeChangeKind, InvoiceEntryKind
from ecommerce.models import (
    Customer,
    DiscountCode,
    Invoice,
    InvoiceEntry,
    InvoiceReminder,
    RegistrationCodeChange,
)
from ecommerce.roles import WHOLE_SHOP, Action, ShopScope, scope_of
from ecommerce.selectors.invoices import invoices_in
from ecommerce.selectors.timeline import describe_change, tell_uses, uses_at_hand
from mitxonline.kernel.timeline import Entry, EntryKind, EntryLink, Scope, Source, Subject, SubjectKind, Viewer

# Entries of the log that say what a row says too.
SAID_BY_ROWS = (
    "ecommerce.invoice.issue",
    *(f"ecommerce.invoice.{kind}" for kind in InvoiceEntryKind),
)
KINDS = frozenset({SubjectKind.INVOICE, SubjectKind.CREDIT_NOTE, SubjectKind.CUSTOMER})
# Taken back by a credit note or with the whole invoice: the entry or the log says so once, for all of them.
TOLD_OF_ALL = (CodeChangeKind.SWITCHED_OFF,)
MOST_FOUND = 10


class InvoicesSource(Source):
    def find(self, text: str) -> Iterator[Subject]:
        written = {text, text.upper()}
        yield from map(invoice_subject, Invoice.objects.filter(number__in=written).exclude(number="")[:1])
        notes = InvoiceEntry.objects.filter(number__in=written).exclude(number="")
        yield from map(_note_subject, notes.select_related("invoice")[:1])
        customers = Customer.objects.filter(company__iexact=text)
        yield from map(_customer_subject, customers.order_by("pk")[:MOST_FOUND])

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        if not key.isdecimal() or len(key) > 18:
            return None
        if kind == SubjectKind.INVOICE:
            return _first(invoice_subject, Invoice.objects.filter(pk=key))
        if kind == SubjectKind.CREDIT_NOTE:
            return _first(_note_subject, _notes().filter(pk=key))
        if kind == SubjectKind.CUSTOMER:
            return _first(_customer_subject, Customer.objects.filter(pk=key))
        return None

    def knows_trace(self, trace_id: str) -> bool:
        return _entries_in(trace_id).exists()

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        if subject.kind not in KINDS:
            return False
        scope = _scope_of(viewer)
        if subject.kind == SubjectKind.CUSTOMER:
            return scope.is_whole
        return bool(scope) and invoices_in(scope).filter(pk__in=_find_invoices(subject)).exists()

    def tell(self, scope: Scope) -> Iterator[Entry]:
        subject = scope.subject
        if subject.kind in KINDS:
            found = invoices_in(_scope_of(scope.viewer)).filter(pk__in=_find_invoices(subject))
        elif scope.is_about(SubjectKind.CODE) and (seen := _scope_of(scope.viewer)):
            found = invoices_in(seen).filter(lines__seat_sale__discount__codes=subject.pk)
        elif subject.trace_id and _scope_of(scope.viewer).is_whole:
            found = Invoice.objects.filter(pk__in=_entries_in(subject.trace_id).values("invoice"))
        else:
            return
        invoices = {each.pk: each for each in scope.read(found.select_related("issued_by"), "invoices")}
        if scope.is_about(SubjectKind.CREDIT_NOTE):
            yield from _tell_entries(invoices, scope, only=subject.pk)
            scope.expect_event("entry_id", [subject.pk], event_type="CreditNoteIssued")
            return
        yield from (_tell_issue(invoice, scope) for invoice in invoices.values() if invoice.issued_at is not None)
        if scope.is_about(SubjectKind.CODE):
            return
        yield from _tell_entries(invoices, scope)
        yield from _tell_reminders(invoices, scope)
        scope.expect_log(Invoice, {invoice.pk: invoice.company for invoice in invoices.values()})
        scope.said.update(SAID_BY_ROWS)
        scope.expect_event("invoice_id", invoices)
        if scope.is_about(SubjectKind.CUSTOMER):
            scope.expect_log(Customer, [subject.pk])
        if scope.is_about(SubjectKind.INVOICE):
            yield from _tell_codes(scope)


def invoice_subject(invoice: Invoice) -> Subject:
    name = _("Invoice %(number)s") % {"number": invoice.number}
    if invoice.is_draft:
        name = _("Draft invoice %(id)d") % {"id": invoice.pk}
    return Subject(SubjectKind.INVOICE, str(invoice.pk), name=name, url=_url_of(invoice.pk))


def _note_subject(note: InvoiceEntry) -> Subject:
    name = _("Credit note %(number)s") % {"number": note.number}
    return Subject(SubjectKind.CREDIT_NOTE, str(note.pk), name=name, url=_url_of(note.invoice_id))


def _customer_subject(customer: Customer) -> Subject:
    url = reverse("wagtailsnippets_ecommerce_customer:edit", args=[customer.pk])
    return Subject(SubjectKind.CUSTOMER, str(customer.pk), name=str(customer), url=url)


def _first(make_subject: Any, rows: QuerySet[Any]) -> Subject | None:
    row = rows.first()
    return make_subject(row) if row is not None else None


def _url_of(invoice_id: int) -> str:
    return reverse("shop_invoices:invoice", args=[invoice_id])


def _scope_of(viewer: Viewer) -> ShopScope:
    return WHOLE_SHOP if viewer.user is None else scope_of(viewer.user, Action.INVOICE_VIEW)


def _notes() -> QuerySet[InvoiceEntry]:
    return InvoiceEntry.objects.filter(kind=InvoiceEntryKind.CREDIT_NOTE)


def _entries_in(trace_id: str) -> QuerySet[InvoiceEntry]:
    return InvoiceEntry.objects.filter(trace_id=trace_id).exclude(trace_id="")


def _find_invoices(subject: Subject) -> QuerySet[Any]:
    if subject.kind == SubjectKind.CUSTOMER:
        return Invoice.objects.filter(customer=subject.pk).values("pk")
    if subject.kind == SubjectKind.CREDIT_NOTE:
        return _notes().filter(pk=subject.pk).values("invoice")
    return Invoice.objects.filter(pk=subject.pk).values("pk")


def _link_invoice(invoice: Invoice, scope: Scope) -> tuple[EntryLink, ...]:
    if scope.is_about(SubjectKind.INVOICE):
        return ()
    subject = invoice_subject(invoice)
    return (scope.link(subject.name, subject.kind, subject.key),)


def _tell_issue(invoice: Invoice, scope: Scope) -> Entry:
    words = {"number": invoice.number, "company": invoice.company}
    return Entry(
        at=invoice.issued_at,  # type: ignore[arg-type]  # of an issued one
        kind=EntryKind.INVOICE,
        sentence=_("Invoice %(number)s was issued to %(company)s.") % words,
        details=(invoice.po_number,) if invoice.po_number else (),
        money=invoice.money,
        person=scope.viewer.name_person(invoice.issued_by),
        links=_link_invoice(invoice, scope),
    )


def _tell_entries(invoices: dict[int, Invoice], scope: Scope, *, only: int | None = None) -> Iterator[Entry]:
    rows = InvoiceEntry.objects.filter(invoice__in=invoices)
    if only is not None:
        rows = rows.filter(pk=only)
    rows = rows.select_related("recorded_by").annotate(
        seats_off=Sum("lines__seats", default=0), codes_off=Sum("lines__codes_off", default=0)
    )
    for entry in scope.read(rows, "entries"):
        links = _link_invoice(invoices[entry.invoice_id], scope)
        if entry.number and only is None:
            name = _("Credit note %(number)s") % {"number": entry.number}
            links += (scope.link(name, SubjectKind.CREDIT_NOTE, entry.pk),)
        yield Entry(
            at=entry.recorded_at,
            kind=EntryKind.INVOICE,
            sentence=_ENTRY_SENTENCES[InvoiceEntryKind(entry.kind)]() % {"number": entry.number},
            details=tuple(_describe_entry(entry)),
            money=entry.money,
            person=scope.viewer.name_person(entry.recorded_by),
            links=links,
            trace_id=entry.trace_id,
            is_problem=entry.kind == InvoiceEntryKind.REVERSAL,
        )


_ENTRY_SENTENCES = {
    InvoiceEntryKind.PAYMENT: lambda: _("A payment was recorded."),
    InvoiceEntryKind.REVERSAL: lambda: _("A payment was reversed."),
    InvoiceEntryKind.PAYOUT: lambda: _("Money paid back to the customer was recorded."),
    InvoiceEntryKind.CREDIT_NOTE: lambda: _("Credit note %(number)s was issued."),
}


def _describe_entry(entry: Any) -> Iterator[str]:
    yield from filter(None, (entry.reference, entry.reason))
    if entry.seats_off:
        yield ngettext("%(n)d seat was taken back.", "%(n)d seats were taken back.", entry.seats_off) % {
            "n": entry.seats_off
        }
    if entry.codes_off:
        yield ngettext("%(n)d code was switched off.", "%(n)d codes were switched off.", entry.codes_off) % {
            "n": entry.codes_off
        }


def _tell_reminders(invoices: dict[int, Invoice], scope: Scope) -> Iterator[Entry]:
    reminders = scope.read(InvoiceReminder.objects.filter(invoice__in=invoices), "reminders")
    scope.expect_event("reminder_id", [reminder.pk for reminder in reminders])
    for reminder in reminders:
        yield Entry(
            at=reminder.sent_at or reminder.queued_at,
            kind=EntryKind.MAIL,
            sentence=_("A reminder was sent.") if reminder.sent_at else _("A reminder was queued."),
            links=_link_invoice(invoices[reminder.invoice_id], scope),
        )


def _tell_codes(scope: Scope) -> Iterator[Entry]:
    """Tell who used the invoice's codes, and what was done to single ones at the desk."""
    codes = DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=scope.subject.pk)
    scope.add("code", codes.values_list("pk", flat=True))
    yield from tell_uses(scope.read(uses_at_hand().filter(code__in=codes), "uses"), scope)
    changes = RegistrationCodeChange.objects.filter(code__in=codes).exclude(kind__in=TOLD_OF_ALL)
    for change in scope.read(changes.select_related("by", "run_before", "run_after", "use__user"), "changes"):
        yield describe_change(change, scope)


INVOICES = InvoicesSource()
