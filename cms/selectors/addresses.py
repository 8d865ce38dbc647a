"""Addresses of the pages of courses and programs."""

from __future__ import annotations

from collections.abc import Iterable

from cms.models import CoursePage
from cms.selectors.pages import visible_program_pages
from courses.models import Course, Program
from ecommerce.models import Product


def course_url(course: Course) -> str:
    return f"/courses/{course.readable_id}/"


def program_url(program: Program) -> str:
    return f"/programs/{program.readable_id}/"


def page_urls(products: Iterable[Product]) -> dict[int, str]:
    """The pages of the courses and programs of these products, by the product's id; nothing where none is published.

    One query for courses and one for programs, none without products.
    """
    products = list(products)
    courses = {product.course_run.course_id for product in products if product.course_run is not None}
    programs = {product.program_id for product in products if product.program_id is not None}
    open_courses = courses_with_a_page(courses) if courses else frozenset()
    open_programs = set(
        visible_program_pages().filter(program_id__in=programs).values_list("program_id", flat=True) if programs else ()
    )
    urls = {}
    for product in products:
        if product.course_run is not None and product.course_run.course_id in open_courses:
            urls[product.pk] = course_url(product.course_run.course)
        elif product.program is not None and product.program_id in open_programs:
            urls[product.pk] = program_url(product.program)
    return urls


def course_urls(courses: Iterable[Course]) -> dict[int, str]:
    """The pages of these courses, by the course's id, where one is published. One query, none without courses."""
    known = {course.pk: course for course in courses}
    return {pk: course_url(known[pk]) for pk in courses_with_a_page(known)} if known else {}


def courses_with_a_page(course_ids: Iterable[int]) -> frozenset[int]:
    """The ids of those courses that have a page visitors can open; one query."""
    pages = CoursePage.objects.visible().filter(course_id__in=set(course_ids))
    return frozenset(pages.values_list("course_id", flat=True))
