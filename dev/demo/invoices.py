"""Invoices of the demo, one in each state and of each age. The real services write, issue and settle them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from dev.demo.people import FINANCE_OFFICER
from ecommerce.models import Customer, Invoice, Product
from ecommerce.selectors.invoice_seats import CreditRequest
from ecommerce.selectors.invoices import sellable_products
from ecommerce.services.invoices import entries
from ecommerce.services.invoices.drafts import DraftLine, save_draft
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User

MARK = "demo"  # in our reference, so that loading again makes none twice


@dataclass(frozen=True, slots=True)
class InvoiceStory:
    """An invoice written some days ago with 30 days to pay, and what happened to it since."""

    key: str
    company: str
    seats: int
    days_ago: int
    goes_on: Callable[[Invoice, int, datetime], None]
    discount: str = "0"


def ensure_invoices(*, now: datetime) -> None:
    """Tell each story whose invoice doesn't exist yet."""
    if not Customer.objects.exists():
        Customer.objects.bulk_create([Customer(**fields) for fields in CUSTOMERS])
    customers = {customer.company: customer for customer in Customer.objects.order_by("-pk")}
    by_id = User.objects.filter(email=FINANCE_OFFICER.email).values_list("pk", flat=True).first()
    for story in STORIES:
        customer = customers.get(story.company)
        if customer is None or by_id is None or Invoice.objects.filter(internal_reference=_reference(story)).exists():
            continue
        _tell(story, customer, by_id, now=now)


def _tell(story: InvoiceStory, customer: Customer, by_id: int, *, now: datetime) -> None:
    then = now - timedelta(days=story.days_ago)
    products = list(sellable_products(then)[:2])
    draft = Invoice(
        customer=customer,
        series=settings.INVOICE_SERIES[0],
        currency=current_shop().currency,
        payment_days=30,
        po_number=f"PO-{4700 + len(story.key)}",
        internal_reference=_reference(story),
        tax_rate=Decimal(23) if customer.country == "IE" else None,
    )
    save_draft(draft, [_make_line(product, story) for product in products] or [_make_line(None, story)], by_id=by_id)
    if story.goes_on is stay_draft:
        return
    plan = plan_invoice(invoice_id=draft.pk, now=then)
    if plan.problems:  # an operator has emptied the shop's settings
        return
    invoice = issue_invoice(invoice_id=draft.pk, seen=plan.fingerprint(), by_id=by_id, now=then)
    story.goes_on(invoice, by_id, then + timedelta(days=min(story.days_ago, 9)))


def _reference(story: InvoiceStory) -> str:
    return f"{MARK}-{story.key}"


def _make_line(product: Product | None, story: InvoiceStory) -> DraftLine:
    return DraftLine(
        product=product,
        title="" if product is not None else "Workshops on site",
        seats=story.seats,
        unit_price=product.price if product is not None else Decimal(199),
        discount_percent=Decimal(story.discount),
    )


def stay_draft(_invoice: Invoice, _by_id: int, _at: datetime) -> None:
    return


def stay_open(_invoice: Invoice, _by_id: int, _at: datetime) -> None:
    return


def pay_all(invoice: Invoice, by_id: int, at: datetime) -> None:
    _pay(invoice, invoice.balance, by_id, at)


def pay_part(invoice: Invoice, by_id: int, at: datetime) -> None:
    _pay(invoice, Money(invoice.total / 3, invoice.currency), by_id, at)


def _pay(invoice: Invoice, money: Money, by_id: int, at: datetime) -> None:
    moved = entries.MoneyMoved(money, clock.date_of(at), uuid.uuid4(), reference="SEPA transfer")
    entries.record_payment(invoice_id=invoice.pk, moved=moved, by_id=by_id, now=at)


def credit_all(invoice: Invoice, by_id: int, at: datetime) -> None:
    seats = {line.pk: line.seats for line in invoice.lines.all()}
    request = CreditRequest(seats, "The training was called off")
    plan = entries.plan_credit_note(request, invoice_id=invoice.pk)
    entries.issue_credit_note(
        request, invoice_id=invoice.pk, seen=plan.fingerprint(), posted_as=uuid.uuid4(), by_id=by_id, now=at
    )


def void(invoice: Invoice, by_id: int, at: datetime) -> None:
    plan = entries.plan_voiding(invoice_id=invoice.pk)
    entries.void_invoice(
        invoice_id=invoice.pk,
        reason="Made out to the wrong company",
        keeps_used=False,
        seen=plan.fingerprint(),
        by_id=by_id,
        now=at,
    )


CUSTOMERS: tuple[dict[str, str], ...] = (
    {
        "company": "Northgate Health",
        "contact_name": "Ines Duarte",
        "recipients": "accounts@northgate.example",
        "street": "1 High Street",
        "postal_code": "D02 X285",
        "city": "Dublin",
        "country": "IE",
        "tax_id": "IE7654321W",
    },
    {
        "company": "Old Mill Engineering",
        "contact_name": "Tom Becker",
        "recipients": "invoices@oldmill.example\ntom.becker@oldmill.example",
        "street": "400 Mill Road",
        "postal_code": "02139",
        "city": "Cambridge",
        "region": "MA",
        "country": "US",
    },
)
# From the oldest to the newest, because numbers follow days.
STORIES = (
    InvoiceStory("over-90", "Old Mill Engineering", 4, 150, stay_open),
    InvoiceStory("61-90", "Northgate Health", 6, 110, stay_open),
    InvoiceStory("paid", "Northgate Health", 12, 95, pay_all, discount="10"),
    InvoiceStory("31-60", "Old Mill Engineering", 3, 80, pay_part),
    InvoiceStory("void", "Old Mill Engineering", 2, 60, void),
    InvoiceStory("0-30", "Northgate Health", 5, 45, stay_open),
    InvoiceStory("credited", "Old Mill Engineering", 8, 40, credit_all),
    InvoiceStory("part-paid", "Northgate Health", 20, 20, pay_part, discount="15"),
    InvoiceStory("issued", "Old Mill Engineering", 10, 3, stay_open),
    InvoiceStory("draft", "Northgate Health", 40, 0, stay_draft, discount="12.5"),
)
