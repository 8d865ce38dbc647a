"""Keeps one document of the search per live page about a course or program. Nothing else writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import override

from cms.events import SearchTextsChanged
from cms.models import CoursePage, Instructor, ProgramPage, SearchDocument
from courses.models import Course, Program
from courses.models.keys import course_number
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.search_words import indexed_text

AT_ONCE = 50  # pages read anew while an editor waits; more are left to the worker
BATCH = 200
TEXT_LENGTH = 100_000  # characters of one field; PostgreSQL refuses a document of more than a megabyte
# The blocks whose words say what the page is about. Others show other courses, links, or people who praise it.
OUTLINE_BLOCKS = frozenset({"outcomes", "syllabus"})
BODY_BLOCKS = frozenset({"text", "questions"})
FACULTY = "faculty"
_WRITTEN = ["course", "program", "heading", "names", "outline", "body", "topic_ids", "instructor_ids"]


def refresh_documents(page_ids: Collection[int]) -> None:
    """Read these pages anew. The documents of pages that aren't live are deleted."""
    wanted = sorted(set(page_ids))
    for start in range(0, len(wanted), BATCH):
        _refresh_batch(wanted[start : start + BATCH])


def refresh_soon(page_ids: Collection[int]) -> None:
    """Read a few pages now and many in the worker, so that no editor waits for thousands."""
    if len(page_ids) <= AT_ONCE:
        refresh_documents(page_ids)
        return
    with transaction.atomic():
        publish(SearchTextsChanged(page_ids=tuple(sorted(page_ids))))


def rebuild_index() -> int:
    """Read every page anew and return how many documents there are now."""
    known = set(SearchDocument.objects.values_list("pk", flat=True))
    refresh_documents(known | set(_live(CoursePage)) | set(_live(ProgramPage)))
    return SearchDocument.objects.count()


def is_index_incomplete() -> bool:
    """Whether a live page has no document, as in a database from before there were any."""
    missing = Q(live=True, search_document__isnull=True)
    courses = CoursePage.objects.filter(missing, course__isnull=False)
    programs = ProgramPage.objects.filter(missing, program__isnull=False)
    return bool(courses.exists() or programs.exists())


def pages_about_courses(courses: QuerySet[Course]) -> set[int]:
    """Return the pages of these courses, and those of the programs that include them."""
    programs = Program.objects.filter(requirements__course__in=courses)
    return set(CoursePage.objects.filter(course__in=courses).values_list("pk", flat=True)) | pages_about_programs(
        programs
    )


def pages_about_programs(programs: QuerySet[Program]) -> set[int]:
    return set(ProgramPage.objects.filter(program__in=programs).values_list("pk", flat=True))


def pages_with_instructor(instructor_id: int) -> set[int]:
    return set(SearchDocument.objects.filter(instructor_ids__contains=[instructor_id]).values_list("pk", flat=True))


def pages_with_topic(topic_id: int) -> set[int]:
    return set(SearchDocument.objects.filter(topic_ids__contains=[topic_id]).values_list("pk", flat=True))


def _live(model: type[CoursePage] | type[ProgramPage]) -> Iterable[int]:
    found: Iterable[int] = model.objects.filter(live=True).values_list("pk", flat=True)
    return found


@transaction.atomic
def _refresh_batch(page_ids: list[int]) -> None:
    # Two changes of what one page shows take turns: the second reads what the first has committed.
    list(SearchDocument.objects.select_for_update(no_key=True).filter(pk__in=page_ids).order_by("pk").values("pk"))
    with override(settings.LANGUAGE_CODE):
        documents = [*_course_documents(page_ids), *_program_documents(page_ids)]
    SearchDocument.objects.filter(pk__in=set(page_ids) - {document.pk for document in documents}).delete()
    SearchDocument.objects.bulk_create(documents, update_conflicts=True, unique_fields=["page"], update_fields=_WRITTEN)


def _course_documents(page_ids: list[int]) -> Iterator[SearchDocument]:
    pages = list(
        CoursePage.objects.filter(pk__in=page_ids, live=True, course__isnull=False)
        .order_by("pk")
        .prefetch_related("course__topics")
    )
    people = _instructors_on(pages)
    for page in pages:
        course = page.course
        topics = list(course.topics.all())
        yield _document(
            page,
            course=course,
            names=[course.summary, course.department.name, *(topic.name for topic in topics)],
            outline=[],
            body=[course.get_level_display(), page.prerequisites],
            topic_ids=[topic.pk for topic in topics],
            people=people[page.pk],
        )


def _program_documents(page_ids: list[int]) -> Iterator[SearchDocument]:
    pages = list(
        ProgramPage.objects.filter(pk__in=page_ids, live=True, program__isnull=False)
        .order_by("pk")
        .prefetch_related("program__requirements__course__topics")
    )
    people = _instructors_on(pages)
    for page in pages:
        program = page.program
        courses = [row.course for row in program.requirements.all() if row.course is not None]
        topics = {topic.pk: topic.name for course in courses for topic in course.topics.all()}
        yield _document(
            page,
            program=program,
            names=[program.summary, program.department.name, *topics.values()],
            outline=[text for course in courses for text in (course.title, course.number)],
            body=[],
            topic_ids=list(topics),
            people=people[page.pk],
        )


def _document(
    page: CoursePage | ProgramPage,
    *,
    names: list[str],
    outline: list[str],
    body: list[str],
    topic_ids: list[int],
    people: list[Instructor],
    course: Course | None = None,
    program: Program | None = None,
) -> SearchDocument:
    subject = page.subject
    organization, _plus, _number = subject.readable_id.partition(":")[2].partition("+")
    return SearchDocument(
        page_id=page.pk,
        course=course,
        program=program,
        heading=_words(subject.title, course_number(subject.readable_id)),
        names=_words(*names, *(person.name for person in people)),
        outline=_words(*outline, *_texts_of(page.body, OUTLINE_BLOCKS)),
        body=_words(organization, *body, page.search_description, *_texts_of(page.body, BODY_BLOCKS)),
        topic_ids=sorted(topic_ids),
        instructor_ids=[person.pk for person in people],
    )


def _words(*texts: str) -> str:
    return indexed_text(*texts)[:TEXT_LENGTH]


def _texts_of(body: Any, kinds: frozenset[str]) -> Iterator[str]:
    """Yield the texts of these blocks. Of teaching blocks without the heading, which is the same on every page."""
    # The raw data says the kind of a block without loading what other blocks refer to.
    for index, raw in enumerate(body.raw_data):
        if raw["type"] not in kinds:
            continue
        block = body[index]
        for name, child in block.block.child_blocks.items():
            if name != "heading" or raw["type"] == "text":
                yield from (str(text) for text in child.get_searchable_content(block.value.get(name)))


def _instructors_on(pages: Iterable[CoursePage | ProgramPage]) -> dict[int, list[Instructor]]:
    """Map each page to the people of its faculty blocks, in their order; one query for all pages."""
    ids = {page.pk: list(dict.fromkeys(_faculty_ids(page.body.raw_data))) for page in pages}
    found = Instructor.objects.in_bulk({pk for people in ids.values() for pk in people})
    return {page: [found[pk] for pk in people if pk in found] for page, people in ids.items()}


def _faculty_ids(raw_data: Iterable[dict[str, Any]]) -> Iterator[int]:
    for raw in raw_data:
        if raw["type"] == FACULTY:
            for entry in raw["value"].get("people") or ():
                # An item of a list block is a value alone, or has an id beside it.
                chosen = entry.get("value") if isinstance(entry, dict) else entry
                if chosen:
                    yield int(chosen)
