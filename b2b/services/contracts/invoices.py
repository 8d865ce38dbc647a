"""Invoices for contracts: seats × price, or a lump sum. They begin as drafts like all others."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from b2b.models import ContractInvoice, ContractPage
from ecommerce.models import Customer, Invoice
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.invoices.drafts import DraftLine, save_draft


@dataclass(frozen=True, slots=True)
class ContractInvoiceRequest:
    """What is invoiced: ``seats`` at ``price`` each, or without seats the ``price`` as a lump sum."""

    contract: ContractPage
    customer: Customer
    price: Decimal
    currency: str
    seats: int | None = None
    title: str = ""


def draft_contract_invoice(request: ContractInvoiceRequest, *, by_id: int | None) -> Invoice:
    """Make a draft over a contract, and link the two."""
    shop = shop_settings()
    line = DraftLine(
        title=request.title or describe_contract(request.contract),
        seats=request.seats or 1,
        unit_price=request.price,
        is_lump_sum=request.seats is None,
    )
    draft = Invoice(
        customer=request.customer,
        series=settings.INVOICE_SERIES[0],
        currency=request.currency,
        payment_days=shop.invoice_payment_days,
        tax_rate=shop.invoice_tax_rate,
    )
    with transaction.atomic():
        invoice = save_draft(draft, [line], by_id=by_id)
        ContractInvoice.objects.create(contract=request.contract, invoice=invoice)
    return invoice


def describe_contract(contract: ContractPage) -> str:
    return _("Contract “%(name)s”") % {"name": contract.name}
