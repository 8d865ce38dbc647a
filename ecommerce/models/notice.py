"""Notices of gateways about payments, as they came."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import NoticeState
from ecommerce.models.order import Order
from mitxonline.kernel.models import TracedModel


class GatewayNotice(TracedModel):
    """One notice of a gateway. It is stored before it is processed, and only once.

    The body names the buyer, so it is deleted after `NOTICE_BODY_DAYS`. The row stays.
    """

    gateway = models.CharField(_("gateway"), max_length=40)
    account = models.CharField(_("account"), max_length=255, blank=True)
    event_id = models.CharField(_("event"), max_length=255)
    kind = models.CharField(_("kind"), max_length=100)
    body = models.TextField(_("body"), blank=True)
    state = models.CharField(_("state"), max_length=20, choices=NoticeState, default=NoticeState.RECEIVED)
    received_at = models.DateTimeField(_("received"))
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    order = models.ForeignKey(
        Order, verbose_name=_("order"), null=True, blank=True, on_delete=models.PROTECT, related_name="notices"
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("gateway notice")
        verbose_name_plural = _("gateway notices")
        ordering = ["-received_at", "-pk"]
        indexes = [
            models.Index(fields=["received_at"], name="notice_by_age"),
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="notice_by_trace"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="notice_kept_once"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.kind}: {self.state}"
