"""The list of pages for search engines: public ones only, and nothing of organizations and contracts (W9)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sitemaps import Sitemap

from cms.models import CatalogPage, ContentPage, CoursePage, HomePage, ProductPage, ProgramIndexPage, ProgramPage


class PageSitemap(Sitemap[Any]):
    """Every page a visitor can open, in a query for each kind."""

    def items(self) -> list[Any]:
        plain = (HomePage, CatalogPage, ProgramIndexPage, ContentPage, ProductPage)
        pages = [page for model in plain for page in model.objects.visible().order_by("path")]
        for model in (CoursePage, ProgramPage):
            pages += model.objects.visible().order_by("path")
        return pages

    def location(self, item: Any) -> str:
        """The path; the view puts the site before it."""
        return item.get_url() or "/"

    def lastmod(self, item: Any) -> datetime | None:
        """When the page was last published."""
        published: datetime | None = item.last_published_at
        return published
