"""What a site's shop says of itself, and how long buyers may ask for their money."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting

from ecommerce.enums import AfterFailedRefund, EnrollmentAfter


@register_setting(icon="clipboard-list", order=110)
class ShopSettings(BaseSiteSetting):
    """Refund window, and the seller as receipts name it."""

    refund_window_days = models.PositiveSmallIntegerField(
        _("days to ask for a refund"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(3650)],
        help_text=_(
            "Counted from the course's start, or from buying a course that is under way or self-paced. "
            "Empty: as the installation says. 0: buyers can't ask here."
        ),
    )
    after_refund_elsewhere = models.CharField(
        _("courses after a full refund made at the gateway"),
        max_length=20,
        choices=EnrollmentAfter,
        default=EnrollmentAfter.REMOVE,
        db_default=EnrollmentAfter.REMOVE,
        help_text=_("Someone gave the whole price back on the gateway's own pages, where courses are unknown."),
    )
    after_failed_refund = models.CharField(
        _("courses after a refund that didn’t arrive"),
        max_length=20,
        choices=AfterFailedRefund,
        default=AfterFailedRefund.RESTORE,
        db_default=AfterFailedRefund.RESTORE,
        help_text=_("The bank sent the money back to us, after the courses had been taken away."),
    )
    after_lost_dispute = models.CharField(
        _("courses after a lost dispute"),
        max_length=20,
        choices=EnrollmentAfter,
        default=EnrollmentAfter.REMOVE,
        db_default=EnrollmentAfter.REMOVE,
        help_text=_("The buyer’s bank took the whole price back. Where it took a part, courses stay as they are."),
    )
    finance_email = models.EmailField(
        _("address told of money that needs a decision"),
        blank=True,
        help_text=_(
            "Orders in review, second payments, disputes, failed refunds. Empty: the people who may refund orders."
        ),
    )
    support_email = models.EmailField(
        _("address for questions about orders"), blank=True, help_text=_("Empty: the brand's support address.")
    )
    seller_name = models.CharField(
        _("seller"), max_length=255, blank=True, help_text=_("As receipts name it. Empty: the brand's name.")
    )
    seller_address = models.TextField(_("seller's address"), max_length=500, blank=True)
    seller_tax_id = models.CharField(
        _("seller's tax number"), max_length=60, blank=True, help_text=_("As it is printed: “VAT IE 1234567X”.")
    )

    panels = [
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
            heading=_("On receipts"),
        ),
    ]

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")

    @property
    def window_days(self) -> int:
        """How many days buyers have; 0: none."""
        return settings.REFUND_WINDOW_DAYS if self.refund_window_days is None else self.refund_window_days
