"""Discounts, their codes, and the uses of codes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Replace, Upper
from django.utils.translation import gettext_lazy as _

from courses.models import Course, CourseRun
from courses.models.sites import is_of_site, site_field
from ecommerce.enums import AMOUNTS_OFF, LIVE_USE_STATES, DiscountType, PaymentType, RedemptionType, UseState
from ecommerce.models.fields import amount_field, currency_field, find_amount_problem
from ecommerce.models.order import Order
from ecommerce.models.product import Product
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import currency_problem
from mitxonline.kernel.text import normalize_code

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# At least four of A-Z and 0-9 in either case, with single dashes between them: no letter looks like another one, and
# apart from dashes nothing is dropped when codes are compared.
CODE_TEXT = r"^[A-Za-z0-9](-?[A-Za-z0-9]){3,}$"
CODE_SENTENCE = _("A code has at least 4 letters (A to Z) or digits, with single dashes between them if you like.")
CODE_EXISTS = _("This code already exists (capitals, spaces and dashes don’t count).")
MAX_USES = 1_000_000


def validate_max_uses(number: int) -> None:
    if not 1 <= number <= MAX_USES:
        raise ValidationError(_("Enter a number from 1 to 1,000,000, or leave it empty for no limit."))


class DiscountQuerySet(LockableQuerySet["Discount"]):
    def of_site(self, site_id: int | None) -> Self:
        return self.filter(is_of_site(site_id))

    def of_the_shop(self) -> Self:
        """Leave out the discounts of contracts and of seat sales, which create and change their own."""
        return self.filter(unlocks__isnull=True, seat_sale__isnull=True)

    def in_force(self, now: datetime) -> Self:
        """Return the active discounts whose dates include `now`."""
        return self.filter(
            Q(activates_at__isnull=True) | Q(activates_at__lte=now),
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            is_active=True,
        )


class Discount(models.Model):
    """A rule that lowers prices. It has codes, unless it applies automatically.

    Only contracts set `unlocks`. The codes of such a discount open that product and affect no other line, and no other
    discount affects that product.
    """

    name = models.CharField(_("name"), max_length=255, blank=True)
    discount_type = models.CharField(_("type"), max_length=20, choices=DiscountType)
    amount = amount_field(_("amount"), help_text=_("A percentage, or an amount in the discount’s currency."))
    currency = currency_field(_("currency"), blank=True, help_text=_("Empty for a percentage."))
    redemption_type = models.CharField(
        _("can be used"), max_length=20, choices=RedemptionType, default=RedemptionType.UNLIMITED
    )
    payment_type = models.CharField(_("paid from"), max_length=30, choices=PaymentType)
    activates_at = models.DateTimeField(_("valid from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    automatic = models.BooleanField(_("applies automatically"), default=False)
    is_bulk = models.BooleanField(_("created in bulk"), default=False)
    for_all_products = models.BooleanField(
        _("for all products"), default=False, help_text=_("Otherwise only for the products chosen below.")
    )
    products = models.ManyToManyField(Product, verbose_name=_("products"), blank=True, related_name="discounts")
    for_chosen_people = models.BooleanField(
        _("only for chosen people"),
        default=False,
        help_text=_("Only for people who are signed in with one of these confirmed addresses."),
    )
    for_groups = models.BooleanField(
        _("also for groups"),
        default=False,
        db_default=False,
        help_text=_(
            "Then it lowers the price of all seats of a group too, and one use of a code covers all of them. "
            "Otherwise seats for a group keep their price."
        ),
    )
    course = models.ForeignKey(
        Course,
        verbose_name=_("course"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="discounts",
        help_text=_("Only for this course. Its staff created the discount and manage it."),
    )
    site = site_field(help_text=_("Where it lowers prices. Empty: on all sites."))
    unlocks = models.OneToOneField(
        Product,
        verbose_name=_("unlocks"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="unlocked_by",
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = DiscountQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="discount_amount_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(discount_type=DiscountType.PERCENT_OFF) | Q(amount__lte=100),
                name="discount_at_most_100_percent",
            ),
            models.CheckConstraint(
                condition=(Q(discount_type=DiscountType.PERCENT_OFF) & Q(currency=""))
                | (~Q(discount_type=DiscountType.PERCENT_OFF) & ~Q(currency="")),
                name="discount_money_has_a_currency",
            ),
            models.CheckConstraint(
                condition=Q(activates_at__isnull=True)
                | Q(expires_at__isnull=True)
                | Q(expires_at__gt=F("activates_at")),
                name="discount_expires_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(unlocks__isnull=True) | Q(for_all_products=False, automatic=False),
                name="discount_of_a_contract_opens_one_product",
            ),
            models.CheckConstraint(
                condition=Q(unlocks__isnull=True) | Q(for_groups=False),
                name="discount_of_a_contract_is_for_one_person",
            ),
            models.CheckConstraint(
                condition=Q(course__isnull=True) | Q(for_all_products=False, automatic=False, unlocks__isnull=True),
                name="discount_of_a_course_is_for_that_course",
            ),
            models.CheckConstraint(
                condition=Q(automatic=False) | Q(redemption_type=RedemptionType.UNLIMITED),
                name="discount_automatic_is_not_counted",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.get_discount_type_display()} {self.amount}"

    @property
    def own_site_id(self) -> int | None:
        """The site where its codes work, None for all of them: those of a contract where its course is."""
        if self.site_id is not None or self.unlocks is None:
            return self.site_id
        return self.unlocks.site_id

    def clean(self) -> None:
        """Check the rules of a discount's own columns. The constraints repeat those that a raw write could break."""
        errors = self._check_amount()
        if self.unlocks_id is None and not (self.name.strip() and self.name.isprintable()):
            errors["name"] = _(
                "Enter a name, without line breaks. Buyers see it when a discount applies automatically."
            )
        if self.activates_at and self.expires_at and self.expires_at <= self.activates_at:
            errors["expires_at"] = _("The discount can’t end before it starts.")
        if self.automatic and self.redemption_type != RedemptionType.UNLIMITED:
            errors["redemption_type"] = _(
                "A discount that applies automatically has no code whose uses could be limited."
            )
        if errors:
            raise ValidationError(errors)

    def _check_amount(self) -> dict[str, StrOrPromise]:
        if self.discount_type == DiscountType.PERCENT_OFF:
            if self.currency:
                return {"currency": _("A percentage has no currency.")}
            # The field itself reports a missing amount and one that isn't a number.
            if self.amount is not None and self.amount.is_finite() and not 0 < self.amount <= 100:
                return {"amount": _("A percentage is more than 0 and at most 100.")}
        elif self.discount_type in DiscountType.values:
            if (problem := currency_problem(self.currency)) is not None:
                return {"currency": problem}
            if (problem := find_amount_problem(self.amount, self.currency)) is not None:
                return {"amount": problem}
            if self.amount == 0 and self.discount_type in AMOUNTS_OFF:
                return {"amount": _("Enter an amount above zero.")}
        return {}


