"""Refunds, and the requests of buyers for them."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import (
    COUNTED_REFUND_STATES,
    RESERVED_REFUND_STATES,
    EnrollmentAfter,
    RefundOrigin,
    RefundRequestState,
    RefundState,
    RefundWhy,
)
from ecommerce.gateways.labels import gateway_name
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.order import Order, OrderLine
from ecommerce.models.payment import PaymentAttempt
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import list_titles


class RefundRequest(models.Model):
    """A buyer's request for a refund, which finance approves or denies."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="refund_requests")
    lines = models.ManyToManyField(
        OrderLine, verbose_name=_("courses"), blank=True, related_name="+", help_text=_("Empty: the whole order.")
    )
    why = models.CharField(_("reason"), max_length=30, choices=RefundWhy)
    text = models.TextField(_("message"), max_length=2000, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=RefundRequestState, default=RefundRequestState.ASKED)
    asked_at = models.DateTimeField(_("requested"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    answer = models.TextField(
        _("answer"), max_length=2000, blank=True, help_text=_("E-mailed to the buyer if the request is denied.")
    )

    objects = LockableQuerySet["RefundRequest"].as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(state=RefundRequestState.ASKED), name="refund_request_open_once"
            ),
            models.CheckConstraint(
                condition=Q(state=RefundRequestState.ASKED) | Q(decided_at__isnull=False),
                name="refund_request_decided_has_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.state}"

    @property
    def titles_text(self) -> str:
        """The courses it is about; empty for the whole order."""
        return list_titles(line.title for line in self.lines.all())

    @property
    def is_open(self) -> bool:
        return self.state == RefundRequestState.ASKED


class RefundQuerySet(LockableQuerySet["Refund"]):
    def alive(self) -> Self:
        """Return the refunds whose money is gone, on its way or set aside."""
        return self.filter(state__in=(*RESERVED_REFUND_STATES, *COUNTED_REFUND_STATES))

    def without_seats(self) -> Self:
        """Return refunds made elsewhere that took money of a group’s line, and no one said for which of its seats."""
        parts = RefundLine.objects.filter(refund=OuterRef("pk"), amount__gt=0, seats=0)
        return self.filter(
            Exists(parts.filter(line__seats__gt=F("line__seats_refunded"))),
            state=RefundState.SUCCEEDED,
            is_counted=True,
            attempt__is_surplus=False,
            order__fulfilled_at__isnull=False,
            seats_decided_at=None,
        ).exclude(origin=RefundOrigin.OURS)


class Refund(TracedModel):
    """A refund of one payment, started here or at the gateway.

    `idempotency_key` is stored before the gateway is called and stays the same for every call. `is_counted` is false
    if the gateway refunded more than we know to have arrived: someone has to look into such a refund.
    """

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="refunds")
    attempt = models.ForeignKey(
        PaymentAttempt, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="refunds"
    )
    request = models.ForeignKey(
        RefundRequest,
        verbose_name=_("request"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="refunds",
    )
    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    idempotency_key = models.CharField(_("idempotency key"), max_length=255, unique=True, editable=False)
    gateway = models.CharField(_("gateway"), max_length=40)
    gateway_refund_id = models.CharField(_("refund at the gateway"), max_length=255, blank=True)
    amount = amount_field(_("amount"))
    currency = currency_field(_("currency"))
    reason = models.CharField(_("reason"), max_length=255)
    state = models.CharField(_("state"), max_length=20, choices=RefundState, default=RefundState.RECORDED)
    origin = models.CharField(_("started"), max_length=20, choices=RefundOrigin, default=RefundOrigin.OURS)
    enrollment_after = models.CharField(_("the courses"), max_length=20, choices=EnrollmentAfter)
    frees_codes = models.BooleanField(_("codes can be used again"), default=False)
    told_amount = amount_field(
        _("gateway’s amount"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("The amount that the gateway reported, if it differs from ours."),
    )
    told_currency = currency_field(_("gateway’s currency"), blank=True, default="", db_default="", editable=False)
    is_counted = models.BooleanField(_("counted"), default=True, db_default=True, editable=False)
    failure = models.CharField(_("gateway’s message"), max_length=255, blank=True)
    begun_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    recorded_at = models.DateTimeField(_("recorded"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    looked_up_at = models.DateTimeField(_("looked up"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    took_effect_at = models.DateTimeField(
        _("took effect"), null=True, blank=True, help_text=_("When courses and codes were changed.")
    )
    seats_decided_at = models.DateTimeField(
        _("seats decided"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When staff said which seats of a group a refund made elsewhere was for."),
    )

    objects = RefundQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-recorded_at", "-pk"]
        indexes = [
            models.Index(
                fields=["recorded_at"],
                condition=Q(state__in=(*RESERVED_REFUND_STATES, RefundState.PENDING)),
                name="refund_without_an_end",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_gives_something_back"),
            models.UniqueConstraint(
                fields=["gateway", "gateway_refund_id"],
                condition=~Q(gateway_refund_id=""),
                name="refund_once_per_gateway_refund",
            ),
            models.CheckConstraint(
                condition=~Q(state=RefundState.SUCCEEDED) | Q(settled_at__isnull=False),
                name="refund_given_back_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(told_amount__isnull=True, told_currency="")
                | Q(told_amount__isnull=False) & ~Q(told_currency=""),
                name="refund_told_amount_has_its_currency",
            ),
            models.CheckConstraint(
                condition=~Q(state=RefundState.DIFFERS) | Q(told_amount__isnull=False),
                name="refund_that_differs_says_what_went_back",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.money}: {self.state}"

    @property
    def gateway_name(self) -> str:
        return gateway_name(self.gateway)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_alive(self) -> bool:
        """Whether its money is gone, on its way or set aside."""
        return self.state in RESERVED_REFUND_STATES or self.state in COUNTED_REFUND_STATES

    @property
    def reported_money(self) -> Money | None:
        """The amount that the gateway reported, if it differs from ours."""
        return None if self.told_amount is None else Money(self.told_amount, self.told_currency)


class RefundLine(models.Model):
    """The part of a refund that is for one line of the order."""

    refund = models.ForeignKey(Refund, verbose_name=_("refund"), on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(
        OrderLine, verbose_name=_("order line"), on_delete=models.PROTECT, related_name="refund_lines"
    )
    amount = amount_field(_("amount"))
    seats = models.PositiveSmallIntegerField(
        _("seats"), default=0, db_default=0, help_text=_("Seats of a group that it takes back.")
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("refund line")
        verbose_name_plural = _("refund lines")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["refund", "line"], name="refund_line_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="refund_line_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.amount}"
