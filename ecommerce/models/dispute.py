"""Payments that the buyer's bank reclaims."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import OPEN_DISPUTE_STATES, DisputeState
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.order import Order
from ecommerce.models.payment import PaymentAttempt
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money


class Dispute(models.Model):
    """A dispute as the gateway reports it. Staff answer it at the gateway."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="disputes")
    attempt = models.ForeignKey(
        PaymentAttempt, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="disputes"
    )
    gateway = models.CharField(_("gateway"), max_length=40)
    dispute_id = models.CharField(_("dispute at the gateway"), max_length=255)
    amount = amount_field(_("amount"))
    currency = currency_field(_("currency"))
    state = models.CharField(_("state"), max_length=20, choices=DisputeState)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    funds_withdrawn_at = models.DateTimeField(_("money withdrawn"), null=True, blank=True)
    funds_reinstated_at = models.DateTimeField(_("money returned to us"), null=True, blank=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = LockableQuerySet["Dispute"].as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "dispute_id"], name="dispute_once_per_gateway"),
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id}: {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether the bank hasn't decided yet."""
        return self.state in OPEN_DISPUTE_STATES

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)
