"""The catalog: search, filters with counts, sorting and pagination, all of it in the URL.

A few queries read plain values of every course, which are filtered in memory: the counts beside the filters need all
courses anyway. Only the courses of one page are loaded completely.
"""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from cms.models import Instructor, ProgramPage
from cms.selectors.pages import listed_courses, visible_program_pages, with_pages
from cms.selectors.search import Hits, find_corrections, find_subjects
from courses.enums import Level
from courses.models import Course, Department, Topic
from courses.models.course import language_choices
from frontend.pages.cards import CourseCard, ProgramCard, course_cards, enrolled_course_ids
from frontend.pages.offers import CourseOffer, all_offers, short_price
from frontend.pages.programs import program_cards
from frontend.site.navigation import CATALOG
from mitxonline.kernel import clock
from mitxonline.kernel.countries import list_countries
from mitxonline.kernel.dates import format_month
from mitxonline.kernel.money import Money
from mitxonline.kernel.paging import PAGE, find_page
from mitxonline.kernel.shop import current_shop

PAGE_SIZE = 9
TEXT_MAX_LENGTH = 100
SHOWN_OPTIONS = 5
LISTED_OPTIONS = 30  # of topics and instructors; those with the most courses
SHOWN_PROGRAMS = 4
PRICE_STEP = 200
SEARCH, SORT = "q", "sort"


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
    topic: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    level: frozenset[str] = frozenset()
    price: frozenset[str] = frozenset()
    language: frozenset[str] = frozenset()
    country: frozenset[str] = frozenset()
    instructor: frozenset[str] = frozenset()
    sort: Sort | None = None
    page: str = "1"

    @classmethod
    def from_params(cls, params: QueryDict) -> CatalogQuery:
        chosen = params.get(SORT, "")
        return cls(
            text=" ".join(params.get(SEARCH, "").replace("\0", " ").split())[:TEXT_MAX_LENGTH],
            department=frozenset(params.getlist("department")),
            topic=frozenset(params.getlist("topic")),
            start=_known_values(params, "start", Start),
            level=_known_values(params, "level", Level.values),
            price=_known_values(params, "price", PriceBand),
            language=frozenset(params.getlist("language")),
            country=frozenset(params.getlist("country")),
            instructor=frozenset(params.getlist("instructor")),
            sort=Sort(chosen) if chosen in set(Sort) else None,
            page=params.get(PAGE, "1"),
        )

    @property
    def default_order(self) -> Sort:
        """The order nobody has chosen: a search shows the best match first, other lists the next start."""
        return Sort.BEST if self.text else Sort.START

    @property
    def order(self) -> Sort:
        if self.sort is None or (self.sort is Sort.BEST and not self.text):
            return self.default_order
        return self.sort

    @property
    def filter_count(self) -> int:
        return sum(len(self.values_of(facet)) for facet in FACETS)

    def values_of(self, facet: str) -> frozenset[str]:
        return frozenset(getattr(self, facet))

    def without(self, facet: str, value: str) -> CatalogQuery:
        fewer: dict[str, Any] = {facet: self.values_of(facet) - {value}}
        return replace(self, **fewer, page="1")

    def without_facet(self, facet: str) -> CatalogQuery:
        none: dict[str, Any] = {facet: frozenset()}
        return replace(self, **none, page="1")

    def with_known(self, known: Mapping[str, Iterable[str]]) -> CatalogQuery:
        """The query without values that no course has."""
        kept: dict[str, Any] = {facet: self.values_of(facet) & frozenset(values) for facet, values in known.items()}
        return replace(self, **kept)

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


