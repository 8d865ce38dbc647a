"""Pages that visitors can find."""

from __future__ import annotations

from django.db.models import QuerySet

from cms.models import CoursePage, ProgramPage
from courses.models import Course, Program


def listed_courses() -> QuerySet[Course]:
    """Return courses whose page visitors can open. Lists, search and counts start from these."""
    return Course.objects.filter(page__in=CoursePage.objects.visible().values("pk"))


def with_pages(courses: QuerySet[Course]) -> QuerySet[Course]:
    """Load each course with its department, its page and the page's picture."""
    return courses.select_related("department", "page__card_image")


def visible_program_pages() -> QuerySet[ProgramPage]:
    """Return program pages that visitors can open, in the order of the page tree."""
    pages: QuerySet[ProgramPage] = ProgramPage.objects.visible().order_by("path")
    return pages


def program_pages_with_course(course_id: int) -> QuerySet[ProgramPage]:
    """Return visible pages of programs that include this course."""
    return visible_program_pages().filter(program__requirements__course_id=course_id)


def listed_programs() -> QuerySet[Program]:
    """Return programs whose page visitors can open, by title."""
    programs = Program.objects.filter(pk__in=visible_program_pages().order_by().values("program_id"))
    return programs.select_related("department").order_by("title", "pk")
