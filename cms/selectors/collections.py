"""What is in collections of programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cms.models import ProgramCollectionItem
from cms.selectors.pages import visible_program_pages
from courses.models import Program


def programs_of_collections(collection_ids: Iterable[int]) -> dict[int, list[Program]]:
    """Return the programs of each collection that visitors find, in the editors' order; one query."""
    found: dict[int, list[Program]] = defaultdict(list)
    items = ProgramCollectionItem.objects.filter(
        collection_id__in=list(collection_ids), program__in=visible_program_pages().order_by().values("program_id")
    )
    for item in items.select_related("program").order_by("sort_order", "pk"):
        found[item.collection_id].append(item.program)
    return found


def collections_of_programs(program_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return the ids of the collections that each program is in, by title; one query."""
    found: dict[int, list[int]] = defaultdict(list)
    items = ProgramCollectionItem.objects.filter(program_id__in=list(program_ids))
    for program_id, collection_id in items.order_by("collection__title", "collection_id").values_list(
        "program_id", "collection_id"
    ):
        found[program_id].append(collection_id)
    return found
