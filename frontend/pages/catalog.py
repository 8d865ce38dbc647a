"""The catalog: search, filters with counts, order and pages, all of it in the address.

The whole catalog is read as a handful of plain values for each course, in two queries, and sifted in memory: counts
for every filter need all of it anyway. Only the courses of one page are read whole.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.postgres.search import SearchQuery, SearchRank
from django.core.paginator import Page, Paginator
from django.db.models import BooleanField, Case, ExpressionWrapper, F, FloatField, Q, Value, When
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from cms.selectors.pages import listed_courses, with_pages
from courses.enums import Level
from courses.models import Course, Department
from frontend.pages.cards import CourseCard, course_cards, enrolled_course_ids
from frontend.pages.offers import CourseOffer, all_offers, short_price
from frontend.site.navigation import CATALOG
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money

PAGE_SIZE = 9
LONGEST_TEXT = 100
SHOWN_OPTIONS = 5
PRICE_STEP = 200
SEARCH, PAGE, SORT = "q", "page", "sort"
_WORD = re.compile(r"\w+")
_OPERATOR = re.compile(r"\"|(?:^|\s)-\w")  # someone who says exactly what they mean: "these words", -this


class Start(StrEnum):
    """When a course can be begun."""

    ANY = "any"
    SOON = "soon"
    LATER = "later"


class PriceBand(StrEnum):
    """What a course costs, roughly."""

    FREE = "free"
    LOW = "low"
    HIGH = "high"


class Sort(StrEnum):
    """In which order courses are listed."""

    BEST = "best"
    START = "start"
    TITLE = "title"
    PRICE = "price"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """What a visitor asked for. Anything in the address that means nothing is left out (never an error)."""

    text: str = ""
    department: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    level: frozenset[str] = frozenset()
    price: frozenset[str] = frozenset()
    sort: Sort | None = None
    page: str = "1"

    @classmethod
    def of(cls, params: QueryDict) -> CatalogQuery:
        """Read an address."""
        chosen = params.get(SORT, "")
        return cls(
            text=" ".join(params.get(SEARCH, "").replace("\0", " ").split())[:LONGEST_TEXT],
            department=frozenset(params.getlist("department")),
            start=_known_values(params, "start", Start),
            level=_known_values(params, "level", Level.values),
            price=_known_values(params, "price", PriceBand),
            sort=Sort(chosen) if chosen in set(Sort) else None,
            page=params.get(PAGE, "1"),
        )

    @property
    def order(self) -> Sort:
        """The order asked for; a search starts with what fits best, everything else with what starts next."""
        if self.sort is None or (self.sort is Sort.BEST and not self.text):
            return Sort.BEST if self.text else Sort.START
        return self.sort

    @property
    def filter_count(self) -> int:
        return len(self.department) + len(self.start) + len(self.level) + len(self.price)

    def chosen(self, facet: str) -> frozenset[str]:
        """What is chosen in one facet."""
        return frozenset(getattr(self, facet))

    def without(self, facet: str, value: str) -> CatalogQuery:
        """The same with one filter taken off, from the first page."""
        fewer: dict[str, Any] = {facet: self.chosen(facet) - {value}}
        return replace(self, **fewer, page="1")

    def cleared(self) -> CatalogQuery:
        """The same search without any filter."""
        none: dict[str, Any] = {facet: frozenset() for facet in FACETS}
        return replace(self, **none, page="1")

    def address(self) -> str:
        """The part of the address after the path, in one fixed order; empty where nothing is asked."""
        params = QueryDict(mutable=True)
        if self.text:
            params[SEARCH] = self.text
        for facet in FACETS:
            params.setlist(facet, sorted(self.chosen(facet)))
        if self.sort is not None:
            params[SORT] = self.sort.value
        return f"?{params.urlencode()}" if params.urlencode() else ""


FACETS = ("department", "start", "level", "price")


@dataclass(frozen=True, slots=True)
class Row:
    """What the catalog knows of one course without reading it whole."""

    course_id: int
    title: str
    department: str
    level: str
    published_at: datetime | None
    matches: bool
    rank: float
    offer: CourseOffer
    soon_until: date

    def values(self, facet: str) -> frozenset[str]:
        """The values this course has in a facet; it may have several starts."""
        if facet == "department":
            return frozenset({self.department})
        if facet == "level":
            return frozenset({self.level})
        return self._starts() if facet == "start" else self._prices()

    def fits(self, query: CatalogQuery, *, leaving_out: str = "") -> bool:
        """Whether it passes every facet that has something chosen, except one."""
        return all(
            facet == leaving_out or not query.chosen(facet) or query.chosen(facet) & self.values(facet)
            for facet in FACETS
        )

    def _starts(self) -> frozenset[str]:
        days = {clock.date_of(start) for start in self.offer.dates}
        found = {Start.SOON if day <= self.soon_until else Start.LATER for day in days}
        return frozenset(found | ({Start.ANY} if self.offer.any_time else set()))

    def _prices(self) -> frozenset[str]:
        price = self.offer.price
        if price is None:
            return frozenset({PriceBand.FREE} if self.offer.is_free else ())
        return frozenset({PriceBand.LOW if price.amount <= PRICE_STEP else PriceBand.HIGH})


@dataclass(frozen=True, slots=True)
class Option:
    """One check box: its name in the address, and how many courses it would show."""

    facet: str
    value: str
    label: str
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of check boxes; `shown` at once, `more` behind “Show 3 more” (open if one of them is chosen)."""

    name: str
    legend: str
    options: tuple[Option, ...]

    @property
    def shown(self) -> tuple[Option, ...]:
        return self.options[:SHOWN_OPTIONS]

    @property
    def more(self) -> tuple[Option, ...]:
        return self.options[SHOWN_OPTIONS:]

    @property
    def more_is_open(self) -> bool:
        return any(option.selected for option in self.more)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class SortChoice:
    """One way to order the list."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True)
class Catalog:
    """Everything the catalog page shows."""

    query: CatalogQuery
    rows: Sequence[Row]
    departments: Sequence[Department]
    path: str
    user_id: int | None
    now: datetime

    @property
    def everything(self) -> int:
        return len(self.rows)

    @cached_property
    def found(self) -> list[Row]:
        fitting = [row for row in self.rows if row.matches and row.fits(self.query)]
        return sorted(fitting, key=SORT_KEYS[self.query.order])

    @property
    def total(self) -> int:
        return len(self.found)

    @cached_property
    def page(self) -> Page[Row]:
        return Paginator(self.found, PAGE_SIZE).get_page(self.query.page)

    @cached_property
    def cards(self) -> list[CourseCard]:
        return cards_of(self.page.object_list, user_id=self.user_id, now=self.now)

    @cached_property
    def facets(self) -> list[Facet]:
        """The filters. Each counts what it would show together with the other groups."""
        labels = self._labels()
        return [
            Facet(name=facet, legend=legend, options=tuple(self._options(facet, labels[facet])))
            for facet, legend in self._legends().items()
        ]

    @property
    def chips(self) -> list[Chip]:
        return [
            Chip(label=option.label, url=self._url(self.query.without(facet.name, option.value)))
            for facet in self.facets
            for option in facet.options
            if option.selected
        ]

    @property
    def clear_url(self) -> str:
        return self._url(self.query.cleared())

    @property
    def sorts(self) -> list[SortChoice]:
        labels = {
            Sort.BEST: _("Best match"),
            Sort.START: _("Starting soonest"),
            Sort.TITLE: _("Title"),
            Sort.PRICE: _("Price"),
            Sort.NEWEST: _("Newest"),
        }
        usable = [sort for sort in Sort if sort is not Sort.BEST or self.query.text]
        return [SortChoice(sort.value, labels[sort], sort is self.query.order) for sort in usable]

    @property
    def suggestion(self) -> str:
        """A word from the titles like one that was typed, where nothing was found; empty if there is none."""
        if self.total or not self.query.text:
            return ""
        known = {word.casefold(): word for row in self.rows for word in _WORD.findall(row.title) if len(word) > 3}
        typed = _WORD.findall(self.query.text.casefold())
        corrected = [next(iter(get_close_matches(word, known, n=1, cutoff=0.75)), "") for word in typed]
        better = " ".join(known[word] if word else old for word, old in zip(corrected, typed, strict=True))
        return better.lower() if better.casefold() != self.query.text.casefold() else ""

    @property
    def suggestion_url(self) -> str:
        return self._url(CatalogQuery(text=self.suggestion))

    def _url(self, query: CatalogQuery) -> str:
        return self.path + query.address()

    def _options(self, facet: str, labels: Mapping[str, str]) -> Iterable[Option]:
        counted = [row.values(facet) for row in self.rows if row.matches and row.fits(self.query, leaving_out=facet)]
        for value, label in labels.items():
            selected = value in self.query.chosen(facet)
            yield Option(facet, value, label, sum(value in values for values in counted), selected)

    def _legends(self) -> dict[str, str]:
        return {"department": _("Department"), "start": _("Start"), "level": _("Level"), "price": _("Price")}

    def _labels(self) -> dict[str, dict[str, str]]:
        until = date_format(soon_until(clock.date_of(self.now)), "F")
        step = short_price(Money(Decimal(PRICE_STEP), settings.DEFAULT_CURRENCY))
        used = {row.department for row in self.rows}
        return {
            "department": {each.slug: each.name for each in self.departments if each.slug in used},
            "start": {
                Start.ANY: _("Any time"),
                Start.SOON: _("By the end of %(month)s") % {"month": until},
                Start.LATER: _("Later"),
            },
            "level": {value: str(label) for value, label in Level.choices},
            "price": {
                PriceBand.FREE: _("Free"),
                PriceBand.LOW: _("Up to %(price)s") % {"price": step},
                PriceBand.HIGH: _("Over %(price)s") % {"price": step},
            },
        }


def catalog(params: QueryDict, *, path: str = "", user_id: int | None = None, now: datetime) -> Catalog:
    """The catalog as this address asks for it; three queries, and at most three more for the cards of its page."""
    query = CatalogQuery.of(params)
    departments = list(Department.objects.all())
    known = {department.slug for department in departments}
    return Catalog(
        query=replace(query, department=query.department & known),
        rows=catalog_rows(query.text, now=now),
        departments=departments,
        path=path,
        user_id=user_id,
        now=now,
    )


def catalog_rows(text: str = "", *, now: datetime) -> list[Row]:
    """Every listed course in plain values, and whether it matches the search; two queries."""
    offers = all_offers(now=now)
    until = soon_until(clock.date_of(now))
    nothing = CourseOffer(runs=(), now=now)
    rows = listed_courses().annotate(matches=_matches(text), rank=_rank(text)).order_by("title", "pk")
    return [
        Row(*plain, offer=offers.get(plain[0], nothing), soon_until=until)
        for plain in rows.values_list(
            "pk", "title", "department__slug", "level", "page__first_published_at", "matches", "rank"
        )
    ]


def cards_of(rows: Iterable[Row], *, user_id: int | None = None, now: datetime) -> list[CourseCard]:
    """The cards of some of the catalog's rows, in their order."""
    wanted = list(rows)
    courses = {
        course.pk: course for course in with_pages(Course.objects.filter(pk__in=[row.course_id for row in wanted]))
    }
    return course_cards(
        [courses[row.course_id] for row in wanted if row.course_id in courses],
        offers={row.course_id: row.offer for row in wanted},
        enrolled=enrolled_course_ids(user_id, now=now),
    )


