"""Which pages a visitor may find, and what they are about."""

from __future__ import annotations

from django.db.models import QuerySet

from cms.models import CoursePage, ProgramPage
from courses.models import Course


def listed_courses() -> QuerySet[Course]:
    """Courses with a page a visitor can open: what lists, search and counts are made of (W1)."""
    return Course.objects.filter(page__in=CoursePage.objects.visible().values("pk"))


def with_pages(courses: QuerySet[Course]) -> QuerySet[Course]:
    """Each course with its department, page and the page's picture, in the same query."""
    return courses.select_related("department", "page__card_image")


def visible_program_pages() -> QuerySet[ProgramPage]:
    """Program pages a visitor can open, with program and department, in the editors' order of the tree."""
    pages: QuerySet[ProgramPage] = ProgramPage.objects.visible().order_by("path")
    return pages


def program_pages_naming(course_id: int) -> QuerySet[ProgramPage]:
    """Visible pages of the programs that ask for this course."""
    return visible_program_pages().filter(program__requirements__course_id=course_id)
