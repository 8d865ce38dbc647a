"""The lists of orders and refunds, their filters and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import django_filters
from django import forms
from django.db.models import Prefetch, QuerySet, Value
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import DateRangePickerWidget
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn

from ecommerce.enums import OrderState, RefundState
from ecommerce.gateways.labels import gateway_name
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, OrderLine, Refund
from ecommerce.roles import Action, ShopScope, scope_of
from ecommerce.selectors.order_desk import (
    Attention,
    matching_orders,
    of_scope,
    orders_at_desk,
    orders_in_scope,
    refunds_at_desk,
    refunds_in_scope,
    sold_between,
)
from ecommerce.selectors.order_file import order_file_rows
from mitxonline.kernel.spreadsheets import Cell
from mitxonline.staff.lists import MomentColumn, StaffIndexView, StateColumn
from mitxonline.staff.sites import SiteColumn, SiteFilter, SiteFilterSet

ORDERS, REFUNDS = "shop_orders", "shop_refunds"

ORDER_TONES: dict[str, str] = {
    OrderState.PENDING: "plain",
    OrderState.FULFILLED: "good",
    OrderState.PARTIALLY_REFUNDED: "good",
    OrderState.REVIEW: "warn",
    OrderState.REFUNDED: "quiet",
    OrderState.DECLINED: "quiet",
    OrderState.ERRORED: "quiet",
    OrderState.CANCELED: "quiet",
}
REFUND_TONES: dict[str, str] = {
    RefundState.RECORDED: "plain",
    RefundState.SENT: "plain",
    RefundState.PENDING: "plain",
    RefundState.SUCCEEDED: "good",
    RefundState.MARKED: "warn",
    RefundState.DIFFERS: "bad",
    RefundState.FAILED: "bad",
    RefundState.CANCELED: "quiet",
}


def order_url(pk: int, name: str = "order", *args: object) -> str:
    return reverse(f"{ORDERS}:{name}", args=[pk, *args])


class OrderFilters(SiteFilterSet):
    attention = django_filters.ChoiceFilter(
        label=_("Needs attention"), choices=Attention.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=OrderState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    placed_at = django_filters.DateFromToRangeFilter(label=_("Placed"), widget=DateRangePickerWidget)
    sold = django_filters.DateFromToRangeFilter(label=_("Sold"), widget=DateRangePickerWidget, method="filter_sold")
    site = SiteFilter()

    class Meta:
        model = Order
        fields: list[str] = []

    def filter_sold(self, found: QuerySet[Order], _name: str, days: slice) -> QuerySet[Order]:
        # The days of the site, whatever zone the user's account shows times in: reports and the first page use them.
        first, last = (moment.date() if moment is not None else None for moment in (days.start, days.stop))
        return found.filter(pk__in=sold_between(first, last).values("pk"))


class RefundFilters(SiteFilterSet):
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[choice for choice in RefundState.choices if choice[0] != RefundState.MARKED],
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    settled_at = django_filters.DateFromToRangeFilter(label=_("Settled"), widget=DateRangePickerWidget)
    gateway = django_filters.ChoiceFilter(
        label=_("Gateway"),
        choices=lambda: [(name, gateway_name(name)) for name in gateways()],
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    site = SiteFilter(field_name="order__site")

    class Meta:
        model = Refund
        fields: list[str] = []


def describe_courses(order: Order) -> str:
    """The first title, and how many more there are."""
    titles = [line.title for line in sorted(order.lines.all(), key=lambda line: line.pk)]
    if len(titles) < 2:
        return "".join(titles)
    return gettext("%(title)s and %(count)d more") % {"title": titles[0], "count": len(titles) - 1}


def format_total(order: Order) -> str:
    """The order’s total, or that of the lines which the reader may see."""
    if not getattr(order, "is_limited", False):
        return order.money.formatted()
    return sum((line.money for line in order.lines.all()), start=order.money.zero).formatted()


class OrderIndex(StaffIndexView):
    model = Order
    page_title = _("Orders")
    header_icon = "clipboard-list"
    index_url_name = f"{ORDERS}:index"
    index_results_url_name = f"{ORDERS}:index_results"
    filterset_class = OrderFilters
    is_searchable = True
    default_ordering = "-placed_at"
    columns: ClassVar[list[Column]] = [
        TitleColumn(
            "number",
            label=_("Order"),
            get_url=lambda order: order_url(order.pk),
            sort_key="number",
            classname="desk-number",
        ),
        Column("buyer", label=_("Buyer"), accessor="purchaser.email", sort_key="purchaser__email"),
        StateColumn(
            "state",
            label=_("State"),
            tones=ORDER_TONES,
            accessor=lambda order: OrderState(order.state),
            sort_key="state",
        ),
        Column("courses", label=_("Courses"), accessor=lambda order: describe_courses(order)),
        SiteColumn(),
        Column("total", label=_("Total"), accessor=format_total, sort_key="total"),
        StateColumn(
            "attention",
            label=_("Needs attention"),
            tones=dict.fromkeys(Attention, "warn"),
            accessor=lambda order: Attention(order.attention) if order.attention else None,
        ),
        DateColumn("placed_at", label=_("Placed"), sort_key="placed_at"),
    ]
    export_filename = "orders"
    export_columns: ClassVar[list[Column]] = [
        Column("number", label=_("Number")),
        Column("state", label=_("State")),
        MomentColumn("placed_at", label=_("Placed")),
        MomentColumn("fulfilled_at", label=_("Fulfilled")),
        Column("buyer", label=_("Buyer")),
        Column("email", label=_("E-mail")),
        Column("course", label=_("Course")),
        Column("key", label=_("Course key")),
        Column("sku", label=_("SKU")),
        Column("mode", label=_("Mode")),
        Column("seats", label=_("Seats for a group")),
        Column("company", label=_("Company")),
        Column("po_number", label=_("Purchase order number")),
        Column("code", label=_("Code")),
        Column("discount_name", label=_("Discount’s name")),
        Column("list_price", label=_("List price")),
        Column("discount", label=_("Discount")),
        Column("price", label=_("Price")),
        Column("tax", label=_("Tax included")),
        Column("paid", label=_("Paid")),
        Column("refunded", label=_("Refunded")),
        Column("currency", label=_("Currency")),
        Column("gateway", label=_("Gateway")),
        Column("payment_id", label=_("Payment")),
        Column("paid_with", label=_("Paid with")),
        Column("reason", label=_("Reason")),
    ]

    def get_base_queryset(self) -> QuerySet[Order]:
        lines = OrderLine.objects.filter(of_scope(self.scope))
        orders = orders_in_scope(orders_at_desk(), self.scope).prefetch_related(Prefetch("lines", lines))
        return orders.annotate(is_limited=Value(not self.scope.is_whole))

    @cached_property
    def scope(self) -> ShopScope:
        return scope_of(self.request.user, Action.ORDER_VIEW)

    def search_queryset(self, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(matching_orders(self.search_query)) if self.is_searching else queryset

    def get_export_rows(self, queryset: QuerySet[Order]) -> Iterator[Sequence[Cell]]:
        for row in order_file_rows(queryset.prefetch_related(None), self.scope):
            yield [column.get_value(row) for column in self.export_columns]


class RefundIndex(StaffIndexView):
    model = Refund
    page_title = _("Refunds")
    header_icon = "undo"
    index_url_name = f"{REFUNDS}:index"
    index_results_url_name = f"{REFUNDS}:index_results"
    filterset_class = RefundFilters
    search_fields = ("order__number", "gateway_refund_id", "reason")
    default_ordering = "-recorded_at"
    columns: ClassVar[list[Column]] = [
        TitleColumn("number", label=_("Order"), get_url=lambda refund: order_url(refund.order_id), sort_key="number"),
        Column("amount", label=_("Amount"), accessor="money.formatted", sort_key="amount"),
        StateColumn(
            "state",
            label=_("State"),
            tones=REFUND_TONES,
            accessor=lambda refund: RefundState(refund.state),
            sort_key="state",
        ),
        Column("origin", label=_("Started"), accessor="get_origin_display"),
        Column("by", label=_("By"), accessor=lambda refund: refund.begun_by.display_name if refund.begun_by else "–"),
        Column("reason", label=_("Reason")),
        DateColumn("recorded_at", label=_("Recorded"), sort_key="recorded_at"),
        DateColumn("settled_at", label=_("Settled"), sort_key="settled_at"),
    ]
    export_filename = "refunds"
    export_columns: ClassVar[list[Column]] = [
        Column("number", label=_("Order")),
        Column("amount", label=_("Amount"), accessor="money.amount"),
        Column("currency", label=_("Currency")),
        Column("state", label=_("State"), accessor="get_state_display"),
        Column("origin", label=_("Started"), accessor="get_origin_display"),
        MomentColumn("recorded_at", label=_("Recorded")),
        MomentColumn("settled_at", label=_("Settled")),
        Column("gateway_name", label=_("Gateway")),
        Column("gateway_refund_id", label=_("Refund at the gateway")),
        Column("payment_id", label=_("Payment"), accessor="attempt.payment_id"),
        Column("reason", label=_("Reason")),
    ]

    def get_base_queryset(self) -> QuerySet[Refund]:
        refunds = refunds_at_desk().select_related("order", "begun_by", "attempt")
        return refunds_in_scope(refunds, scope_of(self.request.user, Action.ORDER_VIEW))
