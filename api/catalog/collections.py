"""Operations on collections of programs, which editors make."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from ninja import Query, Router

from api.catalog import schemas
from api.http.callers import CATALOG
from api.http.paging import PageNumbers, PageOfList, paginate
from api.http.shapes import Id
from cms.models import ProgramCollection
from cms.selectors.collections import programs_of_collections
from mitxonline.kernel.errors import NotFound

router = Router(auth=CATALOG.anyone, tags=["program-collections"])


@router.get(
    "/v2/program-collections/",
    operation_id="program_collections_list",
    response=schemas.PaginatedV2ProgramCollectionList,
)
def list_collections(request: HttpRequest, paging: Query[PageNumbers]) -> PageOfList[schemas.V2ProgramCollection]:
    """List the collections by title, with those of their programs that visitors find."""
    return paginate(request, ProgramCollection.objects.order_by("title", "pk"), paging, _draw)


@router.get(
    "/v2/program-collections/{id}/",
    operation_id="program_collections_retrieve",
    response=schemas.V2ProgramCollection,
)
def get_collection(request: HttpRequest, id: Id) -> schemas.V2ProgramCollection:
    for drawn in _draw(list(ProgramCollection.objects.filter(pk=id))):
        return drawn
    raise NotFound


def _draw(collections: Sequence[ProgramCollection]) -> list[schemas.V2ProgramCollection]:
    programs = programs_of_collections(each.pk for each in collections)
    return [
        schemas.V2ProgramCollection(
            id=each.pk,
            title=each.title,
            description=each.description,
            programs=[
                schemas.ProgramOfCollection(id=program.pk, title=program.title, order=order)
                for order, program in enumerate(programs.get(each.pk, []))
            ],
            created_on=each.created_at,
            updated_on=each.updated_at,
        )
        for each in collections
    ]
