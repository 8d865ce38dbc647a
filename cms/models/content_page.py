"""Content pages."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from cms.blocks.streams import ContentBlocks
from cms.models.base import PublicPageManager, SitePage


class ContentPage(SitePage):
    """A page of text, such as About, Help or Terms."""

    introduction = models.TextField(_("introduction"), max_length=400, blank=True)
    body = StreamField(ContentBlocks(), verbose_name=_("page"), blank=True)

    objects = PublicPageManager()

    parent_page_types: ClassVar[list[str]] = ["cms.HomePage", "cms.ContentPage"]
    subpage_types: ClassVar[list[str]] = ["cms.ContentPage"]
    template = "cms/content_page.html"

    content_panels = [*SitePage.content_panels, FieldPanel("introduction"), FieldPanel("body")]
    search_fields = [*SitePage.search_fields, index.SearchField("introduction"), index.SearchField("body")]

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")
