"""What every page of the storefront may show. Everything is lazy: a page that doesn't show it asks nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from frontend.pages.cart import cart_summary
from frontend.site.brands import brand_of


def brand(request: HttpRequest) -> dict[str, Any]:
    """`brand`: name, tagline, mark and colors of this site."""
    return {"brand": SimpleLazyObject(lambda: brand_of(request))}


def cart(request: HttpRequest) -> dict[str, Any]:
    """`cart_summary`: how many things are in the visitor's cart."""
    return {"cart_summary": SimpleLazyObject(lambda: cart_summary(request))}


def places(request: HttpRequest) -> dict[str, Any]:
    """`places`: where header and footers lead; `local_accounts`: whether accounts are made here."""
    return {
        "places": SimpleLazyObject(lambda: brand_of(request).places),
        "local_accounts": settings.LOCAL_ACCOUNTS,
    }
