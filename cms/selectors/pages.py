"""Pages that visitors can find."""

from __future__ import annotations

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from wagtail.models import Page, Site

from cms.models import CatalogPage, ContentPage, CoursePage, HomePage, ProductPage, ProgramIndexPage, ProgramPage
from cms.models.base import PublicPageQuerySet
from courses.models import Course, Program

# Pages that visitors read, besides those of courses and programs. Pages of organizations and contracts are none.
READ_PAGES = (HomePage, CatalogPage, ContentPage, ProgramIndexPage, ProductPage)


def visible_pages(site: Site | None) -> PublicPageQuerySet:
    """Return the pages of a site that visitors can open; none without a site."""
    pages: PublicPageQuerySet = PublicPageQuerySet(Page)
    if site is None:
        nothing: PublicPageQuerySet = pages.none()
        return nothing
    types = ContentType.objects.get_for_models(*READ_PAGES).values()
    is_read = (
        Q(content_type__in=list(types))
        | Q(pk__in=CoursePage.objects.visible().order_by().values("pk"))
        | Q(pk__in=ProgramPage.objects.visible().order_by().values("pk"))
    )
    found: PublicPageQuerySet = pages.visible().descendant_of(site.root_page, inclusive=True).filter(is_read)
    return found


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
