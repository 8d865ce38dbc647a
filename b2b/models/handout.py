"""Codes handed out by e-mail, and the mails that say so: the outbox of hand-outs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import MailKind, MailState
from b2b.models.contract_run import ContractRun
from ecommerce.models import DiscountCode

# Longer than the mail server may take: a mail claimed before that was left by a worker that is gone.
SENDING_PATIENCE = timedelta(minutes=5)


class HandOutQuerySet(models.QuerySet["HandOut"]):
    """The vocabulary for asking after hand-outs."""

    def open(self) -> Self:
        """Those that were neither revoked nor canceled."""
        return self.filter(ended_at__isnull=True)


class HandOut(models.Model):
    """A code given to an address: one of their own (assigned), or the shared one of a contract without a cap.

    What the rules ask is the code's own ``assigned_email``; this is who gave it when, and what became of the mail.
    The database forgets the code here when it is deleted, which only happens to codes no one has.
    """

    contract_run = models.ForeignKey(
        ContractRun, verbose_name=_("contract run"), on_delete=models.PROTECT, related_name="hand_outs"
    )
    code = models.ForeignKey(
        DiscountCode,
        verbose_name=_("code"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,  # the migration makes one that sets null, also for set-based deletions
        related_name="hand_outs",
    )
    is_shared = models.BooleanField(_("by the shared code"), default=False)
    email = models.EmailField(_("given to"))
    name = models.CharField(_("name"), max_length=255, blank=True)
    given_at = models.DateTimeField(_("given on"))
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("given by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    reminded_on = models.DateField(_("last reminded"), null=True, blank=True)
    ended_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("revoked by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = HandOutQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("hand-out")
        verbose_name_plural = _("hand-outs")
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["code"],
                condition=Q(ended_at__isnull=True, is_shared=False),
                name="hand_out_open_once_per_code",
            ),
            models.UniqueConstraint(
                fields=["contract_run", "email"],
                condition=Q(ended_at__isnull=True, is_shared=True),
                name="invitation_open_once_per_address",
            ),
            models.CheckConstraint(condition=~Q(email=""), name="hand_out_names_an_address"),
        ]
        indexes = [
            models.Index(fields=["contract_run", "email"], name="hand_out_by_address"),
        ]

    def __str__(self) -> str:
        return f"hand-out {self.pk} of run {self.contract_run_id}"


class HandOutMailQuerySet(models.QuerySet["HandOutMail"]):
    """The vocabulary for asking after mails."""

    def unsent(self, *, now: datetime) -> Self:
        """Mails that a person may send again: refused ones, and those no one knows whether they left."""
        left = Q(state=MailState.SENDING, claimed_at__lt=now - SENDING_PATIENCE)
        return self.filter(Q(state__in=[MailState.FAILED, MailState.UNKNOWN]) | left)


class HandOutMail(models.Model):
    """One mail about a hand-out. It is claimed before it is sent, so that it is never sent twice by itself.

    A worker killed between sending and noting leaves it *sending*; after ``SENDING_PATIENCE`` that reads *unknown*.
    """

    hand_out = models.ForeignKey(HandOut, verbose_name=_("hand-out"), on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(_("kind"), max_length=20, choices=MailKind)
    state = models.CharField(_("state"), max_length=20, choices=MailState, default=MailState.QUEUED)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    language = models.CharField(_("language"), max_length=20, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requested by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    queued_at = models.DateTimeField(_("queued"))
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = HandOutMailQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("mail about a hand-out")
        verbose_name_plural = _("mails about hand-outs")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["hand_out"], condition=Q(kind=MailKind.INVITATION), name="hand_out_invites_once"
            ),
            models.CheckConstraint(
                condition=~Q(state=MailState.SENDING) | Q(claimed_at__isnull=False), name="mail_in_sending_was_claimed"
            ),
            models.CheckConstraint(
                condition=~Q(state=MailState.SENT) | Q(finished_at__isnull=False), name="sent_mail_says_when"
            ),
        ]
        indexes = [
            models.Index(fields=["requested_by", "queued_at"], name="hand_out_mail_by_sender"),
            models.Index(
                fields=["queued_at"],
                condition=Q(state__in=[MailState.QUEUED, MailState.SENDING]),
                name="hand_out_mail_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.state}"

    def standing(self, *, now: datetime) -> MailState:
        """The state as it is told: one that was left while being sent is unknown."""
        left = self.claimed_at is not None and self.claimed_at < now - SENDING_PATIENCE
        return MailState.UNKNOWN if self.state == MailState.SENDING and left else MailState(self.state)
