"""Factories of customers and invoices, made by the services as finance makes them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from wagtail.models import Site

from ecommerce.models import Customer, Invoice, InvoiceEntry, Product, ShopSettings
from ecommerce.services.invoices.drafts import DraftLine, save_draft
from ecommerce.services.invoices.entries import MoneyMoved, record_payment
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from tests.factories import NOON, make_product


def set_seller(**fields: Any) -> ShopSettings:
    """Set who sells, which every issued invoice names."""
    site = Site.objects.get(is_default_site=True)
    seller = {
        "seller_name": "Tessera Learning Ltd",
        "seller_address": "2 Mosaic Yard\nGalway",
        "seller_tax_id": "IE1234567X",
    }
    ShopSettings.objects.update_or_create(site=site, defaults={**seller, **fields})
    return ShopSettings.of_site()


def make_customer(company: str = "Northgate Health", **fields: Any) -> Customer:
    address = {
        "contact_name": "Ines Duarte",
        "recipients": "ap@northgate.example\nines@northgate.example",
        "street": "1 High Street",
        "postal_code": "D02 X285",
        "city": "Dublin",
        "country": "IE",
        "tax_id": "IE7654321W",
    }
    return Customer.objects.create(company=company, **{**address, **fields})


def line_of(product: Product | None = None, *, seats: int = 3, price: str = "100", discount: str = "0") -> DraftLine:
    return DraftLine(
        product=product or make_product(),
        seats=seats,
        unit_price=Decimal(price),
        discount_percent=Decimal(discount),
    )


def make_draft(*lines: DraftLine, customer: Customer | None = None, **fields: Any) -> Invoice:
    """Make a draft; without lines, over 3 seats at 100 dollars."""
    values = {"series": "INV", "currency": "USD", "payment_days": 30}
    invoice = Invoice(customer=customer or make_customer(), **{**values, **fields})
    return save_draft(invoice, lines or [line_of()], by_id=None)


def issue(draft: Invoice, *, now: datetime = NOON) -> Invoice:
    """Issue a draft as it is, by a seller that is set where none is yet."""
    if not ShopSettings.objects.exclude(seller_name="").exists():
        set_seller()
    plan = plan_invoice(invoice_id=draft.pk, now=now)
    return issue_invoice(invoice_id=draft.pk, seen=plan.fingerprint(), by_id=None, now=now)


def make_invoice(*lines: DraftLine, now: datetime = NOON, **fields: Any) -> Invoice:
    """Make an issued invoice; without lines, over 3 seats at 100 dollars."""
    return issue(make_draft(*lines, **fields), now=now)


def moved(amount: str, *, currency: str = "USD", on: date | None = None) -> MoneyMoved:
    return MoneyMoved(Money(amount, currency), on or clock.date_of(NOON), uuid.uuid4())


def pay(invoice: Invoice, amount: str, *, now: datetime = NOON) -> InvoiceEntry:
    payment = moved(amount, currency=invoice.currency)
    return record_payment(invoice_id=invoice.pk, moved=payment, by_id=None, now=now)
