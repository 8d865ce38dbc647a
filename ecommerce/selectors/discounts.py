"""Discounts as finance and a course's staff look at them: how each stands, and how often it was used."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, F, IntegerField, Model, OuterRef, Q, QuerySet, Subquery, TextChoices
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ecommerce.enums import OrderState, UseState
from ecommerce.models import CodeUse, Discount, DiscountCode, OrderLine
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.sentences import off_text

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# What was used and stays so: also what was taken away from its learner later.
SPENT = (UseState.CONFIRMED, UseState.RETIRED)
SOLD = (OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED)


class DiscountState(TextChoices):
    """Whether a discount can be used, and if not, why."""

    IN_USE = "in_use", _("In use")
    LATER = "later", _("Not yet")
    PAUSED = "paused", _("Paused")
    OVER = "over", _("Over")


class CodeAvailability(TextChoices):
    """Whether a code can be used, its discount aside."""

    IN_USE = "in_use", _("In use")
    PAUSED = "paused", _("Paused")
    USED_UP = "used_up", _("Used up")


def state_of(discount: Discount, *, now: datetime) -> DiscountState:
    """How a discount stands at a moment. What is over and paused is over."""
    if discount.expires_at is not None and discount.expires_at <= now:
        return DiscountState.OVER
    if not discount.is_active:
        return DiscountState.PAUSED
    if discount.activates_at is not None and discount.activates_at > now:
        return DiscountState.LATER
    return DiscountState.IN_USE


def in_state(discounts: DiscountQuerySet, state: str, *, now: datetime) -> DiscountQuerySet:
    """Those that stand like this."""
    over = Q(expires_at__isnull=False, expires_at__lte=now)
    later = Q(activates_at__isnull=False, activates_at__gt=now)
    if state == DiscountState.OVER:
        return discounts.filter(over)
    if state == DiscountState.PAUSED:
        return discounts.filter(~over, is_active=False)
    if state == DiscountState.LATER:
        return discounts.filter(~over & later, is_active=True)
    return discounts.filter(~over & ~later, is_active=True)


def listed_discounts(access: DiscountAccess) -> DiscountQuerySet:
    """Those someone may see, each with ``code_count``, ``used``, ``held`` and ``product_count``, in one query."""
    uses = CodeUse.objects.filter(code__discount=OuterRef("pk"))
    lines = OrderLine.objects.filter(discount=OuterRef("pk"), code=None, order__state__in=SOLD)
    return (
        access.discounts()
        .select_related("course")
        .annotate(
            code_count=_number(DiscountCode.objects.filter(discount=OuterRef("pk")), "discount"),
            used=_number(uses.filter(state__in=SPENT), "code__discount") + _number(lines, "discount"),
            held=_number(uses.filter(state=UseState.HELD), "code__discount"),
            product_count=_number(Discount.products.through.objects.filter(discount=OuterRef("pk")), "discount"),
        )
    )


def with_words(discounts: DiscountQuerySet, words: str) -> DiscountQuerySet:
    """Those with these words in their name, or with a code that begins like this."""
    by_code = DiscountCode.objects.beginning_with(words).values("discount")
    return discounts.filter(Q(name__icontains=words) | Q(pk__in=by_code))


def listed_codes(discount: Discount) -> QuerySet[DiscountCode]:
    """The codes of a discount, each with ``used`` and ``held``, in one query."""
    uses = CodeUse.objects.filter(code=OuterRef("pk"))
    return DiscountCode.objects.filter(discount=discount).annotate(
        used=_number(uses.filter(state__in=SPENT), "code"),
        held=_number(uses.filter(state=UseState.HELD), "code"),
        left=F("max_uses") - F("uses"),
    )


def takes_off(discount: Discount) -> str:
    """What it does to a price."""
    return off_text(discount_type=discount.discount_type, amount=discount.amount, currency=discount.currency)


def for_what(discount: Discount) -> StrOrPromise:
    """What it is for; needs ``product_count``."""
    if discount.for_all_products:
        return _("All products")
    number: int = getattr(discount, "product_count")  # noqa: B009 - annotated above
    products = ngettext("%(n)d product", "%(n)d products", number) % {"n": number}
    return f"{products} · {discount.course.title}" if discount.course is not None else products


def _number(rows: QuerySet[Model], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
