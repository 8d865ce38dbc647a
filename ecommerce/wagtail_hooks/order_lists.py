"""Orders and refunds as lists, with what they can be narrowed to, and as files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views.generic import IndexView

from ecommerce.enums import OrderState, RefundState
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, Refund
from ecommerce.selectors.order_desk import ATTENTION, orders_at_desk, refunds_at_desk
from mitxonline.kernel.text import escape_formula

ORDERS, REFUNDS = "shop_orders", "shop_refunds"
PER_PAGE = 50
SEE_ORDERS, SEE_REFUNDS = "ecommerce.view_order", "ecommerce.view_refund"


def plain_amount(amount: Decimal) -> str:
    """An amount as a file has it: two digits after the point, three where the currency counts in thousandths."""
    text = f"{amount:.3f}"
    return text.removesuffix("0")


class Allowed:
    """A view for those who have a permission; the others are told so before anything is looked up."""

    needs: ClassVar[str] = SEE_ORDERS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(self.needs):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


class StateColumn(Column):
    """A state as a word with a color beside it."""

    cell_template_name = "ecommerce/admin/state_cell.html"


class OrderFilters(WagtailFilterSet):
    """What the list of orders can be narrowed to."""

    attention = django_filters.ChoiceFilter(
        label=_("Needs someone"), choices=ATTENTION, empty_label=_("All"), widget=forms.RadioSelect
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=OrderState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    placed_at = django_filters.DateFromToRangeFilter(label=_("Placed"), widget=DateRangePickerWidget)

    class Meta:
        model = Order
        fields: list[str] = []


class RefundFilters(WagtailFilterSet):
    """What the list of refunds can be narrowed to."""

    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[choice for choice in RefundState.choices if choice[0] != RefundState.MARKED],
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    settled_at = django_filters.DateFromToRangeFilter(label=_("Settled"), widget=DateRangePickerWidget)
    gateway = django_filters.ChoiceFilter(
        label=_("Gateway"),
        choices=lambda: [(name, name.title()) for name in gateways()],
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Refund
        fields: list[str] = []


class DeskList(Allowed, IndexView):
    """A list of the shop's desk: searched by the database, exported with cells that a spreadsheet doesn't run."""

    permission_policy = None
    any_permission_required = None
    paginate_by = PER_PAGE
    is_searchable = True
    search_backend_name = None
    show_other_searches = False
    list_display: ClassVar[list[Any]] = []

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_page_title(self) -> str:
        return str(self.page_title)


class OrderIndex(DeskList):
    """Every order."""

    model = Order
    needs = SEE_ORDERS
    page_title = _("Orders")
    header_icon = "clipboard-list"
    index_url_name = f"{ORDERS}:index"
    index_results_url_name = f"{ORDERS}:index_results"
    filterset_class = OrderFilters
    search_fields = ("number", "purchaser__email", "purchaser__name", "lines__item_id")
    default_ordering = "-placed_at"
    list_export = (
        "number",
        "state",
        "placed_at",
        "fulfilled_at",
        "purchaser.email",
        "total",
        "currency",
        "why",
    )
    export_filename = "orders"
    export_headings: ClassVar[dict[str, Any]] = {
        "purchaser.email": _("E-mail"),
        "total": _("Total"),
        "why": _("Reason"),
    }
    custom_field_preprocess: ClassVar[dict[str, Any]] = {
        name: {"csv": escape_formula, "xlsx": escape_formula} for name in ("purchaser.email", "why")
    } | {"total": {"csv": plain_amount}}

    columns: ClassVar[list[Any]] = [
        TitleColumn("number", label=_("Order"), get_url=lambda order: order_url(order.pk), sort_key="number"),
        Column("buyer", label=_("Buyer"), accessor=lambda order: order.purchaser.email, sort_key="purchaser__email"),
        StateColumn("state", label=_("State"), accessor=lambda order: shown_state(order), sort_key="state"),
        Column("total", label=_("Total"), accessor=lambda order: order.money.formatted(), sort_key="total"),
        StateColumn("attention", label=_("Needs someone"), accessor=lambda order: attention_of(order)),
        DateColumn("placed_at", label=_("Placed"), sort_key="placed_at"),
    ]

    def get_base_queryset(self) -> QuerySet[Order]:
        return orders_at_desk()

    def search_queryset(self, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """By number, buyer or course key; a line found twice is one order."""
        found: QuerySet[Order] = super().search_queryset(queryset)
        if not self.is_searching:
            return found
        return queryset.filter(pk__in=found.order_by().values("pk"))


class RefundIndex(DeskList):
    """Every refund, for the month's end."""

    model = Refund
    needs = SEE_REFUNDS
    page_title = _("Refunds")
    header_icon = "undo"
    index_url_name = f"{REFUNDS}:index"
    index_results_url_name = f"{REFUNDS}:index_results"
    filterset_class = RefundFilters
    search_fields = ("order__number", "gateway_refund_id", "reason")
    default_ordering = "-recorded_at"
    list_export = (
        "number",
        "amount",
        "currency",
        "state",
        "origin",
        "recorded_at",
        "settled_at",
        "gateway",
        "gateway_refund_id",
        "attempt.payment_id",
        "reason",
    )
    export_filename = "refunds"
    export_headings: ClassVar[dict[str, Any]] = {"number": _("Order"), "attempt.payment_id": _("Payment")}
    custom_field_preprocess: ClassVar[dict[str, Any]] = {
        "reason": {"csv": escape_formula, "xlsx": escape_formula},
        "amount": {"csv": plain_amount},
    }

    columns: ClassVar[list[Any]] = [
        TitleColumn("number", label=_("Order"), get_url=lambda refund: order_url(refund.order_id), sort_key="number"),
        Column("amount", label=_("Amount"), accessor=lambda refund: refund.money.formatted(), sort_key="amount"),
        StateColumn("state", label=_("State"), accessor=lambda refund: shown_refund(refund), sort_key="state"),
        Column("origin", label=_("Begun"), accessor=lambda refund: refund.get_origin_display()),
        Column("by", label=_("By"), accessor=lambda refund: refund.begun_by.display_name if refund.begun_by else "–"),
        Column("reason", label=_("Why")),
        DateColumn("recorded_at", label=_("Recorded"), sort_key="recorded_at"),
        DateColumn("settled_at", label=_("Settled"), sort_key="settled_at"),
    ]

    def get_base_queryset(self) -> QuerySet[Refund]:
        return refunds_at_desk().select_related("order", "begun_by", "attempt")


