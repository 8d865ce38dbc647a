"""Products: course runs and programs with a price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeAlias

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.enums import EnrollmentMode, RunAccess
from courses.models import CourseRun, Program
from courses.models.run import SOURCE_TAG
from courses.models.sites import is_of_site
from ecommerce.models.fields import amount_field, currency_field, find_amount_problem
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money, currency_problem
from mitxonline.kernel.shop import current_shop

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# A SKU is part of shop links, where a space could be read as a plus.
SKU = r"^[^\s]+$"
SKU_SENTENCE = _("A short name used in shop links, without spaces.")

# Orders name these, so they never change once someone has bought the product.
FIXED_ONCE_SOLD = ("course_run", "program", "mode", "sku", "currency")


# How many seats one line of an order may have.
MAX_SEATS = 1000

# The id of a product, and whether it is for a group: a basket or an order has each of them once.
LineKey: TypeAlias = "tuple[int, bool]"


def default_currency() -> str:
    return current_shop().currency


class ProductQuerySet(LockableQuerySet["Product"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def of_site(self, site_id: int | None) -> Self:
        """Return the products of the courses and programs of a site."""
        is_run_here = is_of_site(site_id, path="course_run__course__site")
        return self.filter(is_run_here, is_of_site(site_id, path="program__site"))

    def public(self) -> Self:
        """Return the products that anyone may buy without a code."""
        return self.active().filter(requires_code=False)

    def with_item(self) -> Self:
        """Join the run or program that each product sells."""
        return self.select_related("course_run__course__department", "program__department")


class Product(models.Model):
    """One run or one program with its price. Products are never deleted because orders refer to them."""

    course_run = models.ForeignKey(
        CourseRun,
        verbose_name=_("course run"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="products",
    )
    program = models.ForeignKey(
        Program,
        verbose_name=_("program"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="products",
    )
    mode = models.CharField(
        _("mode"),
        max_length=20,
        choices=EnrollmentMode,
        default=EnrollmentMode.VERIFIED,
        help_text=_("What the buyer gets in the course."),
    )
    sku = models.CharField(
        _("SKU"),
        max_length=100,
        unique=True,
        validators=[RegexValidator(SKU, SKU_SENTENCE)],
        help_text=SKU_SENTENCE,
        error_messages={"unique": _("Another product already has this SKU.")},
    )
    description = models.CharField(_("description"), max_length=255, blank=True)
    price = amount_field(_("price"))
    currency = currency_field(_("currency"), default=default_currency)
    is_active = models.BooleanField(_("on sale"), default=True)
    requires_code = models.BooleanField(
        _("needs its code"),
        default=False,
        help_text=_("Set by contracts: buying it takes one of its codes or a right from the contract."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = ProductQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(course_run__isnull=False, program__isnull=True)
                | Q(course_run__isnull=True, program__isnull=False),
                name="product_sells_exactly_one_thing",
            ),
            models.CheckConstraint(condition=Q(sku__regex=SKU), name="product_sku_without_blanks"),
            models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative"),
            models.UniqueConstraint(
                fields=["course_run", "mode"],
                condition=Q(course_run__isnull=False),
                name="product_once_per_run_and_mode",
                violation_error_message=_("Another product already sells this run in this mode."),
            ),
            models.UniqueConstraint(
                fields=["program", "mode"],
                condition=Q(program__isnull=False),
                name="product_once_per_program_and_mode",
                violation_error_message=_("Another product already sells this program in this mode."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} – {self.title}"

    def clean(self) -> None:
        """Check what a product sells and for how much. The constraints repeat what a raw write could break."""
        errors: dict[str, StrOrPromise] = {}
        run = self.course_run
        if (run is None) == (self.program is None):
            errors["course_run"] = _("Choose a course run or a program: a product sells one of them.")
        elif run is not None and run.access == RunAccess.CONTRACT and not self.requires_code:
            errors["course_run"] = _("This run belongs to a contract, which sets its price.")
        elif run is not None and run.run_tag == SOURCE_TAG:
            errors["course_run"] = _("Other runs are copied from this one, so no one can enroll in it.")
        if (problem := currency_problem(self.currency)) is not None:
            errors["currency"] = problem
        elif (problem := find_amount_problem(self.price, self.currency)) is not None:
            errors["price"] = problem
        if not self._state.adding and self.order_lines.exists():
            stored = Product.objects.get(pk=self.pk)
            for name in FIXED_ONCE_SOLD:
                if getattr(stored, name) != getattr(self, name):
                    errors[name] = _("Someone has bought this product, so this can’t change.")
        if errors:
            raise ValidationError(errors)

    @property
    def money(self) -> Money:
        return Money(self.price, self.currency)

    @property
    def site_id(self) -> int | None:
        """The site that sells it, None for all of them."""
        item = self.course_run.course if self.course_run is not None else self.program
        return item.site_id if item is not None else None

    @property
    def sells_seats(self) -> bool:
        """Whether seats of it can be bought for a group: of a run that no contract sells."""
        return self.course_run_id is not None and not self.requires_code

    @property
    def title(self) -> str:
        if self.course_run is not None:
            return self.course_run.title
        return self.program.title if self.program is not None else ""

    @property
    def item_id(self) -> str:
        if self.course_run is not None:
            return self.course_run.courseware_id
        return self.program.readable_id if self.program is not None else ""


class PriceChange(models.Model):
    """One change of a product's price, for the history that finance reads."""

    product = models.ForeignKey(
        Product, verbose_name=_("product"), on_delete=models.PROTECT, related_name="price_changes"
    )
    old_price = amount_field(_("old price"), null=True, blank=True)
    old_currency = currency_field(
        _("old currency"), blank=True, default="", help_text=_("Empty if the currency stayed the same.")
    )
    new_price = amount_field(_("new price"))
    currency = currency_field(_("currency"))
    changed_at = models.DateTimeField(_("changed"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("changed by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("price change")
        verbose_name_plural = _("price changes")
        ordering = ["-changed_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.old_price} → {self.new_price} {self.currency}"

    @property
    def before(self) -> Money | None:
        return Money(self.old_price, self.old_currency or self.currency) if self.old_price is not None else None

    @property
    def after(self) -> Money:
        return Money(self.new_price, self.currency)
