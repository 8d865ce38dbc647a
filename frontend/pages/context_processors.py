"""Context of every page. All of it is lazy, so a page that doesn’t show it makes no query."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from frontend.pages.cart import cart_summary
from frontend.site.brands import brand_of
from frontend.site.menus import Announcement
from mitxonline.kernel import clock

# Written by js/announcement.js.
ANNOUNCEMENT_COOKIE = "announcement"


def brand(request: HttpRequest) -> dict[str, Any]:
    """`brand`: name, tagline, mark and colors of this site."""
    return {"brand": SimpleLazyObject(lambda: brand_of(request))}


def cart(request: HttpRequest) -> dict[str, Any]:
    """`cart_summary`: the number of products in the visitor’s cart."""
    return {"cart_summary": SimpleLazyObject(lambda: cart_summary(request))}


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`navigation`: links of header and footers; `local_accounts`: whether people can register here."""
    return {
        "navigation": SimpleLazyObject(lambda: brand_of(request).navigation),
        "local_accounts": settings.LOCAL_ACCOUNTS,
    }


def announcement(request: HttpRequest) -> dict[str, Any]:
    """`announcement`: what editors announce today, unless this visitor has dismissed it."""
    return {"announcement": SimpleLazyObject(lambda: _announcement_for(request))}


def _announcement_for(request: HttpRequest) -> Announcement | None:
    found = brand_of(request).announcement
    if found is None or not found.is_shown_on(clock.today()):
        return None
    is_dismissed = found.can_be_dismissed and request.COOKIES.get(ANNOUNCEMENT_COOKIE) == found.key
    return None if is_dismissed else found