def order_url(pk: int, name: str = "order", *args: object) -> str:
    """The address of an order at the desk, or of something that is done there."""
    return reverse(f"{ORDERS}:{name}", args=[pk, *args])


def shown_state(order: Order) -> dict[str, str]:
    """An order's state for a cell."""
    return {"text": str(order.get_state_display()), "tone": ORDER_TONES.get(order.state, "quiet")}


def shown_refund(refund: Refund) -> dict[str, str]:
    """A refund's state for a cell."""
    return {"text": str(refund.get_state_display()), "tone": REFUND_TONES.get(refund.state, "quiet")}


def attention_of(order: Any) -> dict[str, str] | None:
    """Why someone has to look."""
    words = dict(ATTENTION)
    return {"text": str(words[order.attention]), "tone": "warn"} if order.attention else None


ORDER_TONES: dict[str, str] = {
    OrderState.FULFILLED: "good",
    OrderState.PENDING: "plain",
    OrderState.REVIEW: "warn",
    OrderState.PARTIALLY_REFUNDED: "good",
}
REFUND_TONES: dict[str, str] = {
    RefundState.SUCCEEDED: "good",
    RefundState.PENDING: "plain",
    RefundState.SENT: "plain",
    RefundState.RECORDED: "plain",
    RefundState.MARKED: "warn",
    RefundState.DIFFERS: "bad",
    RefundState.FAILED: "bad",
}
