"""The page at the root of the site."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from cms.blocks import HomeBlocks
from cms.models.base import PublicPageManager, SitePage


class HomePage(SitePage):
    """The home page: a headline, a search, and parts that fill themselves from the catalog."""

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
