"""What search engines are asked to leave alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

HOUR: Final = 60 * 60

# First parts of addresses that robots may fetch. All others act on a visit or need an account.
# Pages with a code or a token in the address are listed here on purpose: a robot that may not fetch an address can
# still list it bare, so these are fetched and ask with a header or a meta tag not to be listed.
PUBLIC: Final = {
    "apple-touch-icon.png",
    "brand-mark.svg",
    "brand.css",
    "covers",
    "documents",
    "enrollmentcode",
    "favicon.ico",
    "instructors",
    "login",
    "password-reset",
    "redeem",
    "register",
    "robots.txt",
    "sitemap.xml",
    "verify-email",
}


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    lines = [
        "User-agent: *",
        *(f"Disallow: {prefix}" for prefix in private_prefixes()),
        "",
        f"Sitemap: {request.build_absolute_uri(reverse('sitemap'))}",
    ]
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    patch_cache_control(response, public=True, max_age=HOUR)
    return response


@cache
def private_prefixes() -> list[str]:
    """List the beginnings of the addresses that robots leave alone, so that a new address is private until listed."""
    private = set(_first_parts(get_resolver().url_patterns)) - PUBLIC
    sign_in = (f"{reverse(name)}?next=" for name in ("login", "register"))
    return sorted([*(f"/{part}/" for part in private), *sign_in])


def _first_parts(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    for each in patterns:
        if not isinstance(each.pattern, RoutePattern):
            continue  # Wagtail's pages and uploaded pictures, which are public
        if part := str(each.pattern).partition("/")[0]:
            yield part
        elif isinstance(each, URLResolver):
            yield from _first_parts(each.url_patterns)
