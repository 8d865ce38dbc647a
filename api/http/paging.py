"""Pages of lists: `{"count", "next", "previous", "results"}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from pydantic import Field

from api.http.errors import refuse_fields
from api.http.shapes import MAX_ID, Input, Omittable, Reply, Uri
from mitxonline.kernel.errors import NotFound

T = TypeVar("T")
M = TypeVar("M", bound=Model)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

PAGE_SIZE = 10
MAX_PAGE_SIZE = 100


class PageNumbers(Input):
    """The page number and size. A size above the maximum counts as the maximum."""

    page: int = Field(1, description="A page number within the paginated result set.")
    page_size: int = Field(PAGE_SIZE, description="Number of results to return per page.")


class Offsets(Input):
    """Which part of a list is asked for."""

    limit: int = Field(PAGE_SIZE, description="Number of results to return per page.")
    offset: int = Field(0, description="The initial index from which to return the results.")


class Paginated(Reply, Generic[T]):
    """A page of a list. Each list has a class of its own, named as the schema names it."""

    count: int
    next: Omittable[Uri | None]
    previous: Omittable[Uri | None]
    results: list[T]


@dataclass(frozen=True, slots=True)
class PageOfList(Generic[T]):
    """A page of a list, as an operation returns it."""

    count: int
    next: str | None
    previous: str | None
    results: list[T]


def paginate(
    request: HttpRequest, rows: QuerySet[M], asked: PageNumbers, draw: Callable[[list[M]], list[T]]
) -> PageOfList[T]:
    """Return the page that is asked for; `draw` makes its results from its rows. Raises NotFound beyond the last."""
    number, size = asked.page, _bound_size(asked.page_size, "page_size")
    count = rows.count()
    last = max(1, -(-count // size))
    if not 1 <= number <= last:
        raise NotFound
    start = (number - 1) * size
    return PageOfList(
        count=count,
        next=_link(request, page=number + 1) if number < last else None,
        previous=_link(request, page=number - 1) if number > 1 else None,
        results=draw(list(rows[start : start + size])) if count else [],
    )


class Rows(Protocol[R_co]):
    """What can be read in parts: a queryset, or rows of several tables one after the other."""

    def count(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Iterable[R_co]: ...


def paginate_by_offset(
    request: HttpRequest,
    rows: Rows[R],
    draw: Callable[[list[R]], list[T]],
    *,
    limit: int,
    offset: int,
    names: tuple[str, str] = ("limit", "offset"),
) -> PageOfList[T]:
    """Return the part of a list that is asked for; `names` are those of the parameters."""
    size, start = _bound_size(limit, names[0]), offset
    if not 0 <= start <= MAX_ID:
        raise refuse_fields(**{names[1]: gettext("Give a number from 0.")})
    count = rows.count()
    before = max(0, start - size)
    return PageOfList(
        count=count,
        next=_link(request, **{names[0]: size, names[1]: start + size}) if start + size < count else None,
        previous=_link(request, **{names[0]: size, names[1]: before or None}) if start > 0 else None,
        results=draw(list(rows[start : start + size])) if start < count else [],
    )


def _bound_size(size: int, name: str) -> int:
    if size < 1:
        raise refuse_fields(**{name: gettext("Give a number from 1 to {largest}.").format(largest=MAX_PAGE_SIZE)})
    return min(size, MAX_PAGE_SIZE)


def _link(request: HttpRequest, **changes: int | None) -> str:
    params = request.GET.copy()
    for name, value in changes.items():
        params.pop(name, None)
        if value is not None:
            params[name] = str(value)
    query = params.urlencode()
    return request.build_absolute_uri(f"{request.path}?{query}" if query else request.path)