class DiscountPerson(models.Model):
    """Someone a discount is for, by e-mail address. They must have confirmed it."""

    discount = models.ForeignKey(Discount, verbose_name=_("discount"), on_delete=models.CASCADE, related_name="people")
    email = models.EmailField(_("e-mail address"))
    added_at = models.DateTimeField(_("added"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("person with a discount")
        verbose_name_plural = _("people with a discount")
        ordering = ["email"]
        indexes = [models.Index(fields=["email"], name="discount_person_email")]
        constraints = [models.UniqueConstraint(fields=["discount", "email"], name="discount_person_once")]

    def __str__(self) -> str:
        return f"{self.discount_id}: person {self.pk}"


class DiscountCodeQuerySet(LockableQuerySet["DiscountCode"]):
    def matching(self, text: str) -> Self:
        """Find the code with this text, ignoring case, spaces and dashes."""
        return self.filter(normalized=normalize_code(text))

    def beginning_with(self, text: str) -> Self:
        """Find the codes that start with this text, ignoring case, spaces and dashes. An empty text finds none."""
        start = normalize_code(text)
        return self.filter(normalized__startswith=start) if start else self.none()


class DiscountCode(models.Model):
    """A text that gives access to its discount. Enrollment codes are those whose discount unlocks a contract run.

    `uses` counts the held, confirmed and retired uses of a limited code. It changes only in the statement that changes
    the state of a use, so that the two never disagree. Uses of an unlimited code are only counted from their rows.
    """

    # The first index below also serves as the foreign key's.
    discount = models.ForeignKey(
        Discount, verbose_name=_("discount"), on_delete=models.PROTECT, related_name="codes", db_index=False
    )
    text = models.CharField(
        _("code"), max_length=100, validators=[RegexValidator(CODE_TEXT, CODE_SENTENCE)], help_text=CODE_SENTENCE
    )
    normalized = models.GeneratedField(
        expression=Upper(Replace(Replace(F("text"), Value(" "), Value("")), Value("-"), Value(""))),
        output_field=models.CharField(max_length=100),
        db_persist=True,
    )
    max_uses = models.PositiveIntegerField(
        _("can be used"),
        null=True,
        blank=True,
        validators=[validate_max_uses],
        help_text=_("How many times in total. Empty means no limit."),
    )
    uses = models.PositiveIntegerField(_("used"), default=0, db_default=0, editable=False)
    active = models.BooleanField(_("active"), default=True, db_default=True)
    assigned_email = models.EmailField(_("assigned to"), blank=True, default="", db_default="")
    assigned_name = models.CharField(_("name"), max_length=255, blank=True, default="", db_default="")
    assigned_at = models.DateTimeField(_("assigned on"), null=True, blank=True)
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assigned by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    moved_to = models.ForeignKey(
        CourseRun,
        verbose_name=_("moved to"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text=_("The start that a registration code gives instead of the one it was sold for."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = DiscountCodeQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("code")
        verbose_name_plural = _("codes")
        ordering = ["pk"]
        # A discount may have a million codes. Counting them, or taking some from either end, reads only an index.
        indexes = [
            models.Index(fields=["discount", "id"], name="code_of_discount"),
            models.Index(fields=["discount", "max_uses"], condition=Q(active=True), name="code_active"),
            models.Index(fields=["discount", "id"], condition=Q(active=False), name="code_off"),
            models.Index(
                fields=["discount", "id"], condition=Q(active=True, uses=0, assigned_email=""), name="code_free"
            ),
            models.Index(fields=["assigned_email"], condition=~Q(assigned_email=""), name="code_assigned_to"),
            models.Index(
                fields=["discount", "assigned_email"],
                condition=Q(active=True) & ~Q(assigned_email=""),
                name="code_promised",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["normalized"],
                name="code_unique_without_case_blanks_dashes",
                violation_error_message=CODE_EXISTS,
            ),
            models.CheckConstraint(
                condition=Q(text__regex=CODE_TEXT),
                name="code_of_plain_letters_digits_dashes",
                violation_error_message=CODE_SENTENCE,
            ),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(uses__lte=F("max_uses")),
                name="code_not_used_too_often",
            ),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(max_uses__gte=1), name="code_can_be_used_at_all"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.text[:8]}…"


class CodeUseQuerySet(models.QuerySet["CodeUse"]):
    def live(self) -> Self:
        """Return the held and confirmed uses, which keep others from using the code."""
        return self.filter(state__in=LIVE_USE_STATES)


class CodeUse(models.Model):
    """One person's use of one code. Held while an order is pending, confirmed by fulfillment or redemption."""

    code = models.ForeignKey(DiscountCode, verbose_name=_("code"), on_delete=models.PROTECT, related_name="code_uses")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.PROTECT,
        related_name="code_uses",
    )
    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="code_uses",
    )
    state = models.CharField(_("state"), max_length=20, choices=UseState)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    changed_at = models.DateTimeField(_("changed"))

    objects = CodeUseQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("use of a code")
        verbose_name_plural = _("uses of codes")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["code"], condition=Q(state=UseState.RETIRED), name="code_use_retired"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "user"],
                condition=Q(state__in=LIVE_USE_STATES),
                name="code_use_live_once_per_learner",
            ),
            models.CheckConstraint(
                condition=~Q(state=UseState.HELD) | Q(order__isnull=False, held_until__isnull=False),
                name="code_use_held_for_an_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code_id} by {self.user_id}: {self.state}"
