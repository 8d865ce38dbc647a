"""Orders and their lines. They are snapshots: nothing recomputes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import EnrollmentMode
from courses.models import Course, CourseRun
from ecommerce.enums import COMPLETED_STATES, AttemptState, OrderState, ReviewCause
from ecommerce.errors.checkout import WrongOrderState
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.product import MAX_SEATS, LineKey, Product
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_site_id

if TYPE_CHECKING:
    from ecommerce.models.payment import PaymentAttempt


class OrderQuerySet(LockableQuerySet["Order"]):
    def of(self, user_id: int) -> Self:
        return self.filter(purchaser_id=user_id)

    def of_site(self, site_id: int | None) -> Self:
        return self.filter(site_id=site_id)

    def pending(self) -> Self:
        return self.filter(state=OrderState.PENDING)


class Order(TracedModel):
    """What someone bought, at the prices they saw.

    The number is assigned before anything is paid. The order's codes and seats are held until `hold_until`.
    """

    TRANSITIONS: ClassVar[dict[OrderState, frozenset[OrderState]]] = {
        OrderState.PENDING: frozenset(
            {
                OrderState.FULFILLED,
                OrderState.DECLINED,
                OrderState.ERRORED,
                OrderState.CANCELED,
                OrderState.REVIEW,
            }
        ),
        OrderState.DECLINED: frozenset({OrderState.REVIEW}),
        OrderState.ERRORED: frozenset({OrderState.REVIEW}),
        OrderState.CANCELED: frozenset({OrderState.REVIEW}),
        OrderState.REVIEW: frozenset({OrderState.FULFILLED, OrderState.REFUNDED, OrderState.CANCELED}),
        OrderState.FULFILLED: frozenset({OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED}),
        # A refunded order comes back only if its refund bounces, and goes to review if its courses can't be reopened.
        OrderState.PARTIALLY_REFUNDED: frozenset({OrderState.REFUNDED, OrderState.FULFILLED, OrderState.REVIEW}),
        OrderState.REFUNDED: frozenset({OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REVIEW}),
    }

    number = models.CharField(_("number"), max_length=32, unique=True)
    purchaser = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("buyer"), on_delete=models.PROTECT, related_name="orders"
    )
    site = models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        on_delete=models.PROTECT,
        related_name="+",
        default=current_site_id,
        editable=False,
    )
    state = models.CharField(_("state"), max_length=20, choices=OrderState, default=OrderState.PENDING)
    currency = currency_field(_("currency"))
    list_total = amount_field(_("list price"))
    discount_total = amount_field(_("discount"))
    total = amount_field(_("total"))
    basket_id = models.BigIntegerField(
        _("basket"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("The basket it was placed from, which is deleted afterwards."),
    )
    basket_opened_at = models.DateTimeField(_("basket opened"), null=True, blank=True, editable=False)
    fingerprint = models.CharField(
        _("fingerprint"),
        max_length=64,
        editable=False,
        help_text=_("The contents of the basket. Checking out with the same contents reuses the pending order."),
    )
    placed_at = models.DateTimeField(_("placed"))
    hold_until = models.DateTimeField(_("held until"), null=True, blank=True)
    fulfilled_at = models.DateTimeField(_("fulfilled"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    review_cause = models.CharField(
        _("in review because"), max_length=40, choices=ReviewCause, blank=True, default="", db_default=""
    )
    state_reason = models.CharField(
        _("reason"), max_length=255, blank=True, help_text=_("For staff. In review: details of the cause.")
    )
    billing_name = models.CharField(_("billed to"), max_length=255, blank=True, default="", db_default="")
    billing_street = models.CharField(_("street"), max_length=255, blank=True, default="", db_default="")
    billing_city = models.CharField(_("city"), max_length=255, blank=True, default="", db_default="")
    billing_region = models.CharField(_("state or region"), max_length=255, blank=True, default="", db_default="")
    billing_postal_code = models.CharField(_("postal code"), max_length=40, blank=True, default="", db_default="")
    billing_country = models.CharField(
        _("country"), max_length=2, blank=True, default="", db_default="", help_text=_("Two letters (ISO 3166).")
    )
    billing_tax_id = models.CharField(_("buyer’s tax number"), max_length=60, blank=True, default="", db_default="")
    company = models.CharField(_("company"), max_length=255, blank=True, default="", db_default="")
    contact_name = models.CharField(_("contact"), max_length=255, blank=True, default="", db_default="")
    contact_email = models.EmailField(_("contact’s e-mail address"), blank=True, default="", db_default="")
    po_number = models.CharField(_("purchase order number"), max_length=60, blank=True, default="", db_default="")
    tax_total = amount_field(
        _("tax"), null=True, blank=True, help_text=_("Included in the total. Empty if the gateway didn’t report any.")
    )
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = OrderQuerySet.as_manager()

    # No page refers to orders, so Wagtail needn't update its reference index whenever one is saved.
    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-placed_at", "-pk"]
        permissions = [
            ("refund_order", "Can refund an order"),
            ("fulfill_order", "Can fulfill an order that is in review"),
            ("cancel_order", "Can cancel an order that is in review"),
        ]
        indexes = [
            models.Index(fields=["purchaser", "-placed_at"], name="order_purchaser_placed"),
            models.Index(fields=["state", "-placed_at"], name="order_state_placed"),
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="order_by_trace"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(total__gte=0), name="order_total_not_negative"),
            models.CheckConstraint(
                condition=Q(total=models.F("list_total") - models.F("discount_total")),
                name="order_totals_add_up",
            ),
            models.UniqueConstraint(
                fields=["purchaser", "basket_id"],
                condition=Q(state=OrderState.PENDING, basket_id__isnull=False),
                name="order_pending_once_per_basket",
            ),
            models.CheckConstraint(
                condition=~Q(state=OrderState.FULFILLED) | Q(fulfilled_at__isnull=False),
                name="order_fulfilled_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(state=OrderState.REVIEW) & ~Q(review_cause="")
                | ~Q(state=OrderState.REVIEW) & Q(review_cause=""),
                name="order_in_review_has_a_cause",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_fulfilled(self) -> bool:
        """Whether the buyer has what they bought, or after a partial refund some of it."""
        return self.state in {OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED}

    @property
    def is_completed(self) -> bool:
        """Whether the buyer got what they bought, even if it was refunded later."""
        return self.state in COMPLETED_STATES

    @property
    def second_payments(self) -> list[PaymentAttempt]:
        """Payments that came when the order was already paid."""
        return [each for each in self.attempts.all() if each.state == AttemptState.PAID and each.is_surplus]

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def explanation(self) -> str:
        """Why the order is in its state, for staff. Empty if no reason was given."""
        if not self.review_cause:
            return self.state_reason
        cause = str(ReviewCause(self.review_cause).label)
        return f"{cause}: {self.state_reason}" if self.state_reason else cause

    def move(self, to: OrderState, *, at: datetime, reason: str = "", cause: ReviewCause | None = None) -> None:
        """Change the state and save it. Raises WrongOrderState for a transition that doesn't exist.

        Review needs a `cause` and no other state has one: a constraint checks this.
        """
        if to not in self.TRANSITIONS[OrderState(self.state)]:
            raise WrongOrderState(number=self.number, state=self.state, wanted=to)
        before, self.state = self.state, to
        self.review_cause, self.state_reason = cause or "", reason
        if to == OrderState.FULFILLED and self.fulfilled_at is None:
            self.fulfilled_at = at
        self.hold_until = None
        is_closed = to in {OrderState.CANCELED, OrderState.DECLINED, OrderState.ERRORED, OrderState.REFUNDED}
        self.closed_at = at if is_closed else None
        changed = ["state", "review_cause", "state_reason", "fulfilled_at", "hold_until", "closed_at", "updated_at"]
        self.save(update_fields=changed)
        self._keep_transition(before, at=at)

    def change_review_cause(self, cause: ReviewCause, *, reason: str, at: datetime) -> None:
        """Say why the order is in review now, and save it."""
        self.review_cause, self.state_reason = cause, reason
        self.save(update_fields=["review_cause", "state_reason", "updated_at"])
        self._keep_transition(OrderState.REVIEW, at=at)

    def _keep_transition(self, before: str, *, at: datetime) -> None:
        OrderTransition.objects.create(
            order=self, before=before, after=self.state, cause=self.review_cause, reason=self.state_reason, at=at
        )


class OrderTransition(TracedModel):
    """One change of an order's state. The order itself only knows the last one."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(_("before"), max_length=20, choices=OrderState)
    after = models.CharField(_("after"), max_length=20, choices=OrderState)
    cause = models.CharField(_("in review because"), max_length=40, choices=ReviewCause, blank=True)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    at = models.DateTimeField(_("at"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("change of an order’s state")
        verbose_name_plural = _("changes of orders’ states")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="order_transition_by_trace")]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.before} → {self.after}"


