"""Addresses."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, register_converter

from frontend.converters import Hexadecimal
from frontend.views import (
    basket,
    checkout,
    covers,
    dashboard,
    enroll,
    orders,
    organizations,
    payment,
    redeem,
    robots,
    style_guide,
)

register_converter(Hexadecimal, "hex32")

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "covers/<int:version>/<slug:shape>/<slug:palette>-<hex32:seed>.svg",
        covers.cover,
        name="cover",
    ),
    path("covers/<int:version>/social/<slug:palette>-<hex32:seed>.png", covers.card, name="social-card"),
    path("brand.css", covers.brand_stylesheet, name="brand-stylesheet"),
    path("brand-mark.svg", covers.brand_mark, name="brand-mark"),
    path("favicon.ico", covers.favicon, name="favicon"),
    path("apple-touch-icon.png", covers.phone_icon, name="phone-icon"),
    path("robots.txt", robots.robots, name="robots"),
    path("style-guide/", style_guide.style_guide, name="style-guide"),
    path("cart/", basket.cart, name="cart"),
    path("cart/add/", basket.add, name="cart-add"),
    path("basket/add/", basket.add, name="basket-add"),
    path("cart/remove/", basket.remove, name="cart-remove"),
    path("cart/code/", basket.apply, name="cart-code"),
    path("cart/code/remove/", basket.remove_applied_code, name="cart-code-remove"),
    path("cart/leave/", basket.leave, name="cart-leave"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("checkout/receipt/", orders.receipt, name="receipt"),
    path("payment/completed/<uuid:reference>/", payment.completed, name="payment-completed"),
    path("payment/canceled/<uuid:reference>/", payment.canceled, name="payment-canceled"),
    path("orders/history/", orders.history, name="orders"),
    path("redeem/", redeem.enter, name="redeem"),
    path("enrollmentcode/", redeem.enter, name="enrollment-code-entry"),
    path("enrollmentcode/<path:code>/", redeem.redeem, name="enrollment-code"),
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/start/", dashboard.start, name="dashboard-start"),
    path("enroll/", enroll.enroll, name="enroll"),
    path("organizations/<path:rest>/", organizations.organization, name="organization"),
]

if settings.SANDBOX_PAYMENTS:
    urlpatterns += [path("payment/sandbox/<uuid:reference>/", payment.sandbox, name="sandbox-payment")]
