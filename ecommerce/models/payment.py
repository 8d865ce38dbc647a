"""Payment attempts."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import AttemptState, Decline
from ecommerce.gateways.labels import gateway_name
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.order import Order
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel
from mitxonline.kernel.money import Money


class PaymentAttempt(TracedModel):
    """One attempt to pay one order at one gateway, with its own reference and idempotency key."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="attempts")
    gateway = models.CharField(_("gateway"), max_length=40)
    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    idempotency_key = models.CharField(_("idempotency key"), max_length=255, unique=True, editable=False)
    account = models.CharField(
        _("account"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=_("Our account at the gateway. Empty: the default one."),
    )
    locale = models.CharField(_("language"), max_length=20, blank=True, default="", db_default="", editable=False)
    session_id = models.CharField(_("session at the gateway"), max_length=255, blank=True)
    pay_url = models.TextField(_("payment page"), blank=True, default="", db_default="", editable=False)
    closing_key = models.CharField(
        _("idempotency key of closing it"), max_length=255, blank=True, default="", db_default="", editable=False
    )
    payment_id = models.CharField(_("payment at the gateway"), max_length=255, blank=True)
    amount = amount_field(_("amount"))
    currency = currency_field(_("currency"))
    state = models.CharField(_("state"), max_length=20, choices=AttemptState, default=AttemptState.STARTED)
    started_at = models.DateTimeField(_("started"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    ask_at = models.DateTimeField(
        _("ask the gateway"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When we ask the gateway, if it hasn’t reported by then. Empty: nothing to ask."),
    )
    came_back_at = models.DateTimeField(
        _("buyer came back"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the buyer returned from the payment page and we couldn’t reach the gateway."),
    )
    capture_until = models.DateTimeField(
        _("money being taken until"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Until then a call that takes the money may be running. Empty: none is."),
    )
    asked = models.PositiveIntegerField(_("times asked"), default=0, db_default=0, editable=False)
    note = models.CharField(_("note"), max_length=255, blank=True)
    paid_amount = amount_field(
        _("paid"),
        null=True,
        blank=True,
        help_text=_("The amount that the gateway reported. Empty: the amount requested."),
    )
    paid_currency = currency_field(
        _("currency paid"),
        blank=True,
        default="",
        db_default="",
        help_text=_("May differ from the currency requested."),
    )
    paid_with = models.CharField(
        _("paid with"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Such as “Visa ending 4242”."),
    )
    decline = models.CharField(
        _("why it was declined"),
        max_length=20,
        choices=Decline,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=_("Empty: it wasn’t, or the gateway doesn’t say."),
    )
    is_surplus = models.BooleanField(
        _("second payment"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("The order was already paid, so all of this payment should be refunded."),
    )
    refunded = amount_field(_("refunded"), default=0, db_default=0, editable=False)
    refund_reserved = amount_field(
        _("set aside for refunds"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Refunds that the gateway hasn’t answered yet."),
    )
    refund_gap = amount_field(
        _("refund difference"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("The gateway’s total of refunds minus ours, in the currency paid."),
    )

    objects = LockableQuerySet["PaymentAttempt"].as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("payment attempt")
        verbose_name_plural = _("payment attempts")
        ordering = ["-started_at", "-pk"]
        indexes = [
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="attempt_to_be_asked_about"),
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="attempt_by_trace"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "session_id"], condition=~Q(session_id=""), name="attempt_once_per_session"
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(state__in=[AttemptState.STARTED, AttemptState.PROCESSING]),
                name="attempt_open_once_per_order",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="attempt_asks_for_something"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=Coalesce("paid_amount", "amount")),
                name="attempt_never_refunded_beyond_what_was_paid",
            ),
            models.CheckConstraint(condition=Q(refund_reserved__gte=0), name="attempt_sets_aside_no_debt"),
            models.CheckConstraint(
                condition=Q(paid_amount__isnull=True, paid_currency="")
                | Q(paid_amount__isnull=False) & ~Q(paid_currency=""),
                name="attempt_paid_amount_has_its_currency",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.reference}: {self.state}"

    @property
    def gateway_name(self) -> str:
        return gateway_name(self.gateway)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def paid_money(self) -> Money:
        """The amount that arrived, in its own currency. Meaningless for an attempt that wasn't paid."""
        return self.money if self.paid_amount is None else Money(self.paid_amount, self.paid_currency)

    @property
    def refunded_money(self) -> Money:
        return Money(self.refunded, self.paid_money.currency)

    @property
    def gap_money(self) -> Money:
        """The gateway's refunds minus ours. Negative if it refunded less than we recorded."""
        return Money(self.refund_gap, self.paid_money.currency)

    @property
    def refundable(self) -> Money:
        """The rest of the payment after refunds and money set aside for them. Zero for an unpaid attempt."""
        if self.state != AttemptState.PAID:
            return self.money.zero
        paid = self.paid_money
        left = paid.amount - self.refunded - self.refund_reserved
        return Money(max(left, Decimal(0)), paid.currency)

    @property
    def is_paid_exactly(self) -> bool:
        return self.state == AttemptState.PAID and self.paid_money == self.money
