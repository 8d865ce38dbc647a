"""Managers' requests for more seats."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.models.pages import ContractPage

MAX_SEATS = 100_000


class SeatRequestQuerySet(models.QuerySet["SeatRequest"]):
    def open(self) -> Self:
        """Requests that staff haven't closed."""
        return self.filter(closed_at__isnull=True)


class SeatRequest(models.Model):
    """A manager asks for more seats in a contract. Staff change the terms, and close the request with an answer.

    A contract has one open request at a time, so that asking twice doesn't ask for twice as many seats.
    """

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="seat_requests"
    )
    seats = models.PositiveIntegerField(_("more seats"))
    message = models.CharField(_("message"), max_length=500, blank=True)
    asked_at = models.DateTimeField(_("asked"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("asked by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("closed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    answer = models.CharField(_("answer"), max_length=500, blank=True)

    objects = SeatRequestQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("request for seats")
        verbose_name_plural = _("requests for seats")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["contract"], condition=Q(closed_at__isnull=True), name="seat_request_open_once"
            ),
            models.CheckConstraint(condition=Q(seats__gte=1, seats__lte=MAX_SEATS), name="seat_request_asks_for_seats"),
        ]

    def __str__(self) -> str:
        return f"{self.seats} more seats in contract {self.contract_id}"
