"""Pages as answers have them, in constant queries for any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from wagtail.models import Locale, Page

from api.b2b.drawing import expand_texts
from api.catalog import page_schemas as schemas
from api.catalog.drawing import draw_course_alone, draw_length
from api.catalog.programs import ProgramFacts, draw_alone, read_programs
from api.catalog.reading import CourseFacts, read_courses
from cms.models import CoursePage, Instructor, ProgramPage
from cms.selectors.covers import cover_url, find_cover, prefetch_covers
from courses.selectors.run_dates import effort_text
from ecommerce.models import Product
from mitxonline.kernel import clock

Block = Mapping[str, Any]


def draw_pages(request: HttpRequest, pages: Sequence[Page]) -> list[schemas.Page]:
    languages = _languages()
    return [_draw_page(request, each, languages) for each in pages]


def draw_course_pages(request: HttpRequest, pages: Sequence[Any]) -> list[schemas.CoursePageItem]:
    """Draw pages whose courses and departments are loaded."""
    courses = read_courses([each.course for each in pages], now=clock.now())
    facts = {each.course.pk: each for each in courses}
    languages, texts = _languages(), _read_texts(pages)
    prefetch_covers([person.picture for each in courses for person in each.instructors])
    return [_draw_course_page(request, page, facts[page.course_id], texts[page.pk], languages) for page in pages]


def draw_program_pages(request: HttpRequest, pages: Sequence[Any]) -> list[schemas.ProgramPageItem]:
    """Draw pages whose programs and departments are loaded."""
    programs = {each.program.pk: each for each in read_programs([page.program for page in pages])}
    languages, texts = _languages(), _read_texts(pages)
    people = [person for each in programs.values() for course in each.courses for person in course.instructors]
    prefetch_covers([person.picture for person in people])
    return [_draw_program_page(request, page, programs[page.program_id], texts[page.pk], languages) for page in pages]


def _draw_course_page(
    request: HttpRequest, page: CoursePage, facts: CourseFacts, about: str, languages: Mapping[int, str]
) -> schemas.CoursePageItem:
    course = facts.course
    return schemas.CoursePageItem(
        **dict(_draw_page(request, page, languages)),
        **_draw_body(request, page, about),
        **_draw_prices(facts.offered),
        description=course.summary,
        length=draw_length(course),
        effort=effort_text(course) or None,
        min_weekly_hours=_text(course.hours_per_week_min),
        max_weekly_hours=_text(course.hours_per_week_max),
        min_weeks=course.duration_weeks,
        max_weeks=course.duration_weeks,
        prerequisites=page.prerequisites or None,
        feature_image=_draw_image(request, facts.page),
        faculty=_draw_people(request, facts.instructors),
        course_details=draw_course_alone(request, facts),
        topic_list=[schemas.Topic(name=each.name, parent="") for each in course.topics.all()],
        include_in_learn_catalog=True,
        ingest_content_files_for_ai=False,
    )


def _draw_program_page(
    request: HttpRequest, page: ProgramPage, facts: ProgramFacts, about: str, languages: Mapping[int, str]
) -> schemas.ProgramPageItem:
    drawn = draw_alone(request, facts)
    people = dict.fromkeys(person for each in facts.courses for person in each.instructors)
    return schemas.ProgramPageItem(
        **dict(_draw_page(request, page, languages)),
        **_draw_body(request, page, about),
        **_draw_prices(facts.products),
        description=facts.program.summary,
        length="",
        effort=None,
        min_weekly_hours="",
        max_weekly_hours="",
        min_weeks=drawn.min_weeks,
        max_weeks=drawn.max_weeks,
        prerequisites=None,
        feature_image=_draw_image(request, facts.page),
        faculty=_draw_people(request, list(people)),
        program_details=drawn,
    )


def _draw_page(request: HttpRequest, page: Page, languages: Mapping[int, str]) -> schemas.Page:
    return schemas.Page(
        id=page.pk,
        title=page.title,
        meta=schemas.PageMeta(
            type=page._meta.label,
            detail_url=request.build_absolute_uri(f"/api/v2/pages/{page.pk}/"),
            html_url=request.build_absolute_uri(page.get_url(request)),
            slug=page.slug,
            show_in_menus=page.show_in_menus,
            seo_title=page.seo_title,
            search_description=page.search_description,
            first_published_at=page.first_published_at,
            alias_of=str(page.alias_of_id) if page.alias_of_id else None,
            locale=languages[page.locale_id],
            live=page.live,
            last_published_at=page.last_published_at,
        ),
    )


def _draw_body(request: HttpRequest, page: CoursePage | ProgramPage, about: str) -> dict[str, Any]:
    outcomes = _first(page, "outcomes")
    items = _list(outcomes.get("items")) if outcomes else []
    faculty, video = _first(page, "faculty"), _first(page, "video")
    return {
        "about": about or None,
        "what_you_learn": format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((each,) for each in items)))
        if items
        else None,
        "video_url": video.get("address") or None if video else None,
        "faculty_section_title": faculty.get("heading") or None if faculty else None,
        "faq_url": None,
        "certificate_page": None,
        "show_stay_updated": False,
        "how_youll_learn": [],
    }


def _draw_prices(products: Sequence[Product]) -> dict[str, Any]:
    amounts: list[Decimal] = [each.price for each in products]
    return {
        "price": [
            schemas.PriceItem(
                type="price_details",
                value=schemas.PriceText(text=each.money.formatted(), link=""),
                id=uuid5(NAMESPACE_URL, f"product:{each.pk}"),
            )
            for each in products
        ],
        "min_price": min(amounts, default=None),
        "max_price": max(amounts, default=None),
    }


def _draw_image(request: HttpRequest, page: CoursePage | ProgramPage | None) -> schemas.FeatureImage | None:
    image = page.card_image if page is not None else None
    cover = find_cover(image)
    if image is None or cover is None:
        return None
    return schemas.FeatureImage(
        title=image.title,
        image_url=request.build_absolute_uri(cover.url),
        height=cover.height,
        width=cover.width,
    )


def _draw_people(request: HttpRequest, people: Sequence[Instructor]) -> list[schemas.Faculty]:
    return [
        schemas.Faculty(
            id=each.pk,
            instructor_name=each.name,
            instructor_title="",
            instructor_bio_short=each.about,
            instructor_bio_long="",
            feature_image_src=request.build_absolute_uri(url) if (url := cover_url(each.picture)) else None,
        )
        for each in people
    ]


def _read_texts(pages: Sequence[CoursePage | ProgramPage]) -> dict[int, str]:
    """Return each page's blocks of text as HTML; the pages they link to are looked up together."""
    sources = ["".join(_text_of(block) for block in _blocks(page, "text")) for page in pages]
    return dict(zip((page.pk for page in pages), expand_texts(sources), strict=True))


def _text_of(block: Block) -> str:
    heading = block.get("heading") or ""
    return (format_html("<h2>{}</h2>", heading) if heading else "") + str(block.get("text") or "")


def _first(page: CoursePage | ProgramPage, kind: str) -> Block | None:
    return next(iter(_blocks(page, kind)), None)


def _blocks(page: CoursePage | ProgramPage, kind: str) -> list[Block]:
    """Return the stored values of the page's blocks of this kind, without queries."""
    return [each["value"] for each in page.body.raw_data if each["type"] == kind]


def _list(stored: Any) -> list[str]:
    return [str(each["value"] if isinstance(each, dict) else each) for each in stored or ()]


def _languages() -> dict[int, str]:
    return dict(Locale.objects.values_list("pk", "language_code"))


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
