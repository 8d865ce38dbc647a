"""Addresses in the Wagtail admin that replace its own."""

from __future__ import annotations

from django.urls import URLPattern, path
from wagtail.admin.auth import require_admin_access

from b2b.wagtail_hooks.page_rights import PageTypesReport

REPORT = "reports/page-types-usage/"

urlpatterns: list[URLPattern] = [
    path(REPORT, require_admin_access(PageTypesReport.as_view()), name="page-types-report"),
    path(
        f"{REPORT}results/",
        require_admin_access(PageTypesReport.as_view(results_only=True)),
        name="page-types-report-results",
    ),
]