def soon_until(today: date) -> date:
    """The last day that counts as soon: the end of the month two months from now."""
    month = (today.replace(day=1) + timedelta(days=62)).replace(day=1)
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def soonest_first(row: Row) -> tuple[int, Any, str]:
    """Dates to come, then what can be begun any time, then what runs already, then what isn't open."""
    start = row.offer.next_start
    if start is not None and start > row.offer.now:
        return 0, start, row.title.casefold()
    if row.offer.any_time:
        return 1, 0, row.title.casefold()
    return (2 if start is not None else 3), 0, row.title.casefold()


def _cheapest_first(row: Row) -> tuple[bool, Decimal, str]:
    price = row.offer.price
    return not row.offer.runs, price.amount if price is not None else Decimal(0), row.title.casefold()


def _newest_first(row: Row) -> tuple[float, str]:
    return -(row.published_at.timestamp() if row.published_at else 0), row.title.casefold()


SORT_KEYS: dict[Sort, Callable[[Row], Any]] = {
    Sort.BEST: lambda row: (-row.rank, row.title.casefold()),
    Sort.START: soonest_first,
    Sort.TITLE: lambda row: row.title.casefold(),
    Sort.PRICE: _cheapest_first,
    Sort.NEWEST: _newest_first,
}


def _matches(text: str) -> Any:
    """Words as a search engine reads them, beginnings of words, and the text as it stands."""
    if not text:
        return ExpressionWrapper(Q(pk__isnull=False), output_field=BooleanField())
    condition = Q(search=SearchQuery(text, search_type="websearch", config="english"))
    if _OPERATOR.search(text):
        return ExpressionWrapper(condition, output_field=BooleanField())
    condition |= Q(title__icontains=text) | Q(department__name__icontains=text) | Q(readable_id__icontains=text)
    if words := _WORD.findall(text):
        beginnings = " & ".join(f"'{word}':*" for word in words)
        condition |= Q(search=SearchQuery(beginnings, search_type="raw", config="english"))
    return ExpressionWrapper(condition, output_field=BooleanField())


def _rank(text: str) -> Any:
    if not text:
        return Value(0.0, output_field=FloatField())
    in_title = Case(When(title__icontains=text, then=Value(1.0)), default=Value(0.0), output_field=FloatField())
    return SearchRank(F("search"), SearchQuery(text, search_type="websearch", config="english")) + in_title


def _known_values(params: QueryDict, name: str, values: Iterable[str]) -> frozenset[str]:
    return frozenset(params.getlist(name)) & frozenset(str(value) for value in values)


@dataclass(frozen=True, slots=True)
class DepartmentTile:
    """A department on the home page: its name, its number of courses, and the catalog with just these."""

    slug: str
    name: str
    count: int
    url: str


def department_tiles(rows: Sequence[Row]) -> list[DepartmentTile]:
    """The departments that have courses in the catalog, in their own order; one query."""
    counts = Counter(row.department for row in rows)
    return [
        DepartmentTile(slug=each.slug, name=each.name, count=counts[each.slug], url=_department_url(each.slug))
        for each in Department.objects.all()
        if counts[each.slug]
    ]


def _department_url(slug: str) -> str:
    return CATALOG.url + CatalogQuery(department=frozenset({slug})).address()
