"""Discounts as staff see them: their state and how often they were used."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, F, IntegerField, Model, OuterRef, Q, QuerySet, Subquery, TextChoices
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ecommerce.enums import OrderState, UseState
from ecommerce.models import CodeUse, Discount, DiscountCode, OrderLine
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.discount_text import groups_text, off_text

# A retired use still counts: its course was taken away, but its code stays used.
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
    """Return the state of a discount. One that is both over and paused is over."""
    if discount.expires_at is not None and discount.expires_at <= now:
        return DiscountState.OVER
    if not discount.is_active:
        return DiscountState.PAUSED
    if discount.activates_at is not None and discount.activates_at > now:
        return DiscountState.LATER
    return DiscountState.IN_USE


def in_state(discounts: DiscountQuerySet, state: str, *, now: datetime) -> DiscountQuerySet:
    """Filter discounts by state; the same answer as `state_of`, in SQL."""
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
    """Return the discounts a user may see, annotated with `code_count`, `used`, `held` and `product_count`."""
    uses = CodeUse.objects.filter(code__discount=OuterRef("pk"))
    lines = OrderLine.objects.filter(discount=OuterRef("pk"), code=None, order__state__in=SOLD)
    return (
        access.discounts()
        .select_related("course", "site")
        .annotate(
            code_count=_number(DiscountCode.objects.filter(discount=OuterRef("pk")), "discount"),
            used=_number(uses.filter(state__in=SPENT), "code__discount") + _number(lines, "discount"),
            held=_number(uses.filter(state=UseState.HELD), "code__discount"),
            product_count=_number(Discount.products.through.objects.filter(discount=OuterRef("pk")), "discount"),
        )
    )


def search_discounts(discounts: DiscountQuerySet, words: str) -> DiscountQuerySet:
    """Find discounts by a part of their name or by the start of a code."""
    by_code = DiscountCode.objects.beginning_with(words).values("discount")
    return discounts.filter(Q(name__icontains=words) | Q(pk__in=by_code))


def find_redeemed(code_ids: Collection[int]) -> set[int]:
    """Return those codes that someone used. One that an unpaid order holds isn't used yet; no query without codes."""
    if not code_ids:
        return set()
    return set(CodeUse.objects.filter(code__in=code_ids, state__in=SPENT).values_list("code_id", flat=True))


def listed_codes(discount: Discount) -> QuerySet[DiscountCode]:
    """Return the codes of a discount, annotated with `used` and `held`."""
    uses = CodeUse.objects.filter(code=OuterRef("pk"))
    return DiscountCode.objects.filter(discount=discount).annotate(
        used=_number(uses.filter(state__in=SPENT), "code"),
        held=_number(uses.filter(state=UseState.HELD), "code"),
        left=F("max_uses") - F("uses"),
    )


def takes_off(discount: Discount) -> str:
    return off_text(discount_type=discount.discount_type, amount=discount.amount, currency=discount.currency)


def for_what(discount: Discount) -> str:
    """Say which products a discount is for, and if groups get it too. Needs the annotation `product_count`."""
    products = str(_("All products"))
    if not discount.for_all_products:
        number: int = getattr(discount, "product_count")  # noqa: B009 - annotated above
        products = ngettext("%(n)d product", "%(n)d products", number) % {"n": number}
    course = discount.course.title if discount.course is not None and not discount.for_all_products else ""
    parts = [products, course, groups_text(for_groups=discount.for_groups)]
    return " · ".join(part for part in parts if part)


def _number(rows: QuerySet[Model], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
