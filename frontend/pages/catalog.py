"""The catalog: search, filters with counts, sorting and pagination, all of it in the URL.

Two queries read a few plain values of every course, which are filtered in memory: the counts beside the filters need
all courses anyway. Only the courses of one page are loaded completely.
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
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from cms.selectors.pages import listed_courses, with_pages
from courses.enums import Level
from courses.models import Course, Department
from frontend.pages.cards import CourseCard, course_cards, enrolled_course_ids
from frontend.pages.offers import CourseOffer, all_offers, short_price
from frontend.site.navigation import CATALOG
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_month
from mitxonline.kernel.money import Money

PAGE_SIZE = 9
TEXT_MAX_LENGTH = 100
SHOWN_OPTIONS = 5
PRICE_STEP = 200
SEARCH, PAGE, SORT = "q", "page", "sort"
_WORD = re.compile(r"\w+")
_OPERATOR = re.compile(r"\"|(?:^|\s)-\w")  # someone who says exactly what they mean: "these words", -this


class Start(StrEnum):
    ANY = "any"
    SOON = "soon"
    LATER = "later"


class PriceBand(StrEnum):
    FREE = "free"
    LOW = "low"
    HIGH = "high"


class Sort(StrEnum):
    BEST = "best"
    START = "start"
    TITLE = "title"
    PRICE = "price"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """What the URL asks for. Values it doesn’t know are ignored, never an error."""

    text: str = ""
    department: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    level: frozenset[str] = frozenset()
    price: frozenset[str] = frozenset()
    sort: Sort | None = None
    page: str = "1"

    @classmethod
    def from_params(cls, params: QueryDict) -> CatalogQuery:
        chosen = params.get(SORT, "")
        return cls(
            text=" ".join(params.get(SEARCH, "").replace("\0", " ").split())[:TEXT_MAX_LENGTH],
            department=frozenset(params.getlist("department")),
            start=_known_values(params, "start", Start),
            level=_known_values(params, "level", Level.values),
            price=_known_values(params, "price", PriceBand),
            sort=Sort(chosen) if chosen in set(Sort) else None,
            page=params.get(PAGE, "1"),
        )

    @property
    def order(self) -> Sort:
        """The chosen order. By default a search shows the best match first, and other lists the next start."""
        if self.sort is None or (self.sort is Sort.BEST and not self.text):
            return Sort.BEST if self.text else Sort.START
        return self.sort

    @property
    def filter_count(self) -> int:
        return len(self.department) + len(self.start) + len(self.level) + len(self.price)

    def values_of(self, facet: str) -> frozenset[str]:
        return frozenset(getattr(self, facet))

    def without(self, facet: str, value: str) -> CatalogQuery:
        fewer: dict[str, Any] = {facet: self.values_of(facet) - {value}}
        return replace(self, **fewer, page="1")

    def without_filters(self) -> CatalogQuery:
        none: dict[str, Any] = {facet: frozenset() for facet in FACETS}
        return replace(self, **none, page="1")

    def to_query_string(self) -> str:
        """The query string with its “?”, always in the same order; empty for the plain catalog."""
        params = QueryDict(mutable=True)
        if self.text:
            params[SEARCH] = self.text
        for facet in FACETS:
            params.setlist(facet, sorted(self.values_of(facet)))
        if self.sort is not None:
            params[SORT] = self.sort.value
        return f"?{params.urlencode()}" if params.urlencode() else ""


FACETS = ("department", "start", "level", "price")


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a course that filters and sorting need."""

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
        """The values this course has in a facet. It may have several starts."""
        if facet == "department":
            return frozenset({self.department})
        if facet == "level":
            return frozenset({self.level})
        return self._starts() if facet == "start" else self._prices()

    def passes(self, query: CatalogQuery, *, ignored_facet: str = "") -> bool:
        """Whether the course passes the filters of every facet, except one."""
        return all(
            facet == ignored_facet or not query.values_of(facet) or query.values_of(facet) & self.values(facet)
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
    """A check box, with the number of courses it would show."""

    facet: str
    value: str
    label: str
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of check boxes. `more` of them are behind “Show 3 more”, open if one of these is selected."""

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
    """An active filter, and the URL without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class SortChoice:
    value: str
    label: str
    selected: bool


@dataclass(frozen=True)
class Catalog:
    query: CatalogQuery
    rows: Sequence[Row]
    departments: Sequence[Department]
    path: str
    user_id: int | None
    now: datetime

    @property
    def course_count(self) -> int:
        return len(self.rows)

    @cached_property
    def found(self) -> list[Row]:
        fitting = [row for row in self.rows if row.matches and row.passes(self.query)]
        return sorted(fitting, key=SORT_KEYS[self.query.order])

    @property
    def found_count(self) -> int:
        return len(self.found)

    @cached_property
    def page(self) -> Page[Row]:
        return Paginator(self.found, PAGE_SIZE).get_page(self.query.page)

    @cached_property
    def cards(self) -> list[CourseCard]:
        return cards_for_rows(self.page.object_list, user_id=self.user_id, now=self.now)

    @cached_property
    def facets(self) -> list[Facet]:
        """The filters. Each option counts what it would show together with the filters of the other groups."""
        labels = self._labels()
        legends = {"department": _("Department"), "start": _("Start"), "level": _("Level"), "price": _("Price")}
        return [
            Facet(name=facet, legend=legend, options=tuple(self._options(facet, labels[facet])))
            for facet, legend in legends.items()
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
        return self._url(self.query.without_filters())

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
        """For a search without results: the text with words corrected to similar words of titles, if there are any."""
        if self.found_count or not self.query.text:
            return ""
        title_words = {word.casefold(): word for row in self.rows for word in _WORD.findall(row.title) if len(word) > 3}
        typed = _WORD.findall(self.query.text.casefold())
        corrected = [next(iter(get_close_matches(word, title_words, n=1, cutoff=0.75)), "") for word in typed]
        better = " ".join(title_words[word] if word else old for word, old in zip(corrected, typed, strict=True))
        return better.lower() if better.casefold() != self.query.text.casefold() else ""

    @property
    def suggestion_url(self) -> str:
        return self._url(CatalogQuery(text=self.suggestion))

    def _url(self, query: CatalogQuery) -> str:
        return self.path + query.to_query_string()

    def _options(self, facet: str, labels: Mapping[str, str]) -> Iterable[Option]:
        rows = [row for row in self.rows if row.matches and row.passes(self.query, ignored_facet=facet)]
        values_of_rows = [row.values(facet) for row in rows]
        for value, label in labels.items():
            selected = value in self.query.values_of(facet)
            yield Option(facet, value, label, sum(value in values for values in values_of_rows), selected)

    def _labels(self) -> dict[str, dict[str, str]]:
        until = format_month(soon_until(clock.date_of(self.now)))
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
    """The catalog for this URL: three queries, and at most three more for the cards of its page."""
    query = CatalogQuery.from_params(params)
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
    """A row for every listed course, and whether it matches the search; two queries."""
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


def cards_for_rows(rows: Iterable[Row], *, user_id: int | None = None, now: datetime) -> list[CourseCard]:
    """The cards of these rows, in the same order."""
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
    """The last day that counts as soon: the end of the month after next."""
    month = (today.replace(day=1) + timedelta(days=62)).replace(day=1)
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def soonest_first(row: Row) -> tuple[int, Any, str]:
    """Sort key: dates to come, then “any time”, then courses that have started, then those that aren’t open."""
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
    """Match words like a search engine, beginnings of words, and the text itself."""
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
    """A department on the home page, with the number of its courses and the URL of its catalog."""

    slug: str
    name: str
    count: int
    url: str


def department_tiles(rows: Sequence[Row]) -> list[DepartmentTile]:
    """The departments with courses in the catalog, in their own order; one query."""
    counts = Counter(row.department for row in rows)
    return [
        DepartmentTile(
            slug=each.slug,
            name=each.name,
            count=counts[each.slug],
            url=CATALOG.url + CatalogQuery(department=frozenset({each.slug})).to_query_string(),
        )
        for each in Department.objects.all()
        if counts[each.slug]
    ]
