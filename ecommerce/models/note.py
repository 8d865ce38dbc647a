"""Staff's notes on orders."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ecommerce.models.order import Order


class OrderNote(models.Model):
    """What staff want to remember about an order. Buyers never see it."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="notes")
    text = models.TextField(_("note"), max_length=2000)
    written_at = models.DateTimeField(_("written"))
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("written by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("note on an order")
        verbose_name_plural = _("notes on orders")
        ordering = ["-written_at", "-pk"]

    def __str__(self) -> str:
        return f"note {self.pk} on order {self.order_id}"
