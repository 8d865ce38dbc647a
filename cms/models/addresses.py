"""Which first parts of addresses belong to the application, so that no page can be reached under them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from wagtail.models import Page, Site

# Addresses that a proxy answers or that are promised to programs, without a route of ours.
KEPT_FREE = frozenset({"api", "static", "media"})
_FIRST_PART = re.compile(r"\^?([\w-]+)(?=/|\\?\.|$)")


@cache
def application_slugs() -> frozenset[str]:
    """Return the first parts of all addresses that aren't pages, read from the URL configuration."""
    folders = {str(url).strip("/").partition("/")[0] for url in (settings.STATIC_URL, settings.MEDIA_URL)}
    return frozenset(_first_parts(get_resolver().url_patterns)) | KEPT_FREE | frozenset(filter(None, folders))


def is_taken_by_application(slug: str, parent: Page | None) -> bool:
    """Whether a page with this slug would be hidden by an address of the application."""
    return slug in application_slugs() and parent is not None and Site.objects.filter(root_page=parent.pk).exists()


def _first_parts(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for each in patterns:
        route = str(each.pattern)
        if not route.strip("^"):
            if isinstance(each, URLResolver):
                yield from _first_parts(each.url_patterns)
        elif found := _FIRST_PART.match(route):
            yield found[1]
