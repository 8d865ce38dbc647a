"""Addresses that gateways call. Pages for people have theirs in the storefront."""

from django.urls import URLPattern, path

from ecommerce.webhooks import webhook

urlpatterns: list[URLPattern] = [
    path("payment/webhook/", webhook, name="webhook"),
    path("payment/<slug:gateway>/webhook/", webhook, name="gateway-webhook"),
    # As some type it at the gateway. A redirect would lose the body.
    path("payment/webhook", webhook),
    path("payment/<slug:gateway>/webhook", webhook),
]
