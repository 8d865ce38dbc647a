"""Orders and refunds in the Shop's menu, and where their pages are."""

from __future__ import annotations

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse_lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet

from ecommerce.wagtail_hooks.menu import SHOP_MENU
from ecommerce.wagtail_hooks.order_lists import ORDERS, REFUNDS, SEE_ORDERS, SEE_REFUNDS, OrderIndex, RefundIndex
from ecommerce.wagtail_hooks.order_views import (
    BookToldView,
    CancelView,
    CheckView,
    DenyView,
    DismissMarkedView,
    FulfillView,
    OrderView,
    ReceiptView,
    RefundView,
    SendMarkedView,
    UndoView,
)


class OrderViewSet(ViewSet):
    """Every order, and what is done with one."""

    name = ORDERS
    url_prefix = "orders"

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", OrderIndex.as_view(), name="index"),
            path("results/", OrderIndex.as_view(results_only=True), name="index_results"),
            path("<int:pk>/", OrderView.as_view(), name="order"),
            path("<int:pk>/refund/", RefundView.as_view(), name="refund"),
            path("<int:pk>/undo/", UndoView.as_view(), name="undo"),
            path("<int:pk>/deny/", DenyView.as_view(), name="deny"),
            path("<int:pk>/fulfill/", FulfillView.as_view(), name="fulfill"),
            path("<int:pk>/cancel/", CancelView.as_view(), name="cancel"),
            path("<int:pk>/check/", CheckView.as_view(), name="check"),
            path("<int:pk>/receipt/", ReceiptView.as_view(), name="receipt"),
            path("<int:pk>/second/<int:refund_id>/send/", SendMarkedView.as_view(), name="send_marked"),
            path("<int:pk>/refunds/<int:refund_id>/accept/", BookToldView.as_view(), name="accept_refund"),
            path("<int:pk>/second/<int:refund_id>/keep/", DismissMarkedView.as_view(), name="dismiss_marked"),
        ]


class RefundViewSet(ViewSet):
    """Every refund."""

    name = REFUNDS
    url_prefix = "refunds"

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", RefundIndex.as_view(), name="index"),
            path("results/", RefundIndex.as_view(results_only=True), name="index_results"),
        ]


class DeskMenuItem(MenuItem):
    """Shown to those who may open it."""

    def __init__(self, label: object, url: object, *, needs: str, **options: object) -> None:
        self.needs = needs
        super().__init__(label, url, **options)

    def is_shown(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.needs)


@hooks.register("register_admin_viewset")
def register_desk() -> list[ViewSet]:
    """The pages."""
    return [OrderViewSet(), RefundViewSet()]


@hooks.register(SHOP_MENU)
def orders() -> MenuItem:
    """Orders in the menu."""
    return DeskMenuItem(
        _("Orders"),
        reverse_lazy(f"{ORDERS}:index"),
        needs=SEE_ORDERS,
        name="shop-orders",
        icon_name="clipboard-list",
        order=300,
    )


@hooks.register(SHOP_MENU)
def refunds() -> MenuItem:
    """Refunds in the menu."""
    return DeskMenuItem(
        _("Refunds"),
        reverse_lazy(f"{REFUNDS}:index"),
        needs=SEE_REFUNDS,
        name="shop-refunds",
        icon_name="undo",
        order=310,
    )


@hooks.register("insert_global_admin_css")
def look() -> SafeString:
    """How it looks."""
    return format_html('<link rel="stylesheet" href="{}">', static("ecommerce/desk.css"))
