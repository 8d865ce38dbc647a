"""Suggestions while someone types, and the page of an instructor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from cms.models import Instructor
from cms.selectors.pages import listed_courses, visible_program_pages, with_pages
from cms.selectors.search import (
    SuggestedPage,
    find_corrections,
    suggest_pages,
    used_topics,
    visible_instructors,
)
from courses.models.keys import course_number
from frontend.pages.cards import CourseCard, ProgramCard, course_cards, enrolled_course_ids
from frontend.pages.catalog import TEXT_MAX_LENGTH, CatalogQuery
from frontend.pages.offers import course_offers
from frontend.pages.programs import program_cards
from frontend.site.navigation import CATALOG, Crumb
from mitxonline.kernel.search_words import read_search, words_of

SHOWN_COURSES, SHOWN_PROGRAMS, SHOWN_PEOPLE, SHOWN_TOPICS = 5, 2, 2, 2


@dataclass(frozen=True, slots=True)
class SuggestedLink:
    text: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SuggestedGroup:
    name: str
    title: str
    items: tuple[SuggestedLink, ...]


@dataclass(frozen=True, slots=True)
class Suggestions:
    groups: tuple[SuggestedGroup, ...] = ()

    @property
    def count(self) -> int:
        return sum(len(group.items) for group in self.groups)


@dataclass(frozen=True, slots=True)
class InstructorPageData:
    person: Instructor
    courses: list[CourseCard]
    programs: list[ProgramCard]
    breadcrumb: tuple[Crumb, ...]


def build_suggestions(text: str) -> Suggestions:
    """Suggest pages for the beginning of a search: three queries, two more for a word that is misspelled."""
    typed = " ".join(text.replace("\0", " ").split())[:TEXT_MAX_LENGTH]
    if read_search(typed).is_empty:
        return Suggestions()
    found = _suggest(typed)
    if not found.groups and (corrected := find_corrections(typed)):
        return _suggest(corrected[0])
    return found


def _suggest(text: str) -> Suggestions:
    pages = suggest_pages(text)
    courses = [page for page in pages if not page.is_program][:SHOWN_COURSES]
    programs = [page for page in pages if page.is_program][:SHOWN_PROGRAMS]
    people = [person for person in visible_instructors() if _begins(person.name, text)][:SHOWN_PEOPLE]
    topics = [topic for topic in used_topics() if _begins(topic.name, text)][:SHOWN_TOPICS]
    groups = (
        SuggestedGroup("courses", _("Courses"), tuple(_page_links(courses, "/courses/"))),
        SuggestedGroup("programs", _("Programs"), tuple(_page_links(programs, "/programs/"))),
        SuggestedGroup(
            "instructors",
            _("Instructors"),
            tuple(SuggestedLink(person.name, person.get_absolute_url()) for person in people),
        ),
        SuggestedGroup(
            "topics",
            _("Topics"),
            tuple(SuggestedLink(topic.name, topic_url(topic.slug)) for topic in topics),
        ),
    )
    return Suggestions(tuple(group for group in groups if group.items))


def topic_url(slug: str) -> str:
    return CATALOG.url + CatalogQuery(topic=frozenset({slug})).to_query_string()


def build_instructor_page(slug: str, *, user_id: int | None, now: datetime) -> InstructorPageData | None:
    """The page of an instructor, or None if no page that visitors can open names them."""
    person = visible_instructors().filter(slug=slug).select_related("picture").first()
    if person is None:
        return None
    taught = {"search_document__instructor_ids__contains": [person.pk]}
    courses = list(
        with_pages(listed_courses().filter(**{f"page__{name}": ids for name, ids in taught.items()})).order_by("title")
    )
    return InstructorPageData(
        person=person,
        courses=course_cards(
            courses,
            offers=course_offers([course.pk for course in courses], now=now),
            enrolled=enrolled_course_ids(user_id, now=now),
        ),
        programs=program_cards(visible_program_pages().filter(**taught), now=now),
        breadcrumb=(Crumb(str(CATALOG.text), CATALOG.url), Crumb(person.name)),
    )


def _page_links(pages: Iterable[SuggestedPage], folder: str) -> Iterable[SuggestedLink]:
    for page in pages:
        yield SuggestedLink(page.title, f"{folder}{page.readable_id}/", course_number(page.readable_id))


def _begins(name: str, typed: str) -> bool:
    """Whether each typed word begins a word of the name."""
    words = words_of(name)
    return all(any(word.startswith(each) for word in words) for each in words_of(typed))
