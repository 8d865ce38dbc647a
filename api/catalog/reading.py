"""What is read of many courses at once, so that each costs no query of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, prefetch_related_objects

from cms.models import CoursePage, Instructor, ProgramPage, SearchDocument
from cms.selectors.covers import prefetch_covers
from cms.selectors.pages import visible_program_pages
from courses.models import Course, CourseRun, Program, ProgramRequirement
from courses.rules import is_enrollable
from ecommerce.models import Product


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """What belongs to a course: its runs in their order, its page, and the programs that visitors find."""

    course: Course
    runs: tuple[CourseRun, ...]
    open_runs: tuple[CourseRun, ...]
    page: CoursePage | None
    programs: tuple[Program, ...]
    instructors: tuple[Instructor, ...]
    products: Mapping[int, tuple[Product, ...]]

    @property
    def next_run(self) -> CourseRun | None:
        """The open run that starts first; one without a date comes last."""
        dated = [run for run in self.open_runs if run.start_date is not None]
        return min(dated, key=lambda run: (run.start_date, run.pk), default=next(iter(self.open_runs), None))

    @property
    def offered(self) -> tuple[Product, ...]:
        """What can be bought now."""
        return tuple(product for run in self.open_runs for product in self.products.get(run.pk, ()))


def read_courses(
    courses: Sequence[Course],
    *,
    now: datetime,
    runs: QuerySet[CourseRun] | None = None,
    sold_as: Iterable[int] = (),
) -> list[CourseFacts]:
    """Read what belongs to these courses: seven queries for any number. `runs` are other runs than the public ones.

    The products of the runs in `sold_as` are read too, whether or not these are among the runs.
    """
    if not courses:
        return []
    ids = [course.pk for course in courses]
    by_course: dict[int, list[CourseRun]] = defaultdict(list)
    found = CourseRun.objects.live() if runs is None else runs
    for run in found.filter(course_id__in=ids).order_by("start_date", "pk"):
        by_course[run.course_id].append(run)
    products = _products_of({run.pk for each in by_course.values() for run in each} | set(sold_as))
    pages = {page.course_id: page for page in CoursePage.objects.visible().filter(course_id__in=ids).with_pictures()}
    prefetch_covers([page.card_image for page in pages.values()])
    programs = _programs_of(ids)
    instructors = _instructors_of(ids)
    prefetch_related_objects(courses, "topics")
    return [
        CourseFacts(
            course=course,
            runs=tuple(by_course[course.pk]),
            open_runs=tuple(run for run in by_course[course.pk] if is_enrollable(run, now=now)),
            page=pages.get(course.pk),
            programs=tuple(programs[course.pk]),
            instructors=tuple(instructors[course.pk]),
            products=products,
        )
        for course in courses
    ]


def read_program_products(program_ids: Collection[int]) -> dict[int, list[Product]]:
    """Return what sells these programs."""
    found: dict[int, list[Product]] = {pk: [] for pk in program_ids}
    for product in Product.objects.public().filter(program_id__in=found).order_by("price", "pk"):
        found[product.program_id or 0].append(product)
    return found


def read_program_pages(program_ids: Collection[int]) -> dict[int, ProgramPage]:
    """Return the pages of these programs that visitors can open."""
    pages = {
        page.program_id: page
        for page in visible_program_pages().filter(program_id__in=program_ids).with_pictures()  # type: ignore[attr-defined]
    }
    prefetch_covers([page.card_image for page in pages.values()])
    return pages


def _products_of(run_ids: Collection[int]) -> dict[int, tuple[Product, ...]]:
    found: dict[int, list[Product]] = defaultdict(list)
    for product in Product.objects.active().filter(course_run_id__in=run_ids).order_by("price", "pk"):
        found[product.course_run_id or 0].append(product)
    return {pk: tuple(products) for pk, products in found.items()}


def _programs_of(course_ids: list[int]) -> dict[int, list[Program]]:
    found: dict[int, list[Program]] = defaultdict(list)
    rows = ProgramRequirement.objects.filter(
        course_id__in=course_ids, program__in=visible_program_pages().values("program_id")
    )
    for row in rows.select_related("program").order_by("program__title", "program_id"):
        found[row.course_id or 0].append(row.program)
    return found


def _instructors_of(course_ids: list[int]) -> dict[int, list[Instructor]]:
    documents = dict(SearchDocument.objects.filter(course_id__in=course_ids).values_list("course_id", "instructor_ids"))
    wanted = {pk for ids in documents.values() for pk in ids}
    known = Instructor.objects.select_related("picture").in_bulk(wanted) if wanted else {}
    return defaultdict(
        list,
        {course_id or 0: [known[pk] for pk in ids if pk in known] for course_id, ids in documents.items()},
    )
