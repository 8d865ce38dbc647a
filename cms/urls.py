from __future__ import annotations

from django.contrib.sitemaps.views import sitemap
from django.urls import path, re_path
from wagtail.views import serve

from cms.views.sitemaps import InstructorSitemap, PageSitemap

urlpatterns = [
    path(
        "sitemap.xml", sitemap, {"sitemaps": {"pages": PageSitemap, "instructors": InstructorSitemap}}, name="sitemap"
    ),
    # Ends in the id of a course or program. Wagtail's own pattern allows only slugs, which have no colon or plus.
    re_path(r"^((?:[\w\-]+/)+[\w.\-]+:[^/]+/)$", serve, name="page-with-id"),
]
