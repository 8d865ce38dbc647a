"""Finding pages by what visitors type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, reduce
from operator import add, and_
from typing import Any, TypeAlias

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Concat

from cms.models import Instructor, SearchDocument
from courses.models import Topic
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.search_words import TypedSearch, query_term, read_search

Query: TypeAlias = Any  # SearchQuery or what joins them: the stubs don't know that these are queries again

# In titles and numbers, in names and summaries, in outcomes and parts, elsewhere; as PostgreSQL wants them: D, C, B, A.
WEIGHTS = [0.05, 0.2, 0.5, 1.0]
CLOSE, CLOSE_SHORT = 0.75, 0.8  # how alike a word and its correction are: “pyhton” and “python” are 0.83
SHORT = 5
CORRECTIONS = 3
CORRECTED_LENGTH = 4  # shorter words are alike by chance
SIMILAR = 100  # documents whose words are compared one by one, where the server can tell which are alike


@dataclass(frozen=True, slots=True)
class Hits:
    """How well courses and programs match, by their ids; higher is better."""

    courses: dict[int, float] = field(default_factory=dict)
    programs: dict[int, float] = field(default_factory=dict)


def find_subjects(text: str) -> Hits:
    """Find the courses and programs with all of these words; if there are none, with words that begin like them.

    One query, and none for a text without words.
    """
    typed = read_search(text)
    if typed.is_empty:
        return Hits()
    whole, begun = _query(typed), _query(typed, with_beginnings=True)
    found = (
        SearchDocument.objects.visible()
        .filter(search=begun)
        .annotate(is_whole=_holds(Q(search=whole)), rank=_rank(typed, begun))
        .values_list("course_id", "program_id", "is_whole", "rank")
    )
    rows: list[tuple[int | None, int | None, bool, float]] = list(found)
    if any(is_whole for _course, _program, is_whole, _points in rows):
        rows = [row for row in rows if row[2]]
    return Hits(
        courses={course: rank for course, _program, _is_whole, rank in rows if course is not None},
        programs={program: rank for _course, program, _is_whole, rank in rows if program is not None},
    )


def find_corrections(text: str) -> list[str]:
    """Return likelier spellings of the text, best first, whether or not they find anything; one query."""
    typed = read_search(text)
    words = [word for word in typed.words if len(word) >= CORRECTED_LENGTH]
    if not words:
        return []
    known = set(_words_like(words))
    choices = {word: _close_words(word, known) for word in words}
    found = []
    for turn in range(CORRECTIONS):
        better = [
            options[min(turn, len(options) - 1)] if (options := choices.get(word)) else word for word in typed.words
        ]
        if tuple(better) != typed.words:
            found.append(" ".join(better))
    return list(dict.fromkeys(found))


def _close_words(word: str, known: Iterable[str]) -> list[str]:
    if word in known:
        return [word]
    near = [each for each in known if abs(len(each) - len(word)) <= 2 and len(each) >= CORRECTED_LENGTH]
    return get_close_matches(word, near, n=CORRECTIONS, cutoff=CLOSE if len(word) > SHORT else CLOSE_SHORT)


def _words_like(words: list[str]) -> Iterator[str]:
    """Yield the words that corrections come from, of titles, names and outlines."""
    for texts in documents_like(words).values_list("heading", "names", "outline"):
        for text in texts:
            yield from text.split()


def documents_like(words: list[str]) -> QuerySet[SearchDocument]:
    """Return the documents whose words are worth comparing.

    With pg_trgm the most similar ones; without it all of them, which gives the same answer and takes longer.
    """
    documents = SearchDocument.objects.visible()
    if not has_trigrams():
        return documents
    all_of_it = Concat("heading", Value(" "), "names", Value(" "), "outline", output_field=TextField())
    likeness = [TrigramWordSimilarity(word, all_of_it) for word in words]
    return documents.annotate(likeness=reduce(add, likeness)).order_by("-likeness")[:SIMILAR]


@cache
def has_trigrams() -> bool:
    """Whether the server has pg_trgm. It doesn't come and go while a process runs."""
    return bool(fetch_sql("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"))


def _query(typed: TypedSearch, *, label: str = "", with_beginnings: bool = False) -> Query:
    """Return the query for the words as stems or as they are, the phrases, and none of the words to leave out."""
    parts: list[Query] = []
    if typed.words:
        terms = (query_term(each, label=label, with_beginnings=with_beginnings) for each in typed.spellings())
        parts.append(_stems_or_words(" | ".join(f"({term})" for term in terms)))
    parts += [_raw(" <-> ".join(f"'{word}'" for word in phrase), config="simple") for phrase in typed.phrases]
    if typed.without:
        # Only a single query can be inverted, not one of several parts.
        unwanted = " | ".join(f"'{word}'" for word in typed.without)
        parts += [~_raw(unwanted, config="english"), ~_raw(unwanted, config="simple")]
    return reduce(and_, parts)


def _stems_or_words(terms: str) -> Query:
    # As stems alone, “who” and “it” would be no words at all.
    return _raw(terms, config="english") | _raw(terms, config="simple")


def _raw(terms: str, *, config: str) -> SearchQuery:
    return SearchQuery(terms, config=config, search_type="raw")


def _rank(typed: TypedSearch, query: Query) -> Combinable:
    """Return the rank. All words in the title count most, and most of all at its beginning."""
    rank: Combinable = SearchRank(F("search"), query, weights=WEIGHTS)
    if typed.words:
        rank += _points(Q(search=_query(replace(typed, phrases=(), without=()), label="A")), 1.0)
        rank += _points(Q(heading__startswith=" ".join(typed.words)), 0.5)
    return rank


def _points(condition: Q, points: float) -> Case:
    return Case(When(condition, then=Value(points)), default=Value(0.0), output_field=FloatField())


def _holds(condition: Q) -> Combinable:
    return ExpressionWrapper(condition, output_field=BooleanField())


@dataclass(frozen=True, slots=True)
class SuggestedPage:
    title: str
    readable_id: str
    is_program: bool


def suggest_pages(text: str, *, limit: int = 30) -> list[SuggestedPage]:
    """Return courses and programs whose titles, numbers or names have words that begin like these; one query."""
    typed = read_search(text)
    if typed.is_empty:
        return []
    begun = _query(typed, label="AB", with_beginnings=True)
    rows = (
        SearchDocument.objects.visible()
        .filter(search=begun)
        .annotate(
            rank=_rank(typed, begun),
            title=Coalesce("course__title", "program__title"),
            key=Coalesce("course__readable_id", "program__readable_id"),
        )
        .order_by("-rank", "title")
        .values_list("title", "key", "program_id")
    )
    return [SuggestedPage(title, key, is_program=program is not None) for title, key, program in rows[:limit]]


def visible_instructors() -> QuerySet[Instructor]:
    """Return the people on pages that visitors can open; before that, no one learns who they are."""
    return Instructor.objects.filter(pk__in=_ids_in("instructor_ids"), slug__isnull=False)


def used_topics() -> QuerySet[Topic]:
    return Topic.objects.filter(pk__in=_ids_in("topic_ids"))


def _ids_in(field: str) -> QuerySet[SearchDocument, Any]:
    numbers = Func(F(field), function="unnest", output_field=IntegerField())
    return SearchDocument.objects.visible().annotate(each=numbers).values("each")