FACETS = ("department", "topic", "start", "level", "price", "language", "country", "instructor")
OPEN_FACETS = frozenset({"topic", "instructor"})  # editors add values as they like
# What programs have too. They are found only while no other filter is on.
PROGRAM_FACETS = frozenset({"department", "topic", "instructor"})


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a course that filters and sorting need."""

    course_id: int
    title: str
    department: str
    level: str
    language: str
    country: str
    published_at: datetime | None
    topics: frozenset[str]
    instructors: frozenset[str]
    offer: CourseOffer
    soon_until: date
    matches: bool = True
    rank: float = 0.0

    def values(self, facet: str) -> frozenset[str]:
        """The values this course has in a facet. It may have several starts."""
        return _VALUES[facet](self)

    def passes(self, query: CatalogQuery, *, ignored_facet: str = "") -> bool:
        """Whether the course passes the filters of every facet, except one."""
        return all(
            facet == ignored_facet or not query.values_of(facet) or query.values_of(facet) & self.values(facet)
            for facet in FACETS
        )

    def starts(self) -> frozenset[str]:
        days = {clock.date_of(start) for start in self.offer.dates}
        found = {Start.SOON if day <= self.soon_until else Start.LATER for day in days}
        return frozenset(found | ({Start.ANY} if self.offer.any_time else set()))

    def prices(self) -> frozenset[str]:
        price = self.offer.price
        if price is None:
            return frozenset({PriceBand.FREE} if self.offer.is_free else ())
        return frozenset({PriceBand.LOW if price.amount <= PRICE_STEP else PriceBand.HIGH})


_VALUES: dict[str, Callable[[Row], frozenset[str]]] = {
    "department": lambda row: frozenset({row.department}),
    "topic": lambda row: row.topics,
    "start": Row.starts,
    "level": lambda row: frozenset({row.level}),
    "price": Row.prices,
    "language": lambda row: frozenset({row.language} if row.language else ()),
    "country": lambda row: frozenset({row.country} if row.country else ()),
    "instructor": lambda row: row.instructors,
}


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


@dataclass(frozen=True, slots=True)
class Drop:
    """Filters of one group that leave nothing, and how many courses there are without them."""

    label: str
    count: int
    url: str


@dataclass(frozen=True)
class Catalog:
    query: CatalogQuery
    rows: Sequence[Row]
    programs: Mapping[int, float]
    labels: Mapping[str, Mapping[str, str]]
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
        return find_page(Paginator(self.found, PAGE_SIZE), self.query.page)

    @cached_property
    def cards(self) -> list[CourseCard]:
        return cards_for_rows(self.page.object_list, user_id=self.user_id, now=self.now)

    @cached_property
    def programs_found(self) -> list[ProgramPage]:
        """The programs with the words, best first. Filters that programs know nothing of leave none; one query."""
        if not self.programs or any(self.query.values_of(facet) for facet in FACETS if facet not in PROGRAM_FACETS):
            return []
        pages = visible_program_pages().filter(program__in=self.programs)
        if self.query.department:
            pages = pages.filter(program__department__slug__in=self.query.department)
        if self.query.topic:
            pages = pages.filter(program__requirements__course__topics__slug__in=self.query.topic)
        if self.query.instructor:
            people = Instructor.objects.filter(slug__in=self.query.instructor).values_list("pk", flat=True)
            pages = pages.filter(search_document__instructor_ids__overlap=list(people))
        # A program with two courses of the topic comes twice.
        found = {page.program_id: page for page in pages}
        return sorted(found.values(), key=lambda page: -self.programs[page.program_id])

    @property
    def program_count(self) -> int:
        return len(self.programs_found)

    @cached_property
    def program_cards(self) -> list[ProgramCard]:
        """The cards of the best programs, on the first page; three queries."""
        if self.page.number != 1:
            return []
        return program_cards(self.programs_found[:SHOWN_PROGRAMS], now=self.now)

    @property
    def is_program_first(self) -> bool:
        """Whether a program matches better than every course."""
        if not self.programs_found or self.query.order is not Sort.BEST:
            return False
        return self.programs[self.programs_found[0].program_id] > max((row.rank for row in self.found), default=0)

    @cached_property
    def facets(self) -> list[Facet]:
        """The filters that some course has values for.

        Each option counts what it would show together with the filters of the other groups.
        """
        legends = {
            "department": _("Department"),
            "topic": _("Topic"),
            "start": _("Start"),
            "level": _("Level"),
            "price": _("Price"),
            "language": _("Language"),
            "country": _("Country"),
            "instructor": _("Instructor"),
        }
        facets = [
            Facet(name=facet, legend=legend, options=tuple(self._options(facet, self.labels[facet])))
            for facet, legend in legends.items()
        ]
        return [facet for facet in facets if _is_worth_showing(facet)]

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
        # The default has no value, so that the order follows when a search begins or ends.
        return [
            SortChoice("" if sort is self.query.default_order else sort.value, labels[sort], sort is self.query.order)
            for sort in usable
        ]

    @cached_property
    def drops(self) -> list[Drop]:
        """For a list that filters have emptied: the groups of filters without which it wouldn’t be empty."""
        if self.found_count:
            return []
        found = []
        for facet in self.facets:
            without = self.query.without_facet(facet.name)
            count = sum(row.matches and row.passes(without) for row in self.rows)
            chosen = [option.label for option in facet.options if option.selected]
            if chosen and count:
                found.append(Drop(label=", ".join(chosen), count=count, url=self._url(without)))
        return sorted(found, key=lambda drop: -drop.count)

    @cached_property
    def is_unmatched(self) -> bool:
        """Whether nothing has the words, with or without filters."""
        return bool(self.query.text) and not self.programs and not any(row.matches for row in self.rows)

    @cached_property
    def suggestion(self) -> str:
        """For a search that finds nothing: a likelier spelling that finds something; empty if there is none."""
        if not self.is_unmatched:
            return ""
        listed = {row.course_id for row in self.rows}
        for text in find_corrections(self.query.text):
            hits = find_subjects(text)
            if hits.programs or listed & hits.courses.keys():
                return text
        return ""

    @property
    def suggestion_url(self) -> str:
        return self._url(CatalogQuery(text=self.suggestion))

    @property
    def clear_text_url(self) -> str:
        return self._url(replace(self.query, text="", page="1"))

    def _url(self, query: CatalogQuery) -> str:
        return self.path + query.to_query_string()

    def _options(self, facet: str, labels: Mapping[str, str]) -> list[Option]:
        counts = Counter(
            value
            for row in self.rows
            if row.matches and row.passes(self.query, ignored_facet=facet)
            for value in row.values(facet)
        )
        options = [
            Option(facet, value, label, counts[value], value in self.query.values_of(facet))
            for value, label in labels.items()
        ]
        if facet not in OPEN_FACETS:
            return options
        # There may be hundreds: first those that are on, then those with the most courses.
        return sorted(options, key=lambda option: (not option.selected, -option.count))[:LISTED_OPTIONS]


def catalog(params: QueryDict, *, path: str = "", user_id: int | None = None, now: datetime) -> Catalog:
    """The catalog for this URL: five queries, one more for a search, and at most three for the cards of its page."""
    query = CatalogQuery.from_params(params)
    topics = {topic.pk: topic for topic in Topic.objects.all()}
    people = {person.pk: person for person in Instructor.objects.filter(slug__isnull=False).only("name", "slug")}
    rows = catalog_rows(
        now=now,
        topics={pk: topic.slug for pk, topic in topics.items()},
        instructors={pk: person.slug or "" for pk, person in people.items()},
    )
    programs: Mapping[int, float] = {}
    if query.text:
        hits = find_subjects(query.text)
        rows, programs = _match_rows(rows, query.text, hits), hits.programs
    names = {
        "department": {each.slug: each.name for each in Department.objects.all()},
        "topic": {topic.slug: topic.name for topic in topics.values()},
        "language": dict(language_choices()),
        "country": dict(list_countries()),
        "instructor": {person.slug or "": person.name for person in people.values()},
    }
    labels = {facet: _used_labels(facet, known, rows) for facet, known in names.items()} | _fixed_labels(now)
    return Catalog(
        query=query.with_known(labels),
        rows=rows,
        programs=programs,
        labels=labels,
        path=path,
        user_id=user_id,
        now=now,
    )


def catalog_rows(
    *, now: datetime, topics: Mapping[int, str] | None = None, instructors: Mapping[int, str] | None = None
) -> list[Row]:
    """A row for every listed course; two queries. Topics and instructors by their slugs, where they are given."""
    topic_slugs, instructor_slugs = topics or {}, instructors or {}
    offers = all_offers(now=now)
    until = soon_until(clock.date_of(now))
    nothing = CourseOffer(runs=(), now=now)
    plain = (
        listed_courses()
        .order_by("title", "pk")
        .values_list(
            "pk",
            "title",
            "department__slug",
            "level",
            "language",
            "country",
            "page__first_published_at",
            "page__search_document__topic_ids",
            "page__search_document__instructor_ids",
        )
    )
    return [
        Row(
            course_id=pk,
            title=title,
            department=department,
            level=level,
            language=language,
            country=country,
            published_at=published_at,
            topics=frozenset(topic_slugs[each] for each in topic_ids or () if each in topic_slugs),
            instructors=frozenset(instructor_slugs[each] for each in instructor_ids or () if each in instructor_slugs),
            offer=offers.get(pk, nothing),
            soon_until=until,
        )
        for pk, title, department, level, language, country, published_at, topic_ids, instructor_ids in plain
    ]


def _match_rows(rows: list[Row], text: str, hits: Hits) -> list[Row]:
    """Mark the rows that match. “Free” asks for courses that cost nothing, whatever their pages say."""
    words = text.split()
    others = " ".join(word for word in words if word.casefold() != _("free"))
    if len(others.split()) < len(words):
        about = find_subjects(others).courses if others else {row.course_id: 0.0 for row in rows}
        free = {row.course_id: about[row.course_id] for row in rows if row.offer.is_free and row.course_id in about}
        hits = Hits(courses=free or hits.courses)
    return [
        replace(row, matches=row.course_id in hits.courses, rank=hits.courses.get(row.course_id, 0)) for row in rows
    ]


def _used_labels(facet: str, names: Mapping[str, str], rows: Sequence[Row]) -> dict[str, str]:
    used = {value for row in rows for value in row.values(facet)}
    return {value: name for value, name in names.items() if value in used}


def _fixed_labels(now: datetime) -> dict[str, dict[str, str]]:
    until = format_month(soon_until(clock.date_of(now)))
    step = short_price(Money(Decimal(PRICE_STEP), current_shop().currency))
    return {
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


def _is_worth_showing(facet: Facet) -> bool:
    """Hide groups without options, and a language or country that all courses share."""
    needed = 2 if facet.name in ("language", "country") else 1
    return len(facet.options) >= needed or any(option.selected for option in facet.options)


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
