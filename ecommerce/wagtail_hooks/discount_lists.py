"""The lists of discounts and of a discount's codes: their columns, filters and files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import Column

from courses.models import Course
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, DiscountCode
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discount_text import dates_text, uses_text
from ecommerce.selectors.discounts import CodeAvailability, DiscountState, for_what, in_state, state_of, takes_off
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock
from mitxonline.staff.lists import MomentColumn, StateColumn
from mitxonline.staff.sites import SiteColumn, SiteFilter, SiteFilterSet

TONES = {
    DiscountState.IN_USE: "good",
    DiscountState.LATER: "plain",
    DiscountState.PAUSED: "warn",
    DiscountState.OVER: "quiet",
    CodeAvailability.USED_UP: "quiet",
}


class DiscountFilters(SiteFilterSet):
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=DiscountState.choices,
        method="filter_state",
        widget=forms.RadioSelect,
        empty_label=_("All"),
    )
    discount_type = django_filters.MultipleChoiceFilter(
        label=_("Type"), choices=DiscountType.choices, widget=forms.CheckboxSelectMultiple
    )
    payment_type = django_filters.MultipleChoiceFilter(
        label=_("Paid from"), choices=PaymentType.choices, widget=forms.CheckboxSelectMultiple
    )
    automatic = django_filters.BooleanFilter(label=_("Applies automatically"))
    for_groups = django_filters.BooleanFilter(label=_("Also for groups"))
    site = SiteFilter(has_shared=True)
    course = django_filters.ModelChoiceFilter(label=_("Course"), queryset=Course.objects.none())

    class Meta:
        model = Discount
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        visible = discount_access_for(self.request.user).discounts().exclude(course=None)
        self.filters["course"].queryset = Course.objects.filter(pk__in=visible.values("course")).order_by("title")

    def filter_state(self, queryset: DiscountQuerySet, _name: str, value: str) -> DiscountQuerySet:
        return in_state(queryset, value, now=clock.now())


def discount_state(discount: Discount) -> DiscountState:
    return state_of(discount, now=clock.now())


def code_state(code: DiscountCode) -> CodeAvailability:
    if not code.active:
        return CodeAvailability.PAUSED
    if code.max_uses is not None and code.uses >= code.max_uses:
        return CodeAvailability.USED_UP
    return CodeAvailability.IN_USE


def code_uses(code: DiscountCode) -> str:
    return uses_text(redemption_type=code.discount.redemption_type, max_uses=code.max_uses)


def plain_number(amount: Decimal) -> Decimal:
    """Leave out zeros after the point: 10, and not 10.000 or 1E+1."""
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()


# The columns after the title, which depends on the user.
DISCOUNT_COLUMNS = [
    Column("takes_off", label=_("Discount"), accessor=takes_off),
    Column("for_what", label=_("Applies to"), accessor=for_what),
    SiteColumn(),
    Column(
        "dates", label=_("Valid"), accessor=lambda each: dates_text(each.activates_at, each.expires_at) or _("Always")
    ),
    Column("code_count", label=_("Codes"), sort_key="code_count"),
    Column("used", label=_("Used"), sort_key="used"),
    Column("held", label=_("In checkout"), sort_key="held"),
    StateColumn("state", label=_("State"), tones=TONES, accessor=discount_state),
]
DISCOUNT_EXPORT = [
    Column("id", label=_("Discount id"), accessor="pk"),
    Column("name", label=_("Name")),
    Column("type", label=_("Type"), accessor="get_discount_type_display"),
    Column("amount", label=_("Amount"), accessor=lambda each: plain_number(each.amount)),
    Column("currency", label=_("Currency")),
    Column("paid_from", label=_("Paid from"), accessor="get_payment_type_display"),
    Column("for", label=_("Applies to"), accessor=for_what),
    Column("for_groups", label=_("Also for groups"), accessor=lambda each: _("Yes") if each.for_groups else _("No")),
    MomentColumn("from", label=_("Valid from"), accessor="activates_at"),
    MomentColumn("until", label=_("Valid until"), accessor="expires_at"),
    Column("codes", label=_("Codes"), accessor="code_count"),
    Column("used", label=_("Used")),
    Column("held", label=_("In checkout")),
    Column("state", label=_("State"), accessor=lambda each: discount_state(each).label),
]

CODE_COLUMNS = [
    Column("uses", label=_("Can be used"), accessor=code_uses),
    Column("used", label=_("Used"), sort_key="used"),
    Column("held", label=_("In checkout"), sort_key="held"),
    Column("assigned_email", label=_("Given to")),
    StateColumn("state", label=_("State"), tones=TONES, accessor=code_state),
]
CODE_EXPORT = [
    Column("code", label=_("Code"), accessor="text"),
    Column("discount", label=_("Discount"), accessor="discount.name"),
    Column("uses", label=_("Can be used"), accessor=code_uses),
    Column("used", label=_("Used")),
    Column("held", label=_("In checkout")),
    Column("assigned_email", label=_("Given to")),
    Column("state", label=_("State"), accessor=lambda each: code_state(each).label),
]
