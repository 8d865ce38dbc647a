"""Codes handed out by e-mail, and the outbox of these e-mails."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import MailKind, MailState
from b2b.models.contract_run import ContractRun
from courses.models import CourseRun
from ecommerce.models import DiscountCode, SeatSale
from mitxonline.kernel.models import TracedModel

# Longer than the mail server may take. A worker that claimed an e-mail earlier than this was killed.
SENDING_PATIENCE = timedelta(minutes=5)


class HandOutQuerySet(models.QuerySet["HandOut"]):
    def open(self) -> Self:
        """Hand-outs that were neither revoked nor canceled."""
        return self.filter(ended_at__isnull=True)


class HandOut(TracedModel):
    """A code handed out to an address: one of their own (assigned), or the shared one of a contract without a cap.

    It is a code of a contract's run, or one of the codes of a group purchase.

    Rules read the code's `assigned_email`. This row records who handed it out and when, and leads to its e-mails. The
    database sets `code` to null when the code is deleted, which only happens to codes that no one has.
    """

    contract_run = models.ForeignKey(
        ContractRun,
        verbose_name=_("contract run"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="hand_outs",
    )
    seat_sale = models.ForeignKey(
        SeatSale,
        verbose_name=_("seat sale"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="hand_outs",
        db_index=False,
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
    email = models.EmailField(_("recipient"))
    name = models.CharField(_("name"), max_length=255, blank=True)
    given_at = models.DateTimeField(_("handed out"))
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("handed out by"),
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
            models.CheckConstraint(
                condition=Q(contract_run__isnull=True) ^ Q(seat_sale__isnull=True), name="hand_out_of_contract_or_sale"
            ),
            models.CheckConstraint(
                condition=Q(is_shared=False) | Q(contract_run__isnull=False), name="only_contracts_share_codes"
            ),
        ]
        indexes = [
            models.Index(fields=["contract_run", "email"], name="hand_out_by_address"),
            models.Index(
                fields=["seat_sale", "email"], condition=Q(seat_sale__isnull=False), name="hand_out_of_sale_by_address"
            ),
        ]

    @property
    def course_run(self) -> CourseRun:
        """The run that the code opens. The database has exactly one of the two."""
        found = self.contract_run or self.seat_sale
        if found is None:
            raise ValueError("a hand-out is of a contract or of a sale")
        return found.course_run

    def __str__(self) -> str:
        if self.contract_run_id is not None:
            return f"hand-out {self.pk} of run {self.contract_run_id}"
        return f"hand-out {self.pk} of sale {self.seat_sale_id}"


class HandOutMailQuerySet(models.QuerySet["HandOutMail"]):
    def unsent(self, *, now: datetime) -> Self:
        """E-mails that a person may send again: rejected ones, and those that may not have been sent."""
        abandoned = Q(state=MailState.SENDING, claimed_at__lt=now - SENDING_PATIENCE)
        return self.filter(Q(state__in=[MailState.FAILED, MailState.UNKNOWN]) | abandoned)

    def to_send_again(self, *, now: datetime) -> Self:
        """Unsent e-mails of open hand-outs that no later e-mail made up for."""
        later = HandOutMail.objects.filter(hand_out=OuterRef("hand_out"), pk__gt=OuterRef("pk"))
        return self.unsent(now=now).filter(~Exists(later), hand_out__ended_at__isnull=True)


class HandOutMail(models.Model):
    """An e-mail about a hand-out. A worker claims it before sending, so it is never sent twice automatically.

    If the worker is killed before it records the result, the state stays `sending`, which reads `unknown` after
    SENDING_PATIENCE.
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
        verbose_name = _("e-mail about a hand-out")
        verbose_name_plural = _("e-mails about hand-outs")
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

    def current_state(self, *, now: datetime) -> MailState:
        """Return the state; UNKNOWN if a worker abandoned the e-mail while sending it."""
        is_old = self.claimed_at is not None and self.claimed_at < now - SENDING_PATIENCE
        return MailState.UNKNOWN if self.state == MailState.SENDING and is_old else MailState(self.state)
