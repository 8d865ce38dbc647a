"""Baskets."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.models import Course, CourseRun
from ecommerce.enums import BasketKind
from ecommerce.models.discount import DiscountCode
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.product import MAX_SEATS, LineKey, Product
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.shop import current_site_id

LINK_BASKET_LIFE = timedelta(hours=24)


class Basket(models.Model):
    """The products that an account or an anonymous visitor is about to buy.

    It belongs to a site, and has nothing that another site sells (a trigger, 0043).
    On each site an owner has at most one ordinary basket and one *link basket*, which a contract's product link opens
    and which is never merged. The link basket is current until it is bought, emptied or left, at most 24 hours; then
    the ordinary one is current again.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="baskets",
    )
    token = models.UUIDField(_("visitor"), null=True, blank=True)
    site = models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        on_delete=models.CASCADE,
        related_name="+",
        default=current_site_id,
        editable=False,
    )
    kind = models.CharField(_("kind"), max_length=20, choices=BasketKind, default=BasketKind.ORDINARY)
    opened_at = models.DateTimeField(_("opened"))
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    # The cart as its page last showed it, for the label in the header of other pages. Checkout never reads these.
    noted_total = amount_field(_("total last shown"), null=True, blank=True, editable=False)
    noted_currency = currency_field(_("currency last shown"), blank=True, default="", editable=False)
    noted_count = models.PositiveIntegerField(_("items last shown"), default=0, editable=False)
    noted_at = models.DateTimeField(_("last shown"), null=True, blank=True, editable=False)

    objects = LockableQuerySet["Basket"].as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("basket")
        verbose_name_plural = _("baskets")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, token__isnull=True) | Q(user__isnull=True, token__isnull=False),
                name="basket_has_one_owner",
            ),
            models.UniqueConstraint(
                fields=["user", "site", "kind"],
                condition=Q(user__isnull=False),
                name="basket_once_per_account_site_and_kind",
            ),
            models.UniqueConstraint(
                fields=["token", "site", "kind"],
                condition=Q(token__isnull=False),
                name="basket_once_per_visitor_site_and_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} basket {self.pk}"

    @property
    def is_link(self) -> bool:
        return self.kind == BasketKind.LINK

    def is_stale(self, now: datetime) -> bool:
        """Whether a link basket's 24 hours are over. An ordinary basket is never stale."""
        return self.is_link and self.opened_at + LINK_BASKET_LIFE < now


class BasketItem(models.Model):
    """One product in a basket, for the buyer or for a group. The same course may be there once for each."""

    basket = models.ForeignKey(Basket, verbose_name=_("basket"), on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(
        Product, verbose_name=_("product"), on_delete=models.PROTECT, related_name="basket_items"
    )
    seats = models.PositiveSmallIntegerField(
        _("seats for a group"), null=True, blank=True, help_text=_("Empty if the course is for the buyer.")
    )
    # So that an upsert finds the item: the buyer's own one or the group's.
    is_group = models.GeneratedField(
        expression=models.ExpressionWrapper(Q(seats__isnull=False), output_field=models.BooleanField()),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    added_at = models.DateTimeField(_("added"))
    kept_at = models.DateTimeField(
        _("kept for later"),
        null=True,
        blank=True,
        help_text=_("When it was set aside. It is neither added up nor bought."),
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("basket item")
        verbose_name_plural = _("basket items")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["basket", "product", "is_group"], name="basket_item_once_for_buyer_and_group"
            ),
            models.CheckConstraint(
                condition=Q(seats__isnull=True) | Q(seats__gte=1, seats__lte=MAX_SEATS),
                name="basket_item_seats_from_1_to_1000",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} in {self.basket_id}"

    @property
    def key(self) -> LineKey:
        return self.product_id, self.seats is not None


class BasketItemStart(models.Model):
    """The run of one course of a program that the buyer chose, or that was suggested when they added the program."""

    # The database deletes the starts of a deleted item (0020), so that removing items takes no further query.
    item = models.ForeignKey(
        BasketItem, verbose_name=_("item"), on_delete=models.DO_NOTHING, db_constraint=False, related_name="starts"
    )
    course = models.ForeignKey(Course, verbose_name=_("course"), on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(CourseRun, verbose_name=_("start"), on_delete=models.CASCADE, related_name="+")

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("chosen start")
        verbose_name_plural = _("chosen starts")
        ordering = ["pk"]
        # A foreign key on both columns (0020) makes sure that the run is one of the course's.
        constraints = [models.UniqueConstraint(fields=["item", "course"], name="basket_item_start_once_per_course")]

    def __str__(self) -> str:
        return f"{self.run_id} for {self.item_id}"


class BasketCode(models.Model):
    """A code applied to a basket. Whether it still works is checked whenever the basket is priced."""

    basket = models.ForeignKey(Basket, verbose_name=_("basket"), on_delete=models.CASCADE, related_name="applied_codes")
    code = models.ForeignKey(
        DiscountCode, verbose_name=_("code"), on_delete=models.CASCADE, related_name="basket_codes"
    )
    applied_at = models.DateTimeField(_("applied"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("applied code")
        verbose_name_plural = _("applied codes")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["basket", "code"], name="basket_code_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code_id} on {self.basket_id}"
