"""Voiding an invoice as finance does: after its plan."""

from __future__ import annotations

from datetime import datetime

from ecommerce.models import Invoice
from ecommerce.services.invoices.entries import plan_voiding, void_invoice
from tests.factories import NOON


def void_unpaid(invoice: Invoice, *, now: datetime = NOON) -> Invoice:
    """Void an invoice; people keep what they redeemed."""
    plan = plan_voiding(invoice_id=invoice.pk)
    return void_invoice(
        invoice_id=invoice.pk, reason="Ordered twice", keeps_used=True, seen=plan.fingerprint(), by_id=None, now=now
    )
