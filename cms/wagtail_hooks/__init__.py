from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.snippets.models import register_snippet

from cms.wagtail_hooks import (  # noqa: F401 – importing them registers their hooks
    account,
    course_overview,
    needs,
    page_guards,
    privacy,
    redirects,
    schedule,
)
from cms.wagtail_hooks.catalog import CatalogGroup
from cms.wagtail_hooks.page_views import SitePageViewSet, site_page_viewsets
from cms.wagtail_hooks.pages import CoursePageList, ProgramPageList
from mitxonline.kernel.deletion import find_protectors

register_snippet(CatalogGroup)


@hooks.register("register_admin_viewset")
def register_course_pages() -> CoursePageList:
    return CoursePageList("course_pages")


@hooks.register("register_admin_viewset")
def register_program_pages() -> ProgramPageList:
    return ProgramPageList("program_pages")


@hooks.register("register_admin_viewset")
def register_page_views() -> list[SitePageViewSet]:
    return site_page_viewsets()


@hooks.register("before_delete_snippet")
def block_delete_of_snippets_in_use(request: HttpRequest, instances: list[Any]) -> HttpResponse | None:
    """Name the models whose rows protect a snippet, instead of failing with a server error."""
    for instance in instances:
        if protectors := find_protectors(instance):
            message = _("“%(title)s” can’t be deleted because %(users)s use it.")
            messages.error(request, message % {"title": instance, "users": ", ".join(protectors)})
            return redirect(instance.snippet_viewset.get_url_name("list"))
    return None
