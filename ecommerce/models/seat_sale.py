"""Seats of a course that were sold together, each as a registration code, and what was done to such codes by hand."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import EnrollmentMode
from courses.models import CourseRun
from ecommerce.enums import CodeChangeKind
from ecommerce.models.discount import CodeUse, Discount, DiscountCode
from ecommerce.models.invoice import InvoiceLine
from ecommerce.models.order import OrderLine
from ecommerce.models.product import Product
from ecommerce.models.refund import Refund
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel


class SeatSale(models.Model):
    """The seats of one course that were sold together. Each seat is a code of its discount, which gives it once.

    Only services/registration writes it.
    """

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.PROTECT, related_name="seat_sales")
    course_run = models.ForeignKey(
        CourseRun, verbose_name=_("course run"), on_delete=models.PROTECT, related_name="seat_sales"
    )
    mode = models.CharField(_("mode"), max_length=20, choices=EnrollmentMode)
    seats = models.PositiveIntegerField(_("seats"))
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("buyer"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="seat_sales",
        help_text=_("Empty if the seats were invoiced to a customer without an account."),
    )
    order_line = models.OneToOneField(
        OrderLine,
        verbose_name=_("order line"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="seat_sale",
    )
    invoice_line = models.OneToOneField(
        InvoiceLine,
        verbose_name=_("invoice line"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="seat_sale",
    )
    discount = models.OneToOneField(
        Discount, verbose_name=_("discount"), on_delete=models.PROTECT, related_name="seat_sale"
    )
    sold_at = models.DateTimeField(_("sold"))

    objects = LockableQuerySet["SeatSale"].as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("seat sale")
        verbose_name_plural = _("seat sales")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["buyer", "-sold_at"], name="seat_sale_of_buyer"),
            models.Index(fields=["course_run", "-sold_at"], name="seat_sale_of_run"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(seats__gte=1), name="seat_sale_has_seats"),
            models.CheckConstraint(
                condition=Q(order_line__isnull=False, invoice_line=None, buyer__isnull=False)
                | Q(order_line=None, invoice_line__isnull=False),
                name="seat_sale_of_an_order_or_an_invoice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seats} × {self.course_run_id}"


class RegistrationCodeChange(TracedModel):
    """What was done to a registration code besides using it, and why: its history for staff."""

    code = models.ForeignKey(DiscountCode, verbose_name=_("code"), on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(_("change"), max_length=20, choices=CodeChangeKind)
    reason = models.CharField(_("reason"), max_length=255)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Empty if no one did it by hand."),
    )
    use = models.ForeignKey(
        CodeUse,
        verbose_name=_("use"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("The use of the code that was taken back or given back with it."),
    )
    refund = models.ForeignKey(
        Refund,
        verbose_name=_("refund"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="code_changes",
        help_text=_("The refund of its seat, or the failed one that brought it back."),
    )
    run_before = models.ForeignKey(
        CourseRun, verbose_name=_("from"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    run_after = models.ForeignKey(
        CourseRun, verbose_name=_("to"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("change of a registration code")
        verbose_name_plural = _("changes of registration codes")
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="code_change_has_a_reason"),
            models.CheckConstraint(
                condition=Q(kind=CodeChangeKind.MOVED, run_before__isnull=False, run_after__isnull=False)
                | ~Q(kind=CodeChangeKind.MOVED) & Q(run_before__isnull=True, run_after__isnull=True),
                name="code_change_of_start_names_both",
            ),
            models.CheckConstraint(
                condition=~Q(kind=CodeChangeKind.REFUNDED) | Q(refund__isnull=False),
                name="code_change_by_refund_names_it",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code_id}: {self.kind}"
