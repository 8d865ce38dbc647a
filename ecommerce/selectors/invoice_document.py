"""Invoices and credit notes as they are printed: plain data, with amounts that add up line by line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from ecommerce.enums import InvoiceState
from ecommerce.models import Invoice, InvoiceEntry, InvoiceLine, ShopSettings
from ecommerce.selectors.discount_text import percent_text
from mitxonline.kernel.dates import format_day
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class PrintedParty:
    name: str
    lines: tuple[str, ...]
    tax_id: str


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line with its own amounts. ``seats`` is empty for a lump sum, the price for a part of one."""

    title: str
    detail: str
    seats: str
    unit_price: Money | None
    discount: str
    net: Money
    tax_rate: str
    tax: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class SalesDocument:
    """An invoice, a draft of one, or a credit note."""

    title: str
    number: str
    notice: str  # printed large above everything: that it is a draft, or void
    created_at: datetime
    seller: PrintedParty
    buyer: PrintedParty
    facts: tuple[tuple[str, str], ...]
    lines: tuple[PrintedLine, ...]
    net: Money
    tax: Money
    tax_label: str  # empty: no tax is charged, and no line for it printed
    total: Money
    total_label: str
    notes: tuple[str, ...]
    how_to_pay: str


def invoice_document(invoice: Invoice, *, shop: ShopSettings, now: datetime) -> SalesDocument:
    """Return what an invoice prints. A draft is shown with the seller and the days it would have if issued now."""
    is_draft = invoice.is_draft
    lines = invoice.lines.select_related("product__course_run").order_by("pk")
    instructions = shop.payment_instructions if is_draft else invoice.payment_instructions
    return SalesDocument(
        title=_("Invoice"),
        number=invoice.number,
        notice=_name_notice(invoice),
        created_at=invoice.issued_at or now,
        seller=_seller(invoice, shop),
        buyer=_buyer(invoice),
        facts=tuple(_invoice_facts(invoice)),
        lines=tuple(_print_line(line, line.seats, line.net, line.tax, invoice) for line in lines),
        net=invoice.net,
        tax=invoice.tax,
        tax_label=_label_tax(invoice, shop),
        total=invoice.money,
        total_label=_("Amount due"),
        notes=tuple(note for note in (_note_tax(invoice, shop), invoice.note) if note),
        how_to_pay=instructions if invoice.total else "",
    )


def credit_note_document(entry: InvoiceEntry, *, shop: ShopSettings) -> SalesDocument:
    """Return what a credit note prints: the seats it takes back, with the seller and buyer of its invoice."""
    invoice = entry.invoice
    rows = entry.lines.select_related("line__product__course_run").order_by("line__pk")
    return SalesDocument(
        title=_("Credit note"),
        number=entry.number,
        notice="",
        created_at=entry.recorded_at,
        seller=_seller(invoice, shop),
        buyer=_buyer(invoice),
        facts=(
            (_("Date"), format_day(entry.happened_on)),
            (
                _("For invoice"),
                _("%(number)s of %(day)s")
                % {"number": invoice.number, "day": format_day(invoice.issued_on or entry.happened_on)},
            ),
            *([(_("Purchase order"), invoice.po_number)] if invoice.po_number else []),
            (_("Reason"), entry.reason),
        ),
        lines=tuple(_print_line(row.line, row.seats, row.net, row.tax, invoice) for row in rows),
        net=Money(entry.amount - entry.tax, entry.currency),
        tax=Money(entry.tax, entry.currency),
        tax_label=_label_tax(invoice, shop),
        total=entry.money,
        total_label=_("Amount credited"),
        notes=tuple(note for note in (_note_tax(invoice, shop),) if note),
        how_to_pay="",
    )


def _name_notice(invoice: Invoice) -> str:
    if invoice.is_draft:
        return _("Draft – not an invoice")
    return _("Void") if invoice.state == InvoiceState.VOID else ""


def _seller(invoice: Invoice, shop: ShopSettings) -> PrintedParty:
    source = shop if invoice.is_draft else invoice
    address = tuple(line.strip() for line in source.seller_address.splitlines() if line.strip())
    return PrintedParty(source.seller_name, address, source.seller_tax_id)


def _buyer(invoice: Invoice) -> PrintedParty:
    lines = [*([invoice.contact_name] if invoice.contact_name else []), *invoice.address_lines]
    return PrintedParty(invoice.company, tuple(lines), invoice.tax_id)


def _invoice_facts(invoice: Invoice) -> list[tuple[str, str]]:
    facts = []
    if invoice.issued_on is not None:
        facts.append((_("Invoice date"), format_day(invoice.issued_on)))
    if invoice.due_on is not None:
        facts.append((_("Due date"), format_day(invoice.due_on)))
    else:
        facts.append((_("Days to pay"), str(invoice.payment_days)))
    if invoice.po_number:
        facts.append((_("Purchase order"), invoice.po_number))
    return facts


def _print_line(line: InvoiceLine, seats: int, net: Decimal, tax: Decimal, invoice: Invoice) -> PrintedLine:
    is_part_of_sum = not seats
    discount = percent_text(line.discount_percent) if line.discount_percent and not is_part_of_sum else ""
    return PrintedLine(
        title=line.title,
        detail=line.item_id,
        seats="" if line.is_lump_sum else str(seats),
        unit_price=None if is_part_of_sum else Money(line.unit_price, invoice.currency),
        discount=discount,
        net=Money(net, invoice.currency),
        tax_rate=name_tax_rate(invoice),
        tax=Money(tax, invoice.currency),
    )


def name_tax_rate(invoice: Invoice) -> str:
    """Return the rate of its lines, “0%” for reverse charge; nothing where no tax is charged."""
    if invoice.is_reverse_charge:
        return percent_text(Decimal(0))
    return percent_text(invoice.tax_rate) if invoice.tax_rate is not None else ""


def _label_tax(invoice: Invoice, shop: ShopSettings) -> str:
    """“VAT 23 %”, “VAT 0 % (reverse charge)”, or nothing where no tax is charged."""
    name = (shop.invoice_tax_name if invoice.is_draft else invoice.tax_name) or _("Tax")
    rate = name_tax_rate(invoice)
    if invoice.is_reverse_charge:
        return _("%(tax)s %(rate)s (reverse charge)") % {"tax": name, "rate": rate}
    return f"{name} {rate}" if rate else ""


def _note_tax(invoice: Invoice, shop: ShopSettings) -> str:
    if not invoice.is_reverse_charge:
        return ""
    return shop.reverse_charge_note if invoice.is_draft else invoice.tax_note
