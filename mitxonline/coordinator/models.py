"""Deliveries: the outbox of events, and the record of what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel import clock


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, *, now: datetime, skew: timedelta = timedelta()) -> Self:
        """Select those a worker may claim: pending and due, or left by a worker whose lease has ended."""
        return self.filter(
            Q(state=DeliveryState.PENDING, next_attempt_at__lte=now + skew)
            | Q(state=DeliveryState.RUNNING, lease_until__lt=now)
        )

    def unsent(self, *, now: datetime, patience: timedelta) -> Self:
        """Select due ones that the broker doesn't have, or has had for longer than a task waits in its queue."""
        return self.due(now=now).filter(Q(sent_at=None) | Q(sent_at__lt=now - patience))


class Delivery(models.Model):
    event_type = models.CharField(_("event"), max_length=200)
    payload = models.JSONField(_("payload"))
    handler = models.CharField(_("receiver"), max_length=200)
    state = models.CharField(_("state"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=clock.now)
    sent_at = models.DateTimeField(_("handed to the broker"), null=True, blank=True)
    lease_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    trace_id = models.CharField(_("trace"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.CheckConstraint(
                name="delivery_lease_while_running",
                condition=Q(state=DeliveryState.RUNNING, lease_until__isnull=False)
                | (~Q(state=DeliveryState.RUNNING) & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="delivery_finished_when_over",
                condition=Q(state__in=[DeliveryState.DONE, DeliveryState.FAILED], finished_at__isnull=False)
                | Q(state__in=[DeliveryState.PENDING, DeliveryState.RUNNING], finished_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                name="delivery_waiting",
                fields=["next_attempt_at"],
                condition=Q(state__in=[DeliveryState.PENDING, DeliveryState.RUNNING]),
            ),
            models.Index(name="delivery_by_age", fields=["state", "finished_at"]),
            models.Index(name="delivery_by_trace", fields=["trace_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} → {self.handler}"

    @property
    def event_name(self) -> str:
        return self.event_type.rpartition(".")[2]


class ScheduledTask(models.Model):
    """When a task of the schedule last succeeded, so that one that doesn't run any more is noticed."""

    name = models.CharField(_("task"), max_length=200, primary_key=True)
    known_since = models.DateTimeField(_("known since"))
    succeeded_at = models.DateTimeField(_("last succeeded"), null=True, blank=True)

    class Meta:
        verbose_name = _("scheduled task")
        verbose_name_plural = _("scheduled tasks")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
