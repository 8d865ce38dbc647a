"""The sitemap for search engines: public pages only, and none of organizations or contracts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sitemaps import Sitemap

from cms.models import (
    CatalogPage,
    ContentPage,
    CoursePage,
    HomePage,
    Instructor,
    ProductPage,
    ProgramIndexPage,
    ProgramPage,
)
from cms.selectors.search import visible_instructors


class PageSitemap(Sitemap[Any]):
    """Makes one query for each page type."""

    def items(self) -> list[Any]:
        models = (HomePage, CatalogPage, ProgramIndexPage, ContentPage, ProductPage, CoursePage, ProgramPage)
        return [page for model in models for page in model.objects.visible().order_by("path")]

    def location(self, item: Any) -> str:
        return item.get_url() or "/"

    def lastmod(self, item: Any) -> datetime | None:
        published: datetime | None = item.last_published_at
        return published


class InstructorSitemap(Sitemap[Instructor]):
    def items(self) -> list[Instructor]:
        return list(visible_instructors())
