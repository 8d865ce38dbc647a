"""Addresses that are made of more than a name."""

from __future__ import annotations

from django.urls import reverse

from ecommerce.models import Order
from frontend.pages.places import order_url
from mitxonline.users.next_page import with_next


def receipt_url(order: Order) -> str:
    """The receipt of an order; also where its payment page sends people back to."""
    return order_url(order.number)


def login_url(then: str) -> str:
    """The sign-in page, which leads on to an address of this site."""
    return with_next(reverse("login"), then)


def register_url(then: str) -> str:
    """The page for a new account, which leads on to an address of this site."""
    return with_next(reverse("register"), then)


def other_account_url(then: str) -> str:
    """The page to sign out on, which leads on to an address of this site."""
    return with_next(reverse("logout"), then)
