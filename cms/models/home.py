"""The home page."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.search import index
from wagtail.url_routing import RouteResult

from cms.blocks.streams import HomeBlocks
from cms.models.base import PublicPageManager, SitePage
from cms.models.keyed import ID_MARK, route_by_id


class HomePage(SitePage):
    hero_title = models.CharField(_("headline"), max_length=80)
    hero_text = models.TextField(_("sentence"), max_length=300, blank=True)
    body = StreamField(HomeBlocks(), verbose_name=_("under the headline"), blank=True)

    objects = PublicPageManager()

    parent_page_types: ClassVar[list[str]] = ["wagtailcore.Page"]
    template = "cms/home_page.html"

    content_panels = [
        *SitePage.content_panels,
        MultiFieldPanel([FieldPanel("hero_title"), FieldPanel("hero_text")], heading=_("Hero")),
        FieldPanel("body"),
    ]
    search_fields = [*SitePage.search_fields, index.SearchField("hero_title"), index.SearchField("body")]

    class Meta:
        verbose_name = _("home page")
        verbose_name_plural = _("home pages")

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """Find course and program pages, whose addresses end in an id instead of a slug."""
        if len(path_components) == 2 and ID_MARK in path_components[1]:
            return route_by_id(self, folder=path_components[0], typed=path_components[1])
        return super().route(request, path_components)
