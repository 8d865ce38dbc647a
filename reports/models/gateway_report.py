"""What gateways say moved on our accounts, as they reported it or as their statements list it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import MovementKind
from ecommerce.gateways.labels import gateway_name
from ecommerce.models.fields import amount_field, currency_field
from mitxonline.kernel.models import TracedModel


class GatewayReport(TracedModel):
    """One report of a gateway or one statement file, complete for the time from `since` to before `until`."""

    gateway = models.CharField(_("gateway"), max_length=40)
    account = models.CharField(_("account"), max_length=255, blank=True)
    since = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("until"))
    fetched_at = models.DateTimeField(_("fetched"))
    entries = models.PositiveIntegerField(_("entries"), default=0)
    file_name = models.CharField(_("file"), max_length=255, blank=True, help_text=_("Empty if the gateway was asked."))
    columns = models.TextField(_("columns of the file"), blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("report of a gateway")
        verbose_name_plural = _("reports of gateways")
        ordering = ["-fetched_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="gateway_report_has_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.since:%Y-%m-%d} – {self.until:%Y-%m-%d}"

    @property
    def gateway_name(self) -> str:
        return gateway_name(self.gateway)


class GatewayEntry(models.Model):
    """One movement at a gateway. Fetching it again overwrites it."""

    gateway = models.CharField(_("gateway"), max_length=40)
    account = models.CharField(_("account"), max_length=255, blank=True)
    entry_id = models.CharField(_("id at the gateway"), max_length=255)
    kind = models.CharField(_("kind"), max_length=20, choices=MovementKind)
    payment_id = models.CharField(_("payment at the gateway"), max_length=255, blank=True)
    source_id = models.CharField(_("refund or dispute"), max_length=255, blank=True)
    amount = amount_field(_("amount"), help_text=_("Below zero if money left."))
    currency = currency_field(_("currency"))
    fee = amount_field(_("fee"), default=0, db_default=0)
    fee_currency = currency_field(_("currency of the fee"))
    at = models.DateTimeField(_("at"))
    is_from_file = models.BooleanField(_("from a file"), default=False, db_default=False)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("entry of a gateway")
        verbose_name_plural = _("entries of gateways")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["gateway", "payment_id"], name="gateway_entry_by_payment"),
            models.Index(fields=["at"], name="gateway_entry_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "entry_id"], name="gateway_entry_once"),
            models.CheckConstraint(condition=Q(kind__in=MovementKind.values), name="gateway_entry_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.entry_id}"
