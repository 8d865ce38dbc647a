"""What the head of the catalog says: its title, its description and its canonical address."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.pages.catalog import Catalog
from mitxonline.kernel.paging import PAGE


@dataclass(frozen=True, slots=True)
class CatalogHead:
    """`is_listed` is False for searches and several filters at once: countless addresses of the same courses."""

    title: str
    description: str
    canonical: str
    is_listed: bool


def catalog_head(catalog: Catalog, *, title: str, description: str, brand_name: str) -> CatalogHead:
    query, number = catalog.query, catalog.page.number
    parts = [_("“%(text)s”") % {"text": query.text}] if query.text else []
    parts += [chip.label for chip in catalog.chips]
    named = f"{', '.join(parts)} · {title}" if parts else title
    if number > 1:
        named = _("%(title)s, page %(number)d") % {"title": named, "number": number}
    return CatalogHead(
        title=named,
        description=_describe(catalog, description, brand_name),
        canonical=_canonical(catalog),
        is_listed=not query.text and query.filter_count <= 1,
    )


def _describe(catalog: Catalog, description: str, brand_name: str) -> str:
    """The editors’ description, or the number of courses; a filtered list has its own, so that no two are alike."""
    filters = [chip.label for chip in catalog.chips]
    if filters:
        return f"{', '.join(filters)}: {_count_courses(catalog.found_count, brand_name)}"
    return description or _count_courses(catalog.course_count, brand_name)


def _count_courses(count: int, brand_name: str) -> str:
    sentence = ngettext(
        "%(count)d online course at %(brand)s, with its dates and price. Filter by department, start, level and price.",
        "%(count)d online courses at %(brand)s, with dates and prices. Filter by department, start, level and price.",
        count,
    )
    return sentence % {"count": count, "brand": brand_name}


def _canonical(catalog: Catalog) -> str:
    """The address of this list in any order of courses and parameters."""
    params = QueryDict(replace(catalog.query, sort=None).to_query_string().removeprefix("?"), mutable=True)
    if catalog.page.number > 1:
        params[PAGE] = str(catalog.page.number)
    return f"{catalog.path}?{params.urlencode()}" if params else catalog.path
