"""Addresses that gateways call. Pages for people have theirs in the storefront."""

from django.urls import URLPattern, path

from ecommerce.webhooks import webhook

urlpatterns: list[URLPattern] = [
    path("payment/webhook/", webhook, name="webhook"),
    path("payment/<slug:gateway>/webhook/", webhook, name="gateway-webhook"),
]
