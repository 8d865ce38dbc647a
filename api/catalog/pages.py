"""Operations on pages: Wagtail's API for those that visitors can open, with the fields that front ends know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from wagtail.api.v2.utils import BadRequestError, parse_fields_parameter
from wagtail.api.v2.views import PagesAPIViewSet
from wagtail.models import Page, Site

from api.catalog import page_schemas as schemas
from api.catalog.page_drawing import draw_course_pages, draw_pages, draw_program_pages
from api.http.callers import CATALOG
from api.http.errors import WHOLE, refuse_fields
from api.http.shapes import Id
from cms.models import CoursePage, ProgramPage
from cms.selectors.pages import visible_pages
from mitxonline.kernel.errors import NotFound

router = Router(auth=CATALOG.anyone, tags=["pages"])

# What each page in a list has; the others are there if `fields` asks for them.
ALWAYS = frozenset({"id", "title", "meta"})
SUBJECTS: dict[type[Page], str] = {CoursePage: "course", ProgramPage: "program"}


class PageQueries(PagesAPIViewSet):  # type: ignore[misc]  # Wagtail has no types
    """Reads the parameters as Wagtail's API does; what it finds is drawn by us."""

    known_query_parameters = PagesAPIViewSet.known_query_parameters | {"readable_id", "revision_id"}

    def get_base_queryset(self) -> QuerySet[Page]:
        return visible_pages(Site.find_for_request(self.request))

    def filter_queryset(self, queryset: QuerySet[Page]) -> Any:
        key = self.request.GET.get("readable_id")
        if key is not None:
            subject = SUBJECTS.get(queryset.model)
            if subject is None:
                raise BadRequestError("readable_id needs type=cms.CoursePage or type=cms.ProgramPage")
            # Clients that don't escape a plus send a space.
            queryset = queryset.filter(**{f"{subject}__readable_id": key.replace(" ", "+")})
        return super().filter_queryset(queryset.order_by("pk"))

    def find_pages(self) -> tuple[type[Page], list[Page], int]:
        """Return the type that was asked for, the pages and how many there are in all."""
        queryset = self.get_queryset()
        self.check_query_parameters(queryset)
        rows = list(self.paginate_queryset(self.filter_queryset(queryset)))
        return queryset.model, rows, self.paginator.total_count


@router.get("/v2/pages/", operation_id="pages_list", response=schemas.PageList)
def list_pages(request: HttpRequest, asked: Query[schemas.PageFilters]) -> HttpResponse:
    """List the pages that visitors can open. The parameters are those of Wagtail's API, and `readable_id`."""
    queries = PageQueries(action="listing_view")
    queries.setup(request)
    try:
        model, rows, count = queries.find_pages()
        drawn, available = _draw(request, model, rows)
        wanted = _choose_fields(asked.fields or "", available)
    except (BadRequestError, ValueError) as wrong:
        raise refuse_fields(**{WHOLE: str(wrong)}) from None
    items = [each.model_dump(mode="json", include=wanted) for each in drawn]
    body = {"meta": {"total_count": count}, "items": items}
    return HttpResponse(json.dumps(body), content_type="application/json")


@router.get(
    "/v2/pages/?fields=*&type=cms.coursepage",
    operation_id="pages_?fields=*&type=cms.coursepage_retrieve",
    response=schemas.CoursePageList,
)
def list_course_pages(request: HttpRequest, asked: Query[schemas.SubjectPageFilters]) -> HttpResponse:
    """List the pages of courses. This says what `/api/v2/pages/` answers with these parameters."""
    raise NotFound  # no address has a question mark, so no request comes here


@router.get(
    "/v2/pages/?fields=*&type=cms.programpage",
    operation_id="pages_?fields=*&type=cms.programpage_retrieve",
    response=schemas.ProgramPageList,
)
def list_program_pages(request: HttpRequest, asked: Query[schemas.SubjectPageFilters]) -> HttpResponse:
    """List the pages of programs. This says what `/api/v2/pages/` answers with these parameters."""
    raise NotFound  # no address has a question mark, so no request comes here


@router.get(
    "/v2/pages/{id}/",
    operation_id="pages_retrieve",
    response=schemas.CoursePageItem | schemas.ProgramPageItem | schemas.CertificatePage | schemas.Page,
)
def get_page(request: HttpRequest, id: Id, asked: Query[schemas.PageOptions]) -> schemas.Page:
    """Return a page that visitors can open, with all its fields."""
    found = visible_pages(Site.find_for_request(request)).filter(pk=id).specific().first()
    if found is None or asked.revision_id not in (None, found.live_revision_id):
        raise NotFound
    (drawn,), _available = _draw(request, type(found), [found])
    return drawn


def _draw(
    request: HttpRequest, model: type[Page], rows: Sequence[Page]
) -> tuple[Sequence[schemas.Page], frozenset[str]]:
    """Return the pages, and the fields that their type has."""
    if model is CoursePage:
        return draw_course_pages(request, rows), frozenset(schemas.CoursePageItem.model_fields)
    if model is ProgramPage:
        return draw_program_pages(request, rows), frozenset(schemas.ProgramPageItem.model_fields)
    if model is Page:
        # Addresses of courses and programs aren't in the tree.
        by_id = {each.pk: each for each in Page.objects.filter(pk__in=[each.pk for each in rows]).specific()}
        rows = [by_id[each.pk] for each in rows]
    return draw_pages(request, rows), ALWAYS


def _choose_fields(text: str, available: frozenset[str]) -> set[str]:
    """Return the names of the fields that `fields` asks for. Raises BadRequestError, ValueError."""
    wanted = set(ALWAYS)
    for name, is_negated, _nested in parse_fields_parameter(text) if text else ():
        if name == "*":
            wanted |= available
        elif name != "_" and name not in available:
            raise BadRequestError(f"unknown fields: {name}")
        elif is_negated:
            wanted -= {name}
        elif name != "_":
            wanted.add(name)
    return wanted | ALWAYS
