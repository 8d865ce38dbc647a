"""URLs that lead on to another page."""

from __future__ import annotations

from django.urls import reverse

from ecommerce.models import Order
from frontend.pages.links import order_url
from mitxonline.users.next_page import with_next


def receipt_url(order: Order) -> str:
    return order_url(order.number)


def login_url(then: str) -> str:
    return with_next(reverse("login"), then)


def register_url(then: str) -> str:
    return with_next(reverse("register"), then)


def other_account_url(then: str) -> str:
    """The page to sign out on, and then to sign in as someone else."""
    return with_next(reverse("logout"), then)
