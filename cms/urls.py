"""Addresses of pages that Wagtail's own pattern doesn't know, and the list of all pages for search engines."""

from __future__ import annotations

from django.contrib.sitemaps.views import sitemap
from django.urls import path, re_path
from wagtail.views import serve

from cms.views.sitemaps import PageSitemap

urlpatterns = [
    path("sitemap.xml", sitemap, {"sitemaps": {"pages": PageSitemap}}, name="sitemap"),
    # Ends in the id of a course or program, whose colon and plus are no part of a slug.
    re_path(r"^((?:[\w\-]+/)+[\w.\-]+:[^/]+/)$", serve, name="page-with-id"),
]
