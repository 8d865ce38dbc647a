"""The shop in the Django admin: for looking. What changes money, seats or codes goes through the services."""

from __future__ import annotations

from django.contrib import admin

from ecommerce.models import CodeUse, Discount, DiscountCode, Order, OrderLine, PaymentAttempt, PriceChange, Product
from mitxonline.kernel.looking import LookOnly


class OrderLineInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ["title", "item_id", "list_price", "discount_amount", "due", "currency", "discount_label"]
    extra = 0


class PaymentAttemptInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = PaymentAttempt
    fields = ["gateway", "reference", "amount", "currency", "state", "started_at", "settled_at", "note"]
    extra = 0


@admin.register(Order)
class OrderAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Orders with their lines and tries at paying."""

    list_display = ["number", "purchaser", "state", "total", "currency", "placed_at", "state_reason"]
    list_filter = ["state", "currency", "placed_at"]
    list_select_related = ["purchaser"]
    search_fields = ["number", "purchaser__email", "lines__title", "lines__item_id"]
    date_hierarchy = "placed_at"
    inlines = [OrderLineInline, PaymentAttemptInline]


class PriceChangeInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = PriceChange
    fields = ["changed_at", "old_price", "new_price", "currency", "changed_by", "reason"]
    extra = 0


@admin.register(Product)
class ProductAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Products with the history of their prices."""

    list_display = ["sku", "title", "price", "currency", "is_active", "requires_code"]
    list_filter = ["is_active", "requires_code", "currency"]
    list_select_related = ["course_run", "program"]
    search_fields = ["sku", "course_run__title", "program__title"]
    inlines = [PriceChangeInline]


@admin.register(Discount)
class DiscountAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Discounts; their codes are a list of their own."""

    list_display = ["__str__", "discount_type", "amount", "currency", "redemption_type", "payment_type", "is_active"]
    list_filter = ["discount_type", "payment_type", "is_active", "automatic"]
    search_fields = ["name"]


@admin.register(DiscountCode)
class DiscountCodeAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Codes by their first letters; the whole text is found by searching for it."""

    list_display = ["__str__", "discount", "uses", "max_uses", "active", "assigned_email"]
    list_filter = ["active"]
    list_select_related = ["discount"]
    search_fields = ["=text", "=assigned_email"]
    show_full_result_count = False


@admin.register(CodeUse)
class CodeUseAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Who used which code, and for which order."""

    list_display = ["code", "user", "order", "state", "changed_at"]
    list_filter = ["state"]
    list_select_related = ["code", "user", "order"]
    search_fields = ["=user__email", "=code__text", "=order__number"]
    show_full_result_count = False
