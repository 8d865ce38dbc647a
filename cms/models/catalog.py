"""The course catalog."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel

from cms.models.base import PublicPageManager, SitePage
from mitxonline.kernel.http import wants_fragment


class CatalogPage(SitePage):
    """Search, filters and course cards. Editors write only the introduction."""

    introduction = models.CharField(_("introduction"), max_length=255, blank=True)

    objects = PublicPageManager()

    parent_page_types: ClassVar[list[str]] = ["cms.HomePage"]
    subpage_types: ClassVar[list[str]] = []
    max_count_per_parent = 1
    template = "cms/catalog_page.html"
    results_template = "cms/partials/catalog_results.html"

    content_panels = [*SitePage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("catalog")
        verbose_name_plural = _("catalogs")

    def get_template(self, request: HttpRequest, *args: Any, **kwargs: Any) -> str:
        """Render only the results where htmx swaps them in."""
        return self.results_template if wants_fragment(request) else self.template

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # The page and its fragment have the same address; caches must keep them apart.
        response: HttpResponse = super().serve(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        return response
