"""Withdrawn access to contracts."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import WithdrawnBy
from b2b.models.pages import ContractPage
from mitxonline.kernel.models import TracedModel


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def standing(self) -> Self:
        """Withdrawals that weren't lifted."""
        return self.filter(lifted_at__isnull=True)


class Withdrawal(TracedModel):
    """A learner's access was withdrawn. It stays withdrawn until someone lifts it.

    Staff lift any withdrawal by adding the person again. A code that is handed out later lifts only a manager's.
    """

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="withdrawals"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.PROTECT,
        related_name="contract_withdrawals",
    )
    at = models.DateTimeField(_("withdrawn"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("withdrawn by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    authority = models.CharField(_("authority"), max_length=20, choices=WithdrawnBy, default=WithdrawnBy.STAFF)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("lifted by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = WithdrawalQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["contract", "user"], condition=Q(lifted_at__isnull=True), name="withdrawn_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(authority__in=WithdrawnBy.values), name="withdrawal_names_its_authority"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} from contract {self.contract_id}"
