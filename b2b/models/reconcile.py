"""Updates of contracts: their runs, products and codes follow the terms."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import ReconcileState
from b2b.models.pages import ContractPage


class Reconcile(models.Model):
    """A request to reconcile a contract, and its result. New requests join the one that waits."""

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="reconciles"
    )
    state = models.CharField(_("state"), max_length=20, choices=ReconcileState, default=ReconcileState.WAITING)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requested by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    requested_at = models.DateTimeField(_("requested"))
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("update of a contract")
        verbose_name_plural = _("updates of contracts")
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["contract"], condition=Q(state=ReconcileState.WAITING), name="reconcile_waits_once"
            ),
        ]

    def __str__(self) -> str:
        return f"reconcile of contract {self.contract_id}: {self.state}"

    @property
    def took(self) -> timedelta | None:
        """The duration; None until it has finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, timedelta())
