"""E-mails to finance that are waiting to be sent."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import AlertKind
from ecommerce.models.order import Order


class MoneyAlert(models.Model):
    """Something about an order's money that needs a decision. All new alerts are sent in one e-mail.

    `about` tells apart what can happen to one order several times: it is the refund, the dispute or the time.
    """

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="money_alerts")
    kind = models.CharField(_("what"), max_length=30, choices=AlertKind)
    about = models.CharField(_("about"), max_length=100)
    raised_at = models.DateTimeField(_("raised"))
    claimed_at = models.DateTimeField(_("being sent since"), null=True, blank=True)
    mailed_at = models.DateTimeField(_("sent"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("message to finance")
        verbose_name_plural = _("messages to finance")
        ordering = ["raised_at", "pk"]
        indexes = [models.Index(fields=["raised_at"], condition=Q(mailed_at=None), name="alert_to_be_mailed")]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "about"], name="alert_once"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.kind}"
