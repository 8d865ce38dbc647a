"""Settings of a site's shop: programs, refunds, invoices, and the seller on receipts and invoices."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting

from ecommerce.enums import AfterFailedRefund, EnrollmentAfter, OwnedCourses
from mitxonline.staff.settings import make_setting_form


@register_setting(icon="clipboard-list", order=110)
class ShopSettings(BaseSiteSetting):
    refund_window_days = models.PositiveSmallIntegerField(
        _("days to request a refund"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(3650)],
        help_text=_(
            "Counted from the start of the course, or from the purchase if the course has started or is self-paced. "
            "Leave it empty for the site default. With 0 buyers can’t request refunds."
        ),
    )
    after_refund_elsewhere = models.CharField(
        _("courses after a full refund made at the gateway"),
        max_length=20,
        choices=EnrollmentAfter,
        default=EnrollmentAfter.REMOVE,
        db_default=EnrollmentAfter.REMOVE,
        help_text=_("The full price was refunded on the gateway’s own pages, which know nothing of courses."),
    )
    after_failed_refund = models.CharField(
        _("courses after a refund that didn’t arrive"),
        max_length=20,
        choices=AfterFailedRefund,
        default=AfterFailedRefund.RESTORE,
        db_default=AfterFailedRefund.RESTORE,
        help_text=_("The bank returned the money to us after the courses had been removed."),
    )
    after_lost_dispute = models.CharField(
        _("courses after a lost dispute"),
        max_length=20,
        choices=EnrollmentAfter,
        default=EnrollmentAfter.REMOVE,
        db_default=EnrollmentAfter.REMOVE,
        help_text=_("The buyer’s bank took back the full price. If it took only a part, the courses stay."),
    )
    owned_courses = models.CharField(
        _("price of a program for someone who has some of its courses"),
        max_length=20,
        choices=OwnedCourses,
        default=OwnedCourses.DEDUCT,
        db_default=OwnedCourses.DEDUCT,
        help_text=_(
            "Courses that they bought, or have through a contract or by staff, in any run; auditing doesn’t count. "
            "Only the other courses are given."
        ),
    )
    finance_email = models.EmailField(
        _("e-mail for money alerts"),
        blank=True,
        help_text=_(
            "Orders in review, second payments, disputes, failed refunds. "
            "Leave it empty to e-mail everyone who may refund orders."
        ),
    )
    support_email = models.EmailField(
        _("e-mail for questions about orders"),
        blank=True,
        help_text=_("Leave it empty to use the brand’s support e-mail."),
    )
    seller_name = models.CharField(
        _("seller"),
        max_length=255,
        blank=True,
        help_text=_("Printed on receipts. Leave it empty to use the brand’s name."),
    )
    seller_address = models.TextField(_("seller’s address"), max_length=500, blank=True)
    seller_tax_id = models.CharField(
        _("seller’s tax number"),
        max_length=60,
        blank=True,
        help_text=_("As printed on receipts and invoices, such as “VAT IE 1234567X”."),
    )
    invoice_tax_rate = models.DecimalField(
        _("tax rate in percent"),
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("Added to the prices of new invoices. Leave it empty if you charge no tax."),
    )
    invoice_tax_name = models.CharField(
        _("name of the tax"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text=_("As printed on invoices, such as “VAT”."),
    )
    reverse_charge_note = models.TextField(
        _("reverse-charge note"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_("Printed instead of tax where the customer owes it. Empty: invoices offer no reverse charge."),
    )
    invoice_payment_days = models.PositiveSmallIntegerField(
        _("days to pay an invoice"), default=30, db_default=30, validators=[MaxValueValidator(365)]
    )
    payment_instructions = models.TextField(
        _("how to pay an invoice"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text=_("Bank, account number and so on, printed on invoices."),
    )

    panels = [
        MultiFieldPanel([FieldPanel("owned_courses")], heading=_("Programs")),
        MultiFieldPanel(
            [
                FieldPanel("refund_window_days"),
                FieldPanel("after_refund_elsewhere"),
                FieldPanel("after_failed_refund"),
                FieldPanel("after_lost_dispute"),
                FieldPanel("finance_email"),
            ],
            heading=_("Refunds"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("seller_name"),
                FieldPanel("seller_address"),
                FieldPanel("seller_tax_id"),
                FieldPanel("support_email"),
            ],
            heading=_("On receipts and invoices"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("invoice_payment_days"),
                FieldPanel("payment_instructions"),
                FieldPanel("invoice_tax_rate"),
                FieldPanel("invoice_tax_name"),
                FieldPanel("reverse_charge_note"),
            ],
            heading=_("Invoices"),
        ),
    ]

    edit_handler = make_setting_form(panels)

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")

    @classmethod
    def current(cls) -> Self:
        """Return the settings of the default site, or unsaved defaults. One query."""
        return cls.objects.filter(site__is_default_site=True).first() or cls()

    @property
    def window_days(self) -> int:
        """The days that buyers have to request a refund. 0: they can't."""
        return settings.REFUND_WINDOW_DAYS if self.refund_window_days is None else self.refund_window_days
