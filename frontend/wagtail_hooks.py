"""The staff page of what `check_site` finds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from ecommerce.models import ShopSettings
from ecommerce.models.shop_settings import CONNECT
from frontend.site.last_check import ask_for_check, find_last_check
from frontend.site.site_check import SiteFinding
from mitxonline.kernel import clock
from mitxonline.staff.pages import StaffPage, menu_item_for


class SiteCheckPage(StaffPage):
    """What a worker found last: what needs fixing first, then what is fine, by site and system."""

    permission_policy = ModelPermissionPolicy(ShopSettings)
    permission_required = "connect"
    page_title = _("Site check")
    header_icon = "check"
    template_name = "frontend/admin/site_check.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        ask_for_check(now=clock.now())
        return redirect("site_check:index")

    def get_template_names(self) -> list[str]:
        return ["frontend/admin/site_check_result.html"] if "result" in self.request.GET else [self.template_name]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        last = find_last_check(now=clock.now())
        return context | {
            "last": last,
            "bad": [each for each in last.findings if each.needs_fixing],
            "systems": _group(each for each in last.findings if not each.needs_fixing),
            "queue": settings.REMOTE_QUEUE,
            "url": reverse("site_check:index"),
        }


def _group(findings: Iterable[SiteFinding]) -> list[tuple[str, str, list[SiteFinding]]]:
    groups = groupby(findings, key=lambda each: (each.site, each.finding.provider))
    return [(site, provider, list(each)) for (site, provider), each in groups]


class SiteCheckViewSet(ViewSet):
    name = "site_check"
    url_prefix = "site-check"
    icon = "check"
    menu_hook = "register_settings_menu_item"
    menu_label = _("Site check")
    menu_name = "site-check"
    menu_order = 120

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(CONNECT)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [path("", SiteCheckPage.as_view(), name="index")]


@hooks.register("register_admin_viewset")
def register_site_check() -> SiteCheckViewSet:
    return SiteCheckViewSet()
