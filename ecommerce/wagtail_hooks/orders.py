"""The addresses of orders and refunds, and their places in the Shop menu."""

from __future__ import annotations

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet

from ecommerce.roles import Action, may_somewhere
from ecommerce.wagtail_hooks import order_views as views
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from ecommerce.wagtail_hooks.order_lists import ORDERS, REFUNDS, OrderIndex, RefundIndex


class OrdersMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user, Action.ORDER_VIEW)


class OrderViewSet(ViewSet):
    name = ORDERS
    url_prefix = "orders"
    icon = "clipboard-list"
    menu_hook = SHOP_MENU
    menu_label = _("Orders")
    menu_name = "shop-orders"
    menu_order = 100

    menu_item_class = OrdersMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", OrderIndex.as_view(), name="index"),
            path("results/", OrderIndex.as_view(results_only=True), name="index_results"),
            path("<int:pk>/", views.OrderView.as_view(), name="order"),
            path("<int:pk>/refund/", views.RefundView.as_view(), name="refund"),
            path("<int:pk>/undo/", views.UndoView.as_view(), name="undo"),
            path("<int:pk>/deny/", views.DenyView.as_view(), name="deny"),
            path("<int:pk>/fulfill/", views.FulfillView.as_view(), name="fulfill"),
            path("<int:pk>/cancel/", views.CancelView.as_view(), name="cancel"),
            path("<int:pk>/check/", views.CheckView.as_view(), name="check"),
            path("<int:pk>/receipt/", views.ReceiptView.as_view(), name="receipt"),
            path("<int:pk>/second/<int:refund_id>/send/", views.RefundSecondPaymentView.as_view(), name="send_marked"),
            path("<int:pk>/second/<int:refund_id>/keep/", views.KeepSecondPaymentView.as_view(), name="dismiss_marked"),
            path("<int:pk>/refunds/<int:refund_id>/accept/", views.AcceptRefundView.as_view(), name="accept_refund"),
            path("<int:pk>/refunds/<int:refund_id>/seats/", views.RefundSeatsView.as_view(), name="refund_seats"),
        ]


class RefundViewSet(ViewSet):
    name = REFUNDS
    url_prefix = "refunds"
    icon = "undo"
    menu_hook = SHOP_MENU
    menu_label = _("Refunds")
    menu_name = "shop-refunds"
    menu_order = 110

    menu_item_class = OrdersMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", RefundIndex.as_view(), name="index"),
            path("results/", RefundIndex.as_view(results_only=True), name="index_results"),
        ]


@hooks.register("register_admin_viewset")
def register_desk() -> list[ViewSet]:
    return [OrderViewSet(), RefundViewSet()]


@hooks.register("insert_global_admin_css")
def add_desk_css() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("ecommerce/desk.css"))
