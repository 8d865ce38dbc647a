"""Settings of a site's shop: its accounts and addresses, programs, refunds, invoices, and the seller on receipts."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting

from ecommerce.enums import AfterFailedRefund, EnrollmentAfter, OwnedCourses
from ecommerce.gateways.registry import describe_unusable
from ecommerce.models.shop_values import (
    SecretField,
    SecretFormField,
    validate_address,
    validate_cookie_domain,
    validate_currencies,
    validate_no_placeholder,
    validate_partner_code,
    validate_prefix,
    validate_sender,
)
from mitxonline.kernel.shop import current_site_id
from mitxonline.kernel.text import split_list
from mitxonline.staff.settings import SettingForm, make_setting_form

# An id and its secret, which are stored together.
CLIENTS = {
    "sso_client_id": "sso_client_secret",
    "backend_service_client_id": "backend_service_client_secret",
}


# Whoever changes these decides who signs in here and where secrets are sent, which is more than finance needs.
CONNECT = "ecommerce.connect_shopsettings"


class ShopForm(SettingForm):
    """A secret that isn't typed again stays, unless its id is deleted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, SecretFormField):
                field.stored = getattr(self.instance, name)
                field.help_text = (
                    _now("There is one, which isn’t shown. Leave this empty to keep it.")
                    if field.stored
                    else _now("There is none yet.")
                )

    def _update_errors(self, errors: ValidationError) -> None:
        # What the form doesn't show stays as it is, so it is no reason to refuse what finance enters.
        shown = {name: each for name, each in errors.error_dict.items() if name in {NON_FIELD_ERRORS, *self.fields}}
        if shown:
            super()._update_errors(ValidationError(shown))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for client_id, secret in CLIENTS.items():
            is_shown = client_id in self.fields
            if is_shown and not cleaned.get(client_id) and not self.data.get(self.add_prefix(secret)):
                cleaned[secret] = ""
        return cleaned


def text_field(verbose_name: Any, max_length: int, **options: Any) -> models.CharField[str, str]:
    """Make a column that may be empty, also for the processes of the release before."""
    return models.CharField(verbose_name, max_length=max_length, blank=True, default="", db_default="", **options)


