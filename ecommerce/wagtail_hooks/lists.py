"""Columns, filters and files of the shop's lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column

from courses.models import Course
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, DiscountCode
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discounts import DiscountState, for_what, in_state, state_of, takes_off
from ecommerce.selectors.sentences import dates_text, uses_text
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock
from mitxonline.kernel.text import escape_formula


class TextColumn(Column):
    """A cell whose words a function of ours makes."""

    def __init__(self, name: str, *, text: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(name, **options)
        self.text = text

    def get_value(self, instance: Any) -> Any:
        return self.text(instance)


class StateColumn(TextColumn):
    """A state as a tag; the word says it."""

    cell_template_name = "wagtailadmin/tables/status_tag_cell.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | {"primary": self.text(instance) == DiscountState.IN_USE.label}


class DiscountFilters(WagtailFilterSet):
    """By how they stand, what they do, whose money it is, and which course's staff made them."""

    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=DiscountState.choices,
        method="by_state",
        widget=forms.RadioSelect,
        empty_label=_("All"),
    )
    discount_type = django_filters.MultipleChoiceFilter(
        label=_("Type"), choices=DiscountType.choices, widget=forms.CheckboxSelectMultiple
    )
    payment_type = django_filters.MultipleChoiceFilter(
        label=_("Paid from"), choices=PaymentType.choices, widget=forms.CheckboxSelectMultiple
    )
    automatic = django_filters.BooleanFilter(label=_("Applies by itself"))
    course = django_filters.ModelChoiceFilter(label=_("Course"), queryset=Course.objects.none())

    class Meta:
        model = Discount
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen = discount_access_for(self.request.user).discounts().exclude(course=None)
        self.filters["course"].queryset = Course.objects.filter(pk__in=seen.values("course")).order_by("title")

    def by_state(self, queryset: DiscountQuerySet, _name: str, value: str) -> DiscountQuerySet:
        """Those that stand like this at the moment."""
        return in_state(queryset, value, now=clock.now())


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of a file: its heading, and what stands in it."""

    heading: Any
    value: Callable[[Any], Any]


class FileMixin:
    """CSV and XLSX of a list: read in portions, and no cell that a spreadsheet would run."""

    cells: dict[str, Cell] = {}

    @property
    def list_export(self) -> list[str]:
        """The columns of the file."""
        return list(self.cells)

    @property
    def export_headings(self) -> dict[str, Any]:
        """What stands above them."""
        return {name: cell.heading for name, cell in self.cells.items()}

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        """One row."""
        return {name: _safe(cell.value(item)) for name, cell in self.cells.items()}

    def as_spreadsheet(self, queryset: QuerySet[Any], spreadsheet_format: str) -> Any:
        """The file, without ever holding all of its rows as models."""
        rows: Iterable[Any] = queryset.iterator(chunk_size=2000)
        return super().as_spreadsheet(rows, spreadsheet_format)  # type: ignore[misc]


def _safe(value: Any) -> Any:
    return escape_formula(value) if isinstance(value, str) else value


def _state(discount: Discount) -> str:
    return str(state_of(discount, now=clock.now()).label)


def code_state(code: DiscountCode) -> str:
    """Whether a code can be used, as far as that is its own matter."""
    if not code.active:
        return str(_("Paused"))
    if code.max_uses is not None and code.uses >= code.max_uses:
        return str(_("Used up"))
    return str(DiscountState.IN_USE.label)


def code_uses(code: DiscountCode) -> str:
    """How often a code can be used; its discount is at hand."""
    return uses_text(redemption_type=code.discount.redemption_type, max_uses=code.max_uses)


def given_to(code: DiscountCode) -> str:
    """For whom it is, where it is for one."""
    return code.assigned_email


def discount_columns() -> list[Column]:
    """The list of discounts, behind its title."""
    return [
        TextColumn("takes_off", label=_("Takes off"), text=takes_off),
        TextColumn("for_what", label=_("For"), text=for_what),
        TextColumn(
            "dates", label=_("Valid"), text=lambda each: dates_text(each.activates_at, each.expires_at) or _("Always")
        ),
        Column("code_count", label=_("Codes"), sort_key="code_count"),
        Column("used", label=_("Used"), sort_key="used"),
        Column("held", label=_("In checkout"), sort_key="held"),
        StateColumn("state", label=_("State"), text=_state),
    ]


DISCOUNT_CELLS = {
    "id": Cell(_("Discount id"), lambda each: each.pk),
    "name": Cell(_("Name"), lambda each: each.name),
    "type": Cell(_("Type"), lambda each: each.get_discount_type_display()),
    "amount": Cell(_("Amount"), lambda each: each.amount.normalize()),
    "currency": Cell(_("Currency"), lambda each: each.currency),
    "paid_from": Cell(_("Paid from"), lambda each: each.get_payment_type_display()),
    "for": Cell(_("For"), lambda each: str(for_what(each))),
    "from": Cell(_("Valid from"), lambda each: each.activates_at),
    "until": Cell(_("Valid until"), lambda each: each.expires_at),
    "codes": Cell(_("Codes"), lambda each: each.code_count),
    "used": Cell(_("Used"), lambda each: each.used),
    "held": Cell(_("In checkout"), lambda each: each.held),
    "state": Cell(_("State"), _state),
}

CODE_CELLS = {
    "code": Cell(_("Code"), lambda each: each.text),
    "discount": Cell(_("Discount"), lambda each: each.discount.name),
    "uses": Cell(_("Can be used"), code_uses),
    "used": Cell(_("Used"), lambda each: each.used),
    "held": Cell(_("In checkout"), lambda each: each.held),
    "given_to": Cell(_("Given to"), given_to),
    "state": Cell(_("State"), code_state),
}
