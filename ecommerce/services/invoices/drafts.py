"""Drafts of invoices. They change freely; saving one computes its amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from ecommerce.errors.invoices import DraftChanged, InvoiceIssuedAlready, InvoiceNotReady, InvoiceUnknown
from ecommerce.models import Invoice, InvoiceLine, Product
from ecommerce.models.fields import MAX_AMOUNT
from ecommerce.models.invoice import PARTY_FIELDS
from ecommerce.selectors.invoice_amounts import compute_line
from ecommerce.selectors.invoices import draft_facts, draft_fingerprint
from mitxonline.kernel import audit
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line as it was entered: seats of a product, or something else with a title."""

    seats: int
    unit_price: Decimal
    product: Product | None = None
    title: str = ""
    discount_percent: Decimal = Decimal(0)
    is_lump_sum: bool = False


def save_draft(invoice: Invoice, lines: Sequence[DraftLine], *, by_id: int | None, seen: str | None = None) -> Invoice:
    """Save a new or changed draft with its lines and amounts.

    What is empty of its contact and address is copied from the customer. ``seen`` is the fingerprint of the draft that
    the form showed. Raises InvoiceUnknown, InvoiceIssuedAlready, DraftChanged, InvoiceNotReady.
    """
    with transaction.atomic():
        is_new = invoice.pk is None
        if not is_new:
            _refuse_if_changed(invoice, seen)
        _copy_from_customer(invoice)
        if invoice.is_reverse_charge:
            invoice.tax_rate = None
        rows = [_make_line(invoice, line) for line in lines]
        invoice.net_total = sum((row.net for row in rows), Decimal(0))
        invoice.tax_total = sum((row.tax for row in rows), Decimal(0))
        invoice.total = invoice.net_total + invoice.tax_total
        if invoice.total >= MAX_AMOUNT:
            raise InvoiceNotReady(sentence=_("The total must be below 100,000,000."))
        invoice.save()
        invoice.lines.all().delete()
        for row in rows:
            row.invoice = invoice
        InvoiceLine.objects.bulk_create(rows)
        audit.record(invoice, "ecommerce.invoice.make" if is_new else "ecommerce.invoice.change", by_id=by_id)
    return invoice


def delete_draft(*, invoice_id: int, by_id: int | None) -> None:
    """Delete a draft. Raises InvoiceUnknown, InvoiceIssuedAlready."""
    with transaction.atomic():
        invoice = lock_draft(invoice_id)
        audit.record(invoice, "ecommerce.invoice.delete", by_id=by_id)
        invoice.delete()


def lock_draft(invoice_id: int) -> Invoice:
    """Lock a draft. Raises InvoiceUnknown, InvoiceIssuedAlready."""
    invoice = Invoice.objects.locked().filter(pk=invoice_id).first()
    if invoice is None:
        raise InvoiceUnknown
    if not invoice.is_draft:
        raise InvoiceIssuedAlready(number=invoice.number)
    return invoice


def _refuse_if_changed(invoice: Invoice, seen: str | None) -> None:
    stored = lock_draft(invoice.pk)
    lines = list(stored.lines.order_by("pk"))
    if seen is not None and draft_fingerprint(stored, lines) != seen:
        mine = draft_facts(invoice, lines)
        differing = [name for name, value in draft_facts(stored, lines).items() if mine[name] != value]
        raise DraftChanged(difference=", ".join(differing) or str(InvoiceLine._meta.verbose_name_plural))


def _copy_from_customer(invoice: Invoice) -> None:
    customer = invoice.customer
    has_address = bool(invoice.address_lines)
    for name in PARTY_FIELDS:
        # An address is copied whole: a street of ours with a city of theirs would be nowhere.
        if name in {"street", "postal_code", "city", "region", "country"} and has_address:
            continue
        if not getattr(invoice, name):
            setattr(invoice, name, getattr(customer, name))


def _make_line(invoice: Invoice, line: DraftLine) -> InvoiceLine:
    amounts = compute_line(
        unit_price=Money(line.unit_price, invoice.currency),
        seats=line.seats,
        discount_percent=line.discount_percent,
        tax_rate=invoice.tax_rate,
    )
    product = line.product
    return InvoiceLine(
        product=product,
        title=(line.title or (product.title if product is not None else ""))[:255],
        item_id=product.item_id if product is not None else "",
        mode=product.mode if product is not None else "",
        seats=line.seats,
        is_lump_sum=line.is_lump_sum,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        net=amounts.net.amount,
        tax=amounts.tax.amount,
    )
