"""Pages reached by the id of what they are about, and their tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import apps
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from wagtail.url_routing import RouteResult

from cms.models.base import SitePage


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of a page one can jump to."""

    anchor: str
    label: str


def tabs_of(body: Any) -> list[Tab]:
    """One tab for each block that has an anchor, in the order an editor put them."""
    return [
        Tab(anchor=block.block.meta.anchor, label=str(block.block.meta.tab))
        for block in body
        if hasattr(block.block.meta, "anchor")
    ]


class KeyedIndex(SitePage):
    """An index whose children are reached by an id such as course-v1:ORG+NUMBER instead of their slug."""

    keyed_model: ClassVar[str]
    key_mark: ClassVar[str] = ":"

    class Meta:
        abstract = True

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """Find a child by id. An id whose plus some client took for a blank is led to the right address."""
        if len(path_components) != 1 or self.key_mark not in path_components[0]:
            return super().route(request, path_components)
        typed = path_components[0]
        key = typed.replace(" ", "+")
        page = apps.get_model(self.keyed_model).objects.child_of(self).offered().with_key(key)
        if page is None:
            raise Http404
        return RouteResult(page, kwargs={"moved": True} if key != typed else {})

    def redirect_to_sibling(self, request: HttpRequest, model: str) -> HttpResponse:
        """Lead to the live sibling of that type; Http404 if there is none."""
        sibling = apps.get_model(model).objects.sibling_of(self).live().first()
        if sibling is None:
            raise Http404
        return HttpResponseRedirect(sibling.get_url(request))
