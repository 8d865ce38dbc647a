"""The search among thousands of courses, beside the catalog without a search."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.test import Client, override_settings
from wagtail.models import Page

from cms.models import CourseIndexPage, CoursePage
from cms.services.search_index import rebuild_index
from courses.models import Course, CourseRun
from ecommerce.models import Product
from mitxonline.kernel import clock
from mitxonline.kernel.db import run_sql
from tests.bench.harness import Cost, Result, bench, best_of, measured
from tests.factories import make_course, make_department, make_product, make_run
from tests.factories.pages import block, make_course_page, make_home

COURSES = 5000
TRIES = 7
WORDS = (
    "maps", "data", "teams", "risk", "climate", "python", "budget", "design", "care", "ethics", "writing", "control",
    "statistics", "safety",
)  # fmt: skip

_made: list[Course] = []


@bench(f"search for a word among {COURSES} courses", slow=True)
def search_for_a_word() -> Result:
    return _search("/catalog/?q=python")


@bench(f"search for a phrase and a beginning among {COURSES} courses", slow=True)
def search_for_several() -> Result:
    return _search("/catalog/?q=%22about+maps%22+pyth")


@bench(f"search that finds nothing among {COURSES} courses, with a correction", slow=True)
def search_in_vain() -> Result:
    return _search("/catalog/?q=pyhton")


@bench(f"suggestions among {COURSES} courses", slow=True)
def suggestions() -> Result:
    return _search("/search/suggestions/?q=pyt")


def _search(address: str) -> Result:
    _make_courses()
    with override_settings(ALLOWED_HOSTS=["*"], RATE_LIMITS={"suggestions": {"address": (10**9, 60)}}):
        costs, floors = [], []
        for number in range(TRIES + 1):
            cost, floor = _get(address, counting=number == 1), _get("/catalog/", counting=False)
            if number:  # the first time templates and the site are read
                costs.append(cost)
                floors.append(floor)
    return Result(
        cost=best_of(costs), floor=best_of(floors), floor_name="the catalog", ratio_budget=2.0, query_budget=16
    )


def _get(address: str, *, counting: bool) -> Cost:
    with measured(counting=counting) as cost:
        response = Client().get(address)
    if response.status_code != 200:
        raise AssertionError(f"{response.status_code}, not 200: {response.content[:300]!r}")
    return cost


def _make_courses() -> None:
    """Make one course with a page, a run and a price, and the others like it; once."""
    if _made:
        return
    make_home()
    first = make_course("S0", title="The first", department=make_department("Search"))
    run = make_run(first, tag="R1", start_date=clock.now())
    product = make_product(run)
    page = make_course_page(first)
    courses = Course.objects.bulk_create(
        Course(
            readable_id=f"course-v1:Bench+S{number}",
            title=f"{_word(number)} and {_word(number // 14)} {number}",
            summary=f"What {_word(number // 3)} is good for.",
            department=first.department,
        )
        for number in range(1, COURSES)
    )
    runs = CourseRun.objects.bulk_create(
        CourseRun(
            course=course, courseware_id=f"{course.readable_id}+R1", run_tag="R1", title=course.title, live=True,
            start_date=run.start_date,
        )
        for course in courses
    )  # fmt: skip
    Product.objects.bulk_create(
        Product(
            course_run=each, sku=f"bench-{each.pk}", price=product.price, currency=product.currency, mode=product.mode
        )
        for each in runs
    )
    _copy_pages(page, courses)
    rebuild_index()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    _made.extend(courses)


def _copy_pages(page: CoursePage, courses: list[Course]) -> None:
    """Copy the page's rows: the tree's own way takes minutes for thousands."""
    own = {"path", "slug", "title", "draft_title", "url_path", "translation_key"}
    kept = [field.column for field in Page._meta.local_concrete_fields if field.column not in own | {"id"}]
    columns, names = ", ".join(kept), "path, slug, title, draft_title, url_path, translation_key"
    parent = CourseIndexPage.objects.get()
    for number, course in enumerate(courses, start=2):
        path = parent.path + Page._int2str(number).rjust(Page.steplen, Page.alphabet[0])
        run_sql(
            f"INSERT INTO wagtailcore_page ({columns}, {names})"  # noqa: S608 – the names of Wagtail's columns
            f" SELECT {columns}, %s, %s, %s, %s, %s, gen_random_uuid() FROM wagtailcore_page WHERE id = %s",
            [path, f"s{number}", course.title, course.title, f"{parent.url_path}s{number}/", page.pk],
        )
        run_sql(
            "INSERT INTO cms_coursepage (page_ptr_id, course_id, prerequisites, body)"
            " SELECT id, %s, '', %s FROM wagtailcore_page WHERE path = %s",
            [course.pk, json.dumps(_body(number)), path],
        )


def _body(number: int) -> list[dict[str, Any]]:
    text = " ".join(f"About {_word(number * step)} and {_word(number + step)}." for step in range(1, 40))
    return [
        block("outcomes", heading="", items=[f"Work with {_word(number)}", f"Explain {_word(number // 7)}"]),
        block("text", heading="Why", text=f"<p>{text}</p>"),
    ]


def _word(number: int) -> str:
    return WORDS[number % len(WORDS)]
