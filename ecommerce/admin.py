"""The shop in the Django admin, read-only. Changes of money, seats and codes go through the services."""

from __future__ import annotations

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ecommerce.gateways.base import PaymentFailed
from ecommerce.models import (
    CodeUse,
    Discount,
    DiscountCode,
    Dispute,
    GatewayNotice,
    Order,
    OrderLine,
    PaymentAttempt,
    PriceChange,
    Product,
    Refund,
    RefundLine,
    RefundRequest,
)
from ecommerce.services.checkout import review
from ecommerce.services.payment.notices import replay_notices
from mitxonline.kernel import clock
from mitxonline.kernel.admin import ReadOnlyAdminMixin
from mitxonline.kernel.errors import DomainError


class OrderLineInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ["title", "item_id", "list_price", "discount_amount", "due", "refunded", "currency", "discount_label"]
    readonly_fields = ["refunded"]
    extra = 0


class PaymentAttemptInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = PaymentAttempt
    fields = ["gateway", "reference", "amount", "refunded", "currency", "state", "started_at", "settled_at", "note"]
    readonly_fields = ["reference", "refunded"]
    extra = 0


class CodeUseInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = CodeUse
    fields = ["code", "state", "held_until", "changed_at"]
    extra = 0


class RefundInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = Refund
    fields = ["amount", "currency", "state", "origin", "reason", "failure", "begun_by", "recorded_at", "settled_at"]
    extra = 0


class DisputeInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = Dispute
    fields = ["dispute_id", "amount", "currency", "state", "reason", "opened_at", "closed_at"]
    extra = 0


@admin.register(Order)
class OrderAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Orders with everything about them. Refunds and reviews are decided at the desk."""

    list_display = ["number", "purchaser", "state", "total", "currency", "placed_at", "explanation", "desk"]
    list_filter = ["state", "currency", "placed_at"]
    list_select_related = ["purchaser"]
    search_fields = ["number", "purchaser__email", "lines__title", "lines__item_id"]
    date_hierarchy = "placed_at"
    inlines = [OrderLineInline, PaymentAttemptInline, CodeUseInline, RefundInline, DisputeInline]
    actions = ["check_with_gateway", "send_receipt_again"]

    @admin.display(description=_("Decide"))
    def desk(self, order: Order) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("shop_orders:order", args=[order.pk]), _("Open at the desk"))

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ecommerce.refund_order")

    @admin.action(permissions=["refund"], description=_("Check with the gateway"))
    def check_with_gateway(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        for order in orders:
            try:
                order = review.check_with_gateway(order_id=order.pk, by_id=request.user.pk, now=clock.now())
            except (DomainError, PaymentFailed) as failure:
                self.message_user(request, f"{order.number}: {failure}", messages.ERROR)
            else:
                self.message_user(request, f"{order.number}: {order.get_state_display()}")

    @admin.action(permissions=["refund"], description=_("Send the receipt again"))
    def send_receipt_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        for order in orders:
            try:
                review.send_receipt_again(order_id=order.pk, by_id=request.user.pk)
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, _("%(number)s: on its way to the buyer") % {"number": order.number})


class RefundLineInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = RefundLine
    fields = ["line", "amount"]
    extra = 0


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["order", "amount", "currency", "state", "origin", "begun_by", "recorded_at", "settled_at"]
    list_filter = ["state", "origin", "gateway", "is_counted", "recorded_at"]
    list_select_related = ["order", "begun_by"]
    search_fields = ["order__number", "=gateway_refund_id", "reason"]
    inlines = [RefundLineInline]


@admin.register(RefundRequest)
class RefundRequestAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["order", "why", "state", "asked_at", "decided_at", "decided_by"]
    list_filter = ["state", "why", "asked_at"]
    list_select_related = ["order", "decided_by"]
    search_fields = ["order__number"]


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Disputes. Staff answer them at the gateway."""

    list_display = ["order", "amount", "currency", "state", "reason", "opened_at", "closed_at"]
    list_filter = ["state", "gateway", "opened_at"]
    list_select_related = ["order"]
    search_fields = ["order__number", "=dispute_id"]


class PriceChangeInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = PriceChange
    fields = ["changed_at", "old_price", "new_price", "currency", "changed_by", "reason"]
    extra = 0


@admin.register(Product)
class ProductAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["sku", "title", "price", "currency", "is_active", "requires_code"]
    list_filter = ["is_active", "requires_code", "currency"]
    list_select_related = ["course_run", "program"]
    search_fields = ["sku", "course_run__title", "program__title"]
    inlines = [PriceChangeInline]


@admin.register(Discount)
class DiscountAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["__str__", "discount_type", "amount", "currency", "redemption_type", "payment_type", "is_active"]
    list_filter = ["discount_type", "payment_type", "is_active", "automatic", "for_groups"]
    search_fields = ["name"]


@admin.register(DiscountCode)
class DiscountCodeAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Codes, of which the list shows only the first letters. Search for a code by its whole text."""

    list_display = ["__str__", "discount", "uses", "max_uses", "active", "assigned_email"]
    list_filter = ["active"]
    list_select_related = ["discount"]
    search_fields = ["=text", "=assigned_email"]
    show_full_result_count = False


@admin.register(CodeUse)
class CodeUseAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["code", "user", "order", "state", "changed_at"]
    list_filter = ["state"]
    list_select_related = ["code", "user", "order"]
    search_fields = ["=user__email", "=code__text", "=order__number"]
    show_full_result_count = False


@admin.register(GatewayNotice)
class GatewayNoticeAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["received_at", "gateway", "kind", "state", "order", "event_id", "error"]
    list_filter = ["state", "gateway", "kind", "received_at"]
    list_select_related = ["order"]
    search_fields = ["=event_id", "=order__number", "kind"]
    search_help_text = _("Event, order number or kind")
    date_hierarchy = "received_at"
    show_full_result_count = False
    actions = ["process_again"]
    fields = readonly_fields = (
        "gateway",
        "account",
        "event_id",
        "kind",
        "state",
        "order",
        "received_at",
        "processed_at",
        "error",
        "body_text",
    )

    @admin.display(description=_("body"))
    def body_text(self, notice: GatewayNotice) -> SafeString:
        try:
            text = json.dumps(json.loads(notice.body), indent=2, ensure_ascii=False)
        except (RecursionError, ValueError):
            text = notice.body
        return format_html("<pre>{}</pre>", text)

    @admin.action(description=_("Process again"), permissions=["process_again"])
    def process_again(self, request: HttpRequest, notices: QuerySet[GatewayNotice]) -> None:
        ids = list(notices.values_list("pk", flat=True))
        count = replay_notices(ids=ids, by_id=request.user.pk)
        sentence = ngettext("%(count)d notice is processed again.", "%(count)d notices are processed again.", count)
        self.message_user(request, sentence % {"count": count}, messages.SUCCESS if count else messages.WARNING)

    def has_process_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ecommerce.change_gatewaynotice")
