"""Issuing an invoice: its number, its codes and its e-mail, together or not at all."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ecommerce.enums import InvoiceState
from ecommerce.errors.invoices import InvoiceIsVoid, InvoiceNotIssued, InvoiceNotReady, NoRecipients
from ecommerce.events import InvoiceIssued, InvoiceMailWanted
from ecommerce.models import Customer, Invoice, ShopSettings
from ecommerce.selectors.invoices import IssuePlan, find_invoice, plan_issue
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.invoices.drafts import lock_draft
from ecommerce.services.invoices.numbers import DocumentNumber, allocate_number, next_number
from ecommerce.services.registration.codes import SoldSeats, sell_seats
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit, clock
from mitxonline.kernel.fingerprint import refuse_unless_seen


def plan_invoice(*, invoice_id: int, now: datetime) -> IssuePlan:
    """Return what issuing this draft now will do. Raises InvoiceUnknown."""
    invoice, today = find_invoice(invoice_id), clock.date_of(now)
    number = next_number(Invoice, series=invoice.series, on=today)
    return plan_issue(invoice, number=str(number), shop=shop_settings(), now=now, today=today)


def issue_invoice(*, invoice_id: int, seen: str, by_id: int | None, now: datetime) -> Invoice:
    """Number and freeze a draft, make its codes, and have it e-mailed after the commit.

    Raises InvoiceUnknown, InvoiceIssuedAlready, PlanChanged if the draft, the seller or the day isn't what was
    confirmed, InvoiceNotReady.
    """
    today = clock.date_of(now)
    with transaction.atomic():
        invoice = lock_draft(invoice_id)
        # So that its seats have the account that is set at this moment (`give_seats_to_account`).
        invoice.customer = Customer.objects.locked().get(pk=invoice.customer_id)
        shop = shop_settings()
        plan = plan_issue(invoice, number="", shop=shop, now=now, today=today)
        refuse_unless_seen(seen, plan.fingerprint())
        if plan.problems:
            raise InvoiceNotReady(sentence=plan.problems[0])
        _copy_seller(invoice, shop)
        # The lock on the numbers is taken last and kept until the commit, so others wait as briefly as possible.
        _freeze(invoice, plan, allocate_number(Invoice, series=invoice.series, on=today), by_id=by_id, now=now)
        _sell_seats(invoice, plan, now=now)
        audit.record(invoice, "ecommerce.invoice.issue", by_id=by_id, data={"amount": invoice.money.formatted()})
        publish(InvoiceIssued(invoice_id=invoice.pk, number=invoice.number, at=now))
    return invoice


def send_again(*, invoice_id: int, by_id: int | None) -> Invoice:
    """Have an issued invoice e-mailed once more.

    Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, NoRecipients.
    """
    with transaction.atomic():
        invoice = find_invoice(invoice_id)
        if invoice.is_draft:
            raise InvoiceNotIssued
        if not invoice.is_alive:
            raise InvoiceIsVoid(number=invoice.number)
        if not invoice.addresses:
            raise NoRecipients
        audit.record(invoice, "ecommerce.invoice.send", by_id=by_id)
        publish(InvoiceMailWanted(invoice_id=invoice.pk))
    return invoice


def _sell_seats(invoice: Invoice, plan: IssuePlan, *, now: datetime) -> None:
    """Make the codes of each line that sells seats of a course."""
    for each in plan.lines:
        if each.line.product is not None:
            sold = SoldSeats(
                product=each.line.product,
                seats=each.line.seats,
                buyer_id=plan.account.pk if plan.account is not None else None,
                name=_("Seats of invoice %(number)s") % {"number": invoice.number},
                invoice_line=each.line,
            )
            sell_seats(sold, now=now)


def _copy_seller(invoice: Invoice, shop: ShopSettings) -> None:
    invoice.seller_name = shop.seller
    invoice.seller_address = shop.seller_address
    invoice.seller_tax_id = shop.seller_tax_id
    invoice.payment_instructions = shop.payment_instructions
    invoice.tax_name = shop.invoice_tax_name
    invoice.tax_note = shop.reverse_charge_note if invoice.is_reverse_charge else ""


def _freeze(invoice: Invoice, plan: IssuePlan, number: DocumentNumber, *, by_id: int | None, now: datetime) -> None:
    invoice.year, invoice.sequence, invoice.number = number.year, number.sequence, str(number)
    invoice.issued_at, invoice.issued_on, invoice.issued_by_id = now, plan.issued_on, by_id
    invoice.due_on = plan.due_on
    # An invoice over nothing is paid at once.
    invoice.state = InvoiceState.ISSUED if invoice.total else InvoiceState.PAID
    invoice.save()
