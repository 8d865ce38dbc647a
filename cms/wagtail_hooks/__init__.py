"""The Wagtail admin: catalog, lists, brand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import ProtectedError
from django.db.models.deletion import Collector
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.snippets.models import register_snippet

from cms.wagtail_hooks.catalog import CatalogGroup
from cms.wagtail_hooks.pages import CoursePageList, ProgramPageList

register_snippet(CatalogGroup)


@hooks.register("register_admin_viewset")
def register_course_pages() -> CoursePageList:
    """A list of the course pages beside the tree."""
    return CoursePageList("course_pages")


@hooks.register("register_admin_viewset")
def register_program_pages() -> ProgramPageList:
    """A list of the program pages beside the tree."""
    return ProgramPageList("program_pages")


@hooks.register("before_delete_snippet")
def refuse_what_is_needed(request: HttpRequest, instances: list[Any]) -> HttpResponse | None:
    """Say what keeps something from being deleted, however the request came about."""
    for instance in instances:
        try:
            Collector(using="default").collect([instance])
        except ProtectedError as refused:
            needed_by = ", ".join(sorted({str(each._meta.verbose_name_plural) for each in refused.protected_objects}))
            sentence = _("“%(title)s” can’t be deleted: %(needed_by)s need it.")
            messages.error(request, sentence % {"title": instance, "needed_by": needed_by})
            return redirect(instance.snippet_viewset.get_url_name("list"))
    return None
