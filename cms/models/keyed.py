"""Folder pages, and routing to a page by the id of its course or program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import apps
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from wagtail.models import Page, Site
from wagtail.url_routing import RouteResult

from cms.models.base import SitePage
from courses.models.keys import PROGRAM_PREFIX

ID_MARK = ":"


@dataclass(frozen=True, slots=True)
class Tab:
    """A link to a part of the page."""

    anchor: str
    label: str


def tabs_of(body: Any) -> list[Tab]:
    """Return a tab for each block with an anchor, in the editor's order."""
    return [
        Tab(anchor=block.block.meta.anchor, label=str(block.block.meta.tab))
        for block in body
        if hasattr(block.block.meta, "anchor")
    ]


def route_by_id(home: Page, *, folder: str, typed: str) -> RouteResult:
    """Find the page of the course or program with this id in a folder under the home page, in one query.

    It may be in the tree of another site, if this one has the course or program too. Raises Http404. An id whose plus a
    client decoded to a space is redirected to the right address.
    """
    key = typed.replace(" ", "+")
    model = apps.get_model("cms", "ProgramPage" if key.startswith(PROGRAM_PREFIX) else "CoursePage")
    is_in_folder = Q(url_path__startswith=f"{home.url_path}{folder}/", depth=home.depth + 2)
    for root in Site.get_site_root_paths():
        if root.root_path != home.url_path:
            is_in_folder |= Q(url_path__startswith=f"{root.root_path}{folder}/")
    page = model.objects.offered().filter(is_in_folder).with_key(key)
    if page is None:
        raise Http404
    return RouteResult(page, kwargs={"moved": True} if key != typed else {})


class FolderPage(SitePage):
    """A folder in the page tree. Its own address redirects to the catalog."""

    preview_modes: ClassVar[list[Any]] = []

    class Meta:
        abstract = True

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        catalog = apps.get_model("cms", "CatalogPage").objects.sibling_of(self).live().first()
        if catalog is None:
            raise Http404
        return HttpResponseRedirect(catalog.get_url(request))
