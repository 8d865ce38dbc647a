"""Which invoices are about which contract."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from b2b.models.pages import ContractPage
from ecommerce.models import Invoice


class ContractInvoice(models.Model):
    """An invoice for a contract. The contract makes its own codes, so the invoice makes none."""

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="contract_invoices"
    )
    invoice = models.OneToOneField(
        Invoice,
        verbose_name=_("invoice"),
        on_delete=models.CASCADE,
        related_name="contract_invoice",
        help_text=_("Only a draft can be deleted; the link goes with it."),
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("invoice of a contract")
        verbose_name_plural = _("invoices of contracts")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.contract_id}: {self.invoice_id}"
