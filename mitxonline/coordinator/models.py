"""Deliveries: the outbox of events, with every attempt to make them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel import clock
from mitxonline.kernel.db import LockableQuerySet


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    DEAD = "dead", _("Dead")
    GIVEN_UP = "given_up", _("Given up")


# Not over yet, so someone or something still has to act on it.
WAITING = (DeliveryState.PENDING, DeliveryState.RUNNING)
# A later delivery with the same order key waits for these. A dead one counts, until it is done or given up.
UNSETTLED = (*WAITING, DeliveryState.DEAD)


class AttemptOutcome(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    LOST = "lost", _("Worker lost")


class DeliveryQuerySet(LockableQuerySet["Delivery"]):
    def due(self, *, now: datetime, skew: timedelta = timedelta()) -> Self:
        """Select those a worker may claim: pending and due, or left by a worker whose lease has ended.

        One that needs its turn is due when no earlier delivery with its order key is unsettled.
        """
        return self.filter(
            Q(state=DeliveryState.PENDING, next_attempt_at__lte=now + skew)
            | Q(state=DeliveryState.RUNNING, lease_until__lt=now),
            Q(order_key="") | ~Exists(Delivery.objects.ahead_of(OuterRef("order_key"), OuterRef("pk"))),
        )

    def ahead_of(self, order_key: str | OuterRef, pk: int | OuterRef) -> Self:
        """Select those that a delivery with this order key waits for."""
        return self.filter(~Q(order_key=""), order_key=order_key, pk__lt=pk, state__in=UNSETTLED)

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
    # Deliveries with the same key are made one after another, in the order of their ids. Empty: in any order.
    order_key = models.CharField(_("order key"), max_length=300, blank=True, default="", db_default="")
    # How many attempts there had been when it was replayed. The limit counts from there.
    attempts_before_replay = models.PositiveSmallIntegerField(_("attempts before the replay"), default=0, db_default=0)
    trace_id = models.CharField(_("trace"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    given_up_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("given up by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True, default="", db_default="")

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
                condition=Q(~Q(state__in=WAITING), finished_at__isnull=False)
                | Q(state__in=WAITING, finished_at__isnull=True),
            ),
            models.CheckConstraint(
                name="delivery_given_up_with_a_reason",
                condition=(Q(state=DeliveryState.GIVEN_UP) & ~Q(reason=""))
                | (~Q(state=DeliveryState.GIVEN_UP) & Q(reason="", given_up_by__isnull=True)),
            ),
            # Of two workers that see their turn at the same moment, one gets it.
            models.UniqueConstraint(
                name="delivery_one_at_a_time",
                fields=["order_key"],
                condition=Q(state=DeliveryState.RUNNING) & ~Q(order_key=""),
            ),
            models.CheckConstraint(
                name="delivery_attempts_from_the_replay_on",
                condition=Q(attempts__gte=F("attempts_before_replay")),
            ),
        ]
        indexes = [
            models.Index(
                name="delivery_waiting",
                fields=["next_attempt_at"],
                condition=Q(state__in=WAITING),
            ),
            models.Index(
                name="delivery_in_order",
                fields=["order_key", "id"],
                condition=Q(state__in=UNSETTLED) & ~Q(order_key=""),
            ),
            models.Index(name="delivery_by_age", fields=["state", "finished_at"]),
            models.Index(name="delivery_by_trace", fields=["trace_id"]),
            models.Index(name="delivery_by_receiver", fields=["handler", "id"]),
            models.Index(name="delivery_dead", fields=["handler", "id"], condition=Q(state=DeliveryState.DEAD)),
            models.Index(name="delivery_given_up", fields=["id"], condition=Q(state=DeliveryState.GIVEN_UP)),
            # Rows are added in the order of this time, so a few pages of the index say where it is.
            BrinIndex(name="delivery_by_day", fields=["created_at"], autosummarize=True),
            # For timelines: the deliveries whose event names an order, an enrollment and so on.
            GinIndex(name="delivery_by_payload", fields=["payload"], opclasses=["jsonb_path_ops"]),
            # For the deletion of an account: of millions of rows few were given up.
            models.Index(name="delivery_by_person", fields=["given_up_by"], condition=Q(given_up_by__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} → {self.handler}"

    @property
    def event_name(self) -> str:
        return self.event_type.rpartition(".")[2]


class DeliveryAttempt(models.Model):
    """One call of a delivery's receiver, opened by the worker that claims it and closed with what came of it.

    The attempt of a worker that was killed is closed by the sweep, or by the next worker.
    """

    delivery = models.ForeignKey(
        Delivery, verbose_name=_("delivery"), on_delete=models.CASCADE, related_name="history", db_index=False
    )
    number = models.PositiveSmallIntegerField(_("number"))
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    process = models.CharField(_("process"), max_length=100, help_text=_("Machine and number of the process."))
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=AttemptOutcome.choices, default=AttemptOutcome.RUNNING
    )
    # What the receiver returned, or type, place and message of its error. Without anything secret (`describe_failure`).
    result = models.CharField(_("result"), max_length=300, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["delivery_id", "number"]
        constraints = [
            models.UniqueConstraint(name="attempt_number_of_delivery", fields=["delivery", "number"]),
            models.UniqueConstraint(
                name="attempt_one_open", fields=["delivery"], condition=Q(outcome=AttemptOutcome.RUNNING)
            ),
            models.CheckConstraint(
                name="attempt_ended_when_over",
                condition=Q(outcome=AttemptOutcome.RUNNING, ended_at__isnull=True)
                | (~Q(outcome=AttemptOutcome.RUNNING) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="attempt_next_after_a_failure",
                condition=Q(next_attempt_at__isnull=True) | Q(outcome__in=[AttemptOutcome.FAILED, AttemptOutcome.LOST]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}"


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
