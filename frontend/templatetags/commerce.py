"""Tags that add prices, offers and the visitor to pages, which know only courses and products."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.http import HttpRequest, QueryDict
from django.template import Context

from cms.models import CoursePage, ProductPage, ProgramPage
from cms.selectors.pages import listed_courses, visible_program_pages, with_pages
from courses.models import Course
from frontend.pages.buy_panel import BuyPanel
from frontend.pages.buy_panel import buy_panel as make_panel
from frontend.pages.cards import CourseCard, ProgramCard, enrolled_course_ids
from frontend.pages.cards import course_cards as make_cards
from frontend.pages.catalog import (
    Catalog,
    DepartmentTile,
    Row,
    cards_for_rows,
    catalog_rows,
    department_tiles,
    soonest_first,
)
from frontend.pages.catalog import catalog as make_catalog
from frontend.pages.courses import CoursePageData, build_course_page
from frontend.pages.offers import course_offers
from frontend.pages.products import ProductPageData, build_product_page
from frontend.pages.programs import ProgramPageData, build_program_page
from frontend.pages.programs import program_cards as make_program_cards
from mitxonline.kernel import clock

register = template.Library()

PROGRAMS_SHOWN = 2
_ROWS = "_catalog_rows"
_PRODUCT = "_product_page_data"
_CATALOG = "_catalog"


@register.simple_tag(takes_context=True)
def catalog(context: Context) -> Catalog:
    """`{% catalog as c %}`: the catalog, filtered and sorted as the URL says."""
    request = _request(context)
    known: Catalog | None = getattr(request, _CATALOG, None)  # the head of the page asks before its body does
    if known is not None:
        return known
    made = make_catalog(
        request.GET if request else QueryDict(),
        path=request.path if request else "",
        user_id=_user_id(context),
        now=clock.now(),
    )
    if request is not None:
        setattr(request, _CATALOG, made)
    return made


@register.simple_tag(takes_context=True)
def buy_panel(context: Context, course: Course) -> BuyPanel:
    """`{% buy_panel course as panel %}`: price, starts and button of a course for this visitor."""
    return make_panel(course, user_id=_user_id(context), now=clock.now(), support_email=_support_email(context))


@register.simple_tag(takes_context=True)
def enroll_panel(context: Context, page: CoursePage) -> BuyPanel | None:
    """`{% enroll_panel page as panel %}`: the panel of a course page’s course, if visitors can see it."""
    course = page.course
    own = context.get("page")
    if course is None or not (page == own or listed_courses().filter(pk=course.pk).exists()):
        return None
    return make_panel(course, user_id=_user_id(context), now=clock.now(), support_email=_support_email(context))


@register.simple_tag(takes_context=True)
def course_page_data(context: Context, page: CoursePage) -> CoursePageData | None:
    """`{% course_page_data page as view %}`: what a course page shows beside its body, or None without a course."""
    return build_course_page(page, user_id=_user_id(context), now=clock.now(), support_email=_support_email(context))


@register.simple_tag(takes_context=True)
def program_page_data(context: Context, page: ProgramPage) -> ProgramPageData | None:
    """`{% program_page_data page as view %}`: what a program page shows beside its body, or None without a program."""
    return build_program_page(page, user_id=_user_id(context), now=clock.now())


@register.simple_tag(takes_context=True)
def product_page_data(context: Context, page: ProductPage) -> ProductPageData:
    """`{% product_page_data page as view %}`: what a product page shows beside its body, read once per request."""
    request = _request(context)
    known: ProductPageData | None = getattr(request, _PRODUCT, None)
    if known is None:
        user_id, email = _user_id(context), _support_email(context)
        known = build_product_page(page, user_id=user_id, now=clock.now(), support_email=email)
        if request is not None:
            setattr(request, _PRODUCT, known)
    return known


@register.simple_tag(takes_context=True)
def course_cards(context: Context, pages: Iterable[CoursePage | None]) -> list[CourseCard]:
    """`{% course_cards value.courses as cards %}`: chosen course pages as cards, without those that aren’t public."""
    wanted = [page.course_id for page in pages if page is not None and page.course_id]
    found = {course.pk: course for course in with_pages(listed_courses().filter(pk__in=wanted))}
    courses = [found[course_id] for course_id in dict.fromkeys(wanted) if course_id in found]
    now = clock.now()
    offers = course_offers(found, now=now)
    return make_cards(courses, offers=offers, enrolled=enrolled_course_ids(_user_id(context), now=now))


@register.simple_tag(takes_context=True)
def course_card(context: Context, page: CoursePage) -> CourseCard | None:
    """`{% course_card page as card %}`: the card of this page, also in the preview of a draft."""
    if page.course is None:
        return None
    page.course.page = page
    offers = course_offers([page.course.pk], now=clock.now())
    return make_cards([page.course], offers=offers)[0]


@register.simple_tag(takes_context=True)
def starting_soon(context: Context, how_many: int = 4) -> list[CourseCard]:
    """`{% starting_soon 4 as cards %}`: the courses that start next."""
    rows = [row for row in _rows(context) if row.offer.runs]
    return cards_for_rows(sorted(rows, key=soonest_first)[:how_many], user_id=_user_id(context), now=clock.now())


@register.simple_tag(takes_context=True)
def departments(context: Context) -> list[DepartmentTile]:
    """`{% departments as tiles %}`: departments with the number of their courses."""
    return department_tiles(_rows(context))


@register.simple_tag(takes_context=True)
def course_count(context: Context) -> int:
    """`{% course_count as number %}`: how many courses the catalog lists."""
    return len(_rows(context))


@register.simple_tag
def program_cards(pages: Iterable[ProgramPage | None] = (), how_many: int = PROGRAMS_SHOWN) -> list[ProgramCard]:
    """`{% program_cards value.programs as cards %}`: chosen programs as cards; the first ones if none was chosen."""
    wanted = [page.pk for page in pages if page is not None]
    if not wanted:
        return make_program_cards(visible_program_pages()[:how_many], now=clock.now())
    found = {page.pk: page for page in visible_program_pages().filter(pk__in=wanted)}
    return make_program_cards([found[pk] for pk in wanted if pk in found], now=clock.now())


@register.simple_tag
def all_program_cards() -> list[ProgramCard]:
    """`{% all_program_cards as cards %}`: every program a visitor can open."""
    return make_program_cards(visible_program_pages(), now=clock.now())


def _rows(context: Context) -> list[Row]:
    """The catalog’s rows, read once per request."""
    request = _request(context)
    known: list[Row] | None = getattr(request, _ROWS, None)
    if known is None:
        known = catalog_rows(now=clock.now())
        if request is not None:
            setattr(request, _ROWS, known)
    return known


def _request(context: Context) -> HttpRequest | None:
    found: HttpRequest | None = context.get("request")
    return found


def _user_id(context: Context) -> int | None:
    request = _request(context)
    user = getattr(request, "user", None)
    return user.pk if user is not None and user.is_authenticated else None


def _support_email(context: Context) -> str:
    return str(getattr(context.get("brand"), "support_email", "") or "")
