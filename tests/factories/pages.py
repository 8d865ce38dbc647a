"""Factories of published pages, with fixed texts a test may override."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from wagtail.models import Page, Site

from cms.models import (
    CatalogPage,
    ContentPage,
    CourseIndexPage,
    CoursePage,
    HomePage,
    ProductIndexPage,
    ProductPage,
    ProgramIndexPage,
    ProgramPage,
)
from courses.enums import RequirementKind
from courses.models import Course, Program, ProgramRequirement
from ecommerce.models import Product
from tests.factories import make_course, make_department, make_product

P = TypeVar("P", bound=Page)
Block = dict[str, Any]


def make_home() -> HomePage:
    """Return the home page with its folders, made on first use."""
    there: HomePage | None = HomePage.objects.first()
    if there is not None:
        return there
    home = HomePage(title="Home", slug="start", hero_title="Courses that fit together.")
    Page.objects.get(depth=1).add_child(instance=home)
    for page in (
        CatalogPage(title="Catalog", slug="catalog", show_in_menus=True),
        CourseIndexPage(title="Course pages", slug="courses"),
        ProgramIndexPage(title="Programs", slug="programs", show_in_menus=True),
        ProductIndexPage(title="Product pages", slug="products"),
    ):
        home.add_child(instance=page)
    Site.objects.filter(is_default_site=True).update(root_page=home, hostname="testserver", port=80)
    Site.clear_site_root_paths_cache()
    return home


def make_course_page(
    course: Course | None = None, *, body: list[dict[str, Any]] | None = None, **fields: Any
) -> CoursePage:
    page = CoursePage(course=course or make_course(), body=json.dumps(body or []), **fields)
    return add(CourseIndexPage, page)


def make_program_page(program: Program | None = None, **fields: Any) -> ProgramPage:
    return add(ProgramIndexPage, ProgramPage(program=program or make_program(), **fields))


def make_product_page(product: Product | None = None, *, slug: str = "an-offer", **fields: Any) -> ProductPage:
    page = ProductPage(title="An offer", slug=slug, product=product or make_product(), **fields)
    return add(ProductIndexPage, page)


def make_content_page(slug: str = "about", **fields: Any) -> ContentPage:
    page = ContentPage(title=slug.title(), slug=slug, **fields)
    make_home().add_child(instance=page)
    return page


def make_program(
    name: str = "DFPS", *, courses: list[Course] | None = None, at_least: int | None = None, **fields: Any
) -> Program:
    """Make a program with one group of courses: all are required, or `at_least` of them."""
    fields.setdefault("title", "Data Foundations for Public Services")
    fields.setdefault("department", make_department())
    program = Program.objects.create(readable_id=f"program-v1:TesseraX+{name}", **fields)
    kind = RequirementKind.ALL_OF if at_least is None else RequirementKind.AT_LEAST
    group = ProgramRequirement.objects.create(program=program, kind=kind, at_least=at_least)
    for position, course in enumerate(courses if courses is not None else [make_course()]):
        ProgramRequirement.objects.create(
            program=program, parent=group, position=position, kind=RequirementKind.COURSE, course=course
        )
    return program


def block(kind: str, **value: Any) -> Block:
    """Return a block in the form StreamField stores."""
    return {"type": kind, "value": value}


def add(folder: type[Page], page: P) -> P:
    """Publish a page under the only page of the folder's type."""
    make_home()
    folder.objects.get().add_child(instance=page)
    return page