@register_setting(icon="clipboard-list", order=110)
class ShopSettings(BaseSiteSetting):
    partner_name = text_field(
        _("partner"), 128, help_text=_("Who sells here. Printed on receipts unless a seller is entered below.")
    )
    partner_code = text_field(
        _("partner code"),
        8,
        validators=[validate_partner_code],
        help_text=_("Up to 8 letters and digits, which no other site has. Order numbers begin with it."),
    )
    order_number_prefix = text_field(
        _("beginning of order numbers"),
        8,
        validators=[validate_prefix],
        help_text=_("Leave it empty to use the partner code."),
    )
    currencies = text_field(
        _("currencies"),
        200,
        validators=[validate_currencies],
        help_text=_("Those sold in, with commas, the usual one first: USD, EUR. Leave it empty for the site default."),
    )
    payment_processors = text_field(
        _("payment processors"),
        200,
        help_text=_("Names with commas, the first one first: stripe, paypal. Leave it empty for all that are set up."),
    )
    lms_url_root = text_field(
        _("course site"),
        255,
        validators=[validate_address],
        help_text=_("The LMS’s address, as this server reaches it. Leave it empty for the site default."),
    )
    lms_public_url_root = text_field(
        _("course site for browsers"),
        255,
        validators=[validate_address],
        help_text=_("Only if it differs from the address above."),
    )
    sso_client_id = text_field(
        _("sign-in client: id"),
        255,
        validators=[validate_no_placeholder],
        help_text=_("The LMS’s application with the grant type “authorization code”. Empty: the site default."),
    )
    sso_client_secret = SecretField(_("sign-in client: secret"), blank=True, default="", db_default="")
    backend_service_client_id = text_field(
        _("backend client: id"),
        255,
        validators=[validate_no_placeholder],
        help_text=_("The LMS’s application with the grant type “client credentials”. Empty: the site default."),
    )
    backend_service_client_secret = SecretField(_("backend client: secret"), blank=True, default="", db_default="")
    discovery_api_url = text_field(
        _("discovery service"),
        255,
        validators=[validate_address],
        help_text=_("Kept for the course site’s set-up. The catalog here is this site’s own."),
    )
    from_email = text_field(
        _("sender of e-mails"),
        255,
        validators=[validate_sender],
        help_text=_("An address, or Name <address>. Leave it empty for the site default."),
    )
    base_cookie_domain = text_field(
        _("cookie domain"),
        255,
        validators=[validate_cookie_domain],
        help_text=_(
            "A domain of this site and the course site, such as your-school.edu. Pages there can read how many "
            "products are in the cart; sign-ins are never shared."
        ),
    )
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
    support_url = text_field(
        _("page for questions about orders"),
        255,
        validators=[validate_address],
        help_text=_("Linked on receipts, beside the e-mail."),
    )
    receipt_text = models.TextField(
        _("text on receipts"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text=_("Printed below the amounts, such as how tax is included or how to contact you."),
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
        MultiFieldPanel(
            [
                FieldPanel("partner_name"),
                FieldPanel("partner_code"),
                FieldPanel("order_number_prefix"),
                FieldPanel("currencies"),
                FieldPanel("payment_processors", permission=CONNECT),
            ],
            heading=_("Partner"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("lms_url_root", permission=CONNECT),
                FieldPanel("lms_public_url_root", permission=CONNECT),
                FieldPanel("sso_client_id", permission=CONNECT),
                FieldPanel("sso_client_secret", permission=CONNECT),
                FieldPanel("backend_service_client_id", permission=CONNECT),
                FieldPanel("backend_service_client_secret", permission=CONNECT),
                FieldPanel("discovery_api_url", permission=CONNECT),
            ],
            heading=_("Course site"),
        ),
        MultiFieldPanel(
            [FieldPanel("from_email", permission=CONNECT), FieldPanel("base_cookie_domain", permission=CONNECT)],
            heading=_("E-mail and cookies"),
        ),
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
                FieldPanel("support_url"),
                FieldPanel("receipt_text"),
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

    edit_handler = make_setting_form(panels, form=ShopForm)

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")
        permissions = [("connect_shopsettings", _("Can change the accounts and addresses of a shop"))]
        constraints = [
            models.UniqueConstraint(
                Lower("partner_code"), condition=~Q(partner_code=""), name="shop_partner_code_once"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{client_id: "", secret: ""}) | (~Q(**{client_id: ""}) & ~Q(**{secret: ""})),
                    name=f"shop_{client_id.removesuffix('_id')}_is_whole",
                )
                for client_id, secret in CLIENTS.items()
            ),
        ]

    def clean(self) -> None:
        super().clean()
        problems: dict[str, str] = {}
        for client_id, secret in CLIENTS.items():
            if getattr(self, client_id) and not getattr(self, secret):
                problems[secret] = _now("Enter the client’s secret too.")
            elif getattr(self, secret) and not getattr(self, client_id):
                problems[client_id] = _now("Enter the client’s id too.")
        if sentences := describe_unusable(split_list(self.payment_processors)):
            problems["payment_processors"] = " ".join(sentences)
        if taken := self.find_code_owner():
            problems["partner_code"] = _now(
                "The site “%(site)s” has the partner code “%(code)s”. Choose another one, or change it there first."
            ) % {"site": taken.site, "code": self.partner_code}
        if problems:
            raise ValidationError(dict(problems))

    def find_code_owner(self) -> Self | None:
        """Return the shop of another site that has this partner code."""
        if not self.partner_code:
            return None
        same = type(self).objects.filter(partner_code__iexact=self.partner_code).select_related("site")
        owner: Self | None = same.exclude(pk=self.pk).first()
        return owner

    @classmethod
    def of_site(cls, site_id: int | None = None) -> Self:
        """Return the settings of a site, else of the request's, in a task of the default one. One query.

        Unsaved defaults where it stores none.
        """
        return cls.objects.filter(site_id=site_id or current_site_id()).first() or cls()

    @property
    def seller(self) -> str:
        return self.seller_name or self.partner_name

    @property
    def window_days(self) -> int:
        """The days that buyers have to request a refund. 0: they can't."""
        return settings.REFUND_WINDOW_DAYS if self.refund_window_days is None else self.refund_window_days
