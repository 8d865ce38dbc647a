"""Who hands out the codes of group purchases beside their buyer, and lists of a company's purchases."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ecommerce.models import SeatSale
from mitxonline.kernel.models import TracedModel
from mitxonline.kernel.names import check_name

# More people than this share one purchase by handing it out, not by handing out its codes.
MAX_HELPERS = 20


class CompanyList(TracedModel):
    """Group purchases of several buyers in one list, so that they can hand out all codes together.

    Only a buyer puts a purchase of theirs on a list. Nothing is ever listed because a company's name is the same.
    """

    name = models.CharField(_("company"), max_length=100, validators=[check_name])
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("owner"), on_delete=models.PROTECT, related_name="company_lists"
    )
    created_at = models.DateTimeField(_("created"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("company list")
        verbose_name_plural = _("company lists")
        ordering = ["name", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="company_list_has_a_name")]

    def __str__(self) -> str:
        return self.name


class ListedSale(models.Model):
    """A group purchase on a company list."""

    seat_sale = models.OneToOneField(
        SeatSale, verbose_name=_("seat sale"), on_delete=models.CASCADE, related_name="listed"
    )
    company_list = models.ForeignKey(
        CompanyList, verbose_name=_("company list"), on_delete=models.CASCADE, related_name="listed_sales"
    )
    listed_at = models.DateTimeField(_("listed"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("listed purchase")
        verbose_name_plural = _("listed purchases")
        ordering = ["-listed_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.seat_sale_id} on {self.company_list_id}"


class Helper(TracedModel):
    """An address that may hand out the codes of one group purchase, or of all on a company list.

    They must be signed in with the address, confirmed. Deleting the row ends it at once.
    """

    seat_sale = models.ForeignKey(
        SeatSale, verbose_name=_("seat sale"), null=True, blank=True, on_delete=models.CASCADE, related_name="helpers"
    )
    company_list = models.ForeignKey(
        CompanyList,
        verbose_name=_("company list"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="helpers",
    )
    email = models.EmailField(_("e-mail address"))
    named_at = models.DateTimeField(_("named"))
    named_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("named by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("helper")
        verbose_name_plural = _("helpers")
        ordering = ["email", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["seat_sale", "email"], condition=Q(seat_sale__isnull=False), name="helper_once_per_purchase"
            ),
            models.UniqueConstraint(
                fields=["company_list", "email"], condition=Q(company_list__isnull=False), name="helper_once_per_list"
            ),
            models.CheckConstraint(
                condition=Q(seat_sale__isnull=True) ^ Q(company_list__isnull=True), name="helper_of_a_purchase_or_list"
            ),
            models.CheckConstraint(condition=~Q(email=""), name="helper_has_an_address"),
        ]
        indexes = [models.Index(fields=["email"], name="helper_by_address")]

    def __str__(self) -> str:
        return f"helper {self.pk}"