class OrderLineQuerySet(models.QuerySet["OrderLine"]):
    def standing(self) -> Self:
        """Return the lines that were neither refunded in full nor, if they were free, undone."""
        return self.exclude(refunded=models.F("due"), due__gt=0).filter(undone_at=None)


class OrderLine(models.Model):
    """One product of an order: a snapshot of its title, key, price and discount."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(
        Product, verbose_name=_("product"), on_delete=models.PROTECT, related_name="order_lines"
    )
    title = models.CharField(_("title"), max_length=255)
    item_id = models.CharField(_("course key or program id"), max_length=255)
    sku = models.CharField(_("SKU"), max_length=100)
    mode = models.CharField(_("mode"), max_length=20, choices=EnrollmentMode)
    seats = models.PositiveSmallIntegerField(
        _("seats for a group"),
        null=True,
        blank=True,
        help_text=_("Empty if the course is for the buyer. The amounts are those of all seats together."),
    )
    list_price = amount_field(_("list price"))
    discount_amount = amount_field(_("discount"))
    deducted = amount_field(
        _("for courses the buyer had"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Part of the discount: the list prices of the program’s courses that the buyer already had."),
    )
    due = amount_field(_("price"))
    currency = currency_field(_("currency"))
    requires_code = models.BooleanField(_("needs its code"))
    code = models.ForeignKey(
        "ecommerce.DiscountCode",
        verbose_name=_("code"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="order_lines",
    )
    code_applied_at = models.DateTimeField(_("code applied"), null=True, blank=True, editable=False)
    takes_use = models.BooleanField(
        _("takes a use of its code"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("The code’s uses are limited, so the order is only fulfilled with a use of its own."),
    )
    discount = models.ForeignKey(
        "ecommerce.Discount",
        verbose_name=_("discount"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="order_lines",
    )
    discount_label = models.CharField(_("discount’s name"), max_length=255, blank=True)
    entitlement = models.CharField(
        _("right"), max_length=100, blank=True, help_text=_("Granted by a checkout rule instead of a code.")
    )
    provider = models.CharField(
        _("organization"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("Whose contract sold it, as the organization was called then."),
    )
    refunded = amount_field(
        _("refunded"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Refunded, or set aside for a refund."),
    )
    seats_refunded = models.PositiveSmallIntegerField(
        _("seats refunded"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Seats of a group that were refunded, or set aside for a refund. Their codes are off."),
    )
    undone_at = models.DateTimeField(
        _("undone"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When staff undid it. Only free lines can be undone."),
    )

    objects = OrderLineQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "product"], condition=Q(seats__isnull=True), name="order_line_once_for_the_buyer"
            ),
            models.UniqueConstraint(
                fields=["order", "product"], condition=Q(seats__isnull=False), name="order_line_once_for_a_group"
            ),
            models.CheckConstraint(
                condition=Q(seats__isnull=True) | Q(seats__gte=1, seats__lte=MAX_SEATS, requires_code=False),
                name="order_line_seats_from_1_to_1000",
            ),
            models.CheckConstraint(condition=Q(due__gte=0), name="order_line_not_negative"),
            models.CheckConstraint(
                condition=Q(due=models.F("list_price") - models.F("discount_amount")),
                name="order_line_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(requires_code=False) | Q(code__isnull=False) | ~Q(entitlement=""),
                name="order_line_has_its_code_or_a_right",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=models.F("due")),
                name="order_line_never_refunded_beyond_its_price",
            ),
            models.CheckConstraint(
                condition=Q(seats_refunded=0) | Q(seats__isnull=False, seats_refunded__lte=models.F("seats")),
                name="order_line_never_more_seats_refunded_than_sold",
            ),
            models.CheckConstraint(
                condition=Q(seats__isnull=True)
                | Q(due=0)
                | Q(refunded__lt=models.F("due"))
                | Q(seats_refunded=models.F("seats")),
                name="order_line_without_its_money_has_no_seats",
            ),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True) | Q(due=0), name="order_line_with_a_price_is_refunded"
            ),
            models.CheckConstraint(
                condition=Q(deducted__gte=0, deducted__lte=models.F("discount_amount")),
                name="order_line_deduction_is_part_of_its_discount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.due} {self.currency}"

    @property
    def money(self) -> Money:
        return Money(self.due, self.currency)

    @property
    def is_group(self) -> bool:
        return self.seats is not None

    @property
    def line_key(self) -> LineKey:
        return self.product_id, self.is_group

    @property
    def unit_price(self) -> Money:
        """The list price of one seat."""
        return Money(self.list_price / (self.seats or 1), self.currency)

    @property
    def discount_note(self) -> str:
        """What came off and why, as receipts show it; a contract's line doesn't name its discount."""
        label = "" if self.requires_code else self.discount_label
        if not self.deducted:
            return label
        owned = str(_("courses you already had"))
        discount = self.discount_amount - self.deducted
        if not discount:
            return owned
        deducted, discounted = Money(self.deducted, self.currency), Money(discount, self.currency)
        return f"{owned} −{deducted.formatted()}, {label} −{discounted.formatted()}"


class OrderLineCourse(models.Model):
    """A course of a program that was bought: the start its buyer gets, or what came off because they had the course.

    Orders placed before this table existed have no rows; they give what was suggested when they were placed.
    """

    line = models.ForeignKey(OrderLine, verbose_name=_("line"), on_delete=models.CASCADE, related_name="courses")
    course = models.ForeignKey(Course, verbose_name=_("course"), on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=255)
    run = models.ForeignKey(
        CourseRun,
        verbose_name=_("start"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty if the buyer already had the course."),
    )
    deducted = amount_field(_("deducted"), default=0, db_default=0)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("course of a program")
        verbose_name_plural = _("courses of a program")
        ordering = ["pk"]
        # A foreign key on both columns (0020) makes sure that the run is one of the course's.
        constraints = [
            models.UniqueConstraint(fields=["line", "course"], name="order_line_course_once"),
            models.CheckConstraint(
                condition=Q(deducted=0) | Q(run__isnull=True, deducted__gt=0),
                name="order_line_course_is_given_or_deducted",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_owned(self) -> bool:
        """Whether the buyer already had the course when they bought the program."""
        return self.run_id is None
