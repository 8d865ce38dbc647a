"""Tags for search engines: structured data, and the head of the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterable

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from wagtail.models import Page

from cms.models import CoursePage, HomePage, ProductPage, ProgramPage
from frontend.pages import structured_data
from frontend.pages.cards import CourseTile
from frontend.pages.catalog import Catalog
from frontend.pages.catalog_head import CatalogHead
from frontend.pages.catalog_head import catalog_head as make_head
from frontend.pages.courses import CoursePageData
from frontend.pages.search import InstructorPageData
from frontend.site.brands import Brand, default_brand
from frontend.site.navigation import Crumb

register = template.Library()

# What could end the script element, or start a comment in it.
_ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.simple_tag(takes_context=True)
def home_structured_data(context: Context, page: HomePage) -> SafeString:
    return _script(structured_data.home_graph(_site(context)))


@register.simple_tag(takes_context=True)
def page_structured_data(context: Context, page: Page) -> SafeString:
    """`{% page_structured_data page %}`: organization and breadcrumb of a page right below the home page."""
    return _script(structured_data.page_graph(_site(context), [Crumb(page.title)], page))


@register.simple_tag(takes_context=True)
def course_structured_data(context: Context, page: CoursePage, view: CoursePageData) -> SafeString:
    return _script(structured_data.course_graph(_site(context), page, view))


@register.simple_tag(takes_context=True)
def program_structured_data(
    context: Context, page: ProgramPage, breadcrumb: Iterable[Crumb], courses: Iterable[CourseTile]
) -> SafeString:
    return _script(structured_data.program_graph(_site(context), page, breadcrumb, courses))


@register.simple_tag(takes_context=True)
def product_structured_data(
    context: Context, page: ProductPage, breadcrumb: Iterable[Crumb], can_buy: bool
) -> SafeString:
    return _script(structured_data.product_graph(_site(context), page, breadcrumb, can_buy=can_buy))


@register.simple_tag(takes_context=True)
def instructor_structured_data(context: Context, view: InstructorPageData) -> SafeString:
    return _script(structured_data.instructor_graph(_site(context), view))


@register.simple_tag(takes_context=True)
def catalog_head(context: Context, catalog: Catalog, page: Page) -> CatalogHead:
    """`{% catalog_head c page as head %}`: title, description and canonical address of a list of courses."""
    description = page.search_description or str(getattr(page, "introduction", ""))
    title = page.seo_title or page.title
    return make_head(catalog, title=title, description=description, brand_name=_brand(context).name)


def _script(node: structured_data.Node) -> SafeString:
    text = json.dumps(node, ensure_ascii=False).translate(_ESCAPES)
    return format_html('<script type="application/ld+json">{}</script>', mark_safe(text))  # noqa: S308 - escaped above


def _site(context: Context) -> structured_data.Site:
    return structured_data.site_of(context["request"], _brand(context))


def _brand(context: Context) -> Brand:
    found: Brand = context.get("brand") or default_brand()
    return found
