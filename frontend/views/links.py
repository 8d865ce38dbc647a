"""Addresses that are made of more than a name."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from ecommerce.models import Order


def receipt_url(order: Order) -> str:
    """The receipt of an order; also where its payment page sends people back to."""
    return f"{reverse('receipt')}?{urlencode({'order_number': order.number})}"


def login_url(then: str) -> str:
    """The sign-in page that leads on to an address of this site."""
    return f"{reverse('login')}?{urlencode({'next': then}, safe='/')}"


def register_url(then: str) -> str:
    """The page for a new account that leads on to an address of this site."""
    return f"{reverse('register')}?{urlencode({'next': then}, safe='/')}"
