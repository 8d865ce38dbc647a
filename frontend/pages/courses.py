"""What the pages of courses show beside what editors wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Exists, OuterRef, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cms.models import CoursePage, ProgramPage
from cms.selectors.addresses import program_url
from cms.selectors.covers import cover_url
from cms.selectors.pages import listed_courses, program_pages_with_course, with_pages
from courses.models import Course, ProgramRequirement
from courses.selectors.programs import courses_under, requirements_trees
from frontend.pages.buy_panel import BuyPanel, buy_panel
from frontend.pages.cards import (
    CourseCard,
    CourseTile,
    course_cards,
    enrolled_course_ids,
    length_text,
)
from frontend.pages.offers import CourseOffer, course_offers
from frontend.site.navigation import CATALOG, Crumb
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_short_day

RELATED_COURSE_COUNT = 4


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact at the top of a course page: an icon, a title and a smaller line."""

    icon: str
    title: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProgramLink:
    """A program a course belongs to."""

    title: str
    url: str
    courses: tuple[CourseTile, ...]


@dataclass(frozen=True, slots=True)
class CoursePageData:
    course: Course
    offer: CourseOffer
    panel: BuyPanel
    facts: tuple[Fact, ...]
    breadcrumb: tuple[Crumb, ...]
    programs: tuple[ProgramLink, ...]
    related: tuple[CourseCard, ...]
    image_url: str


def build_course_page(
    page: CoursePage, *, user_id: int | None, now: datetime, support_email: str = ""
) -> CoursePageData | None:
    """What a course page shows; four queries for a signed-out visitor.

    None until an editor has chosen its course.
    """
    course = page.course
    if course is None:
        return None
    related = related_courses(course)
    offers = course_offers([course.pk, *(each.pk for each in related)], now=now)
    return CoursePageData(
        course=course,
        offer=offers[course.pk],
        panel=buy_panel(course, user_id=user_id, now=now, support_email=support_email, offers=offers),
        facts=tuple(course_facts(page, offers[course.pk])),
        breadcrumb=(
            Crumb(str(CATALOG.text), CATALOG.url),
            Crumb(course.department.name, f"{CATALOG.url}?department={course.department.slug}"),
            Crumb(course.title),
        ),
        programs=tuple(program_links(program_pages_with_course(course.pk))),
        related=tuple(course_cards(related, offers=offers, enrolled=enrolled_course_ids(user_id, now=now))),
        image_url=cover_url(page.card_image),
    )


def course_facts(page: CoursePage, offer: CourseOffer) -> Iterable[Fact]:
    course = page.subject
    start = offer.next_start
    if start is not None and start > offer.now:
        yield Fact("calendar", format_short_day(start, today=clock.date_of(offer.now)), _("Next start"))
    elif offer.any_time:
        yield Fact("calendar", _("Start any time"), _("At your own pace"))
    elif start is not None:
        yield Fact("calendar", format_short_day(start, today=clock.date_of(offer.now)), _("Started"))
    if course.duration_weeks:
        yield Fact("clock", length_text(course), hours_text(course))
    yield Fact("level", course.get_level_display(), page.prerequisites)
    if offer.gives_certificate:
        yield Fact("award", _("Certificate"), _("Earned when you pass"))


def hours_text(course: Course) -> str:
    """“4–6 hours a week”; empty if unknown."""
    least, most = course.hours_per_week_min, course.hours_per_week_max
    if least and most and least != most:
        return _("%(least)d–%(most)d hours a week") % {"least": least, "most": most}
    hours = most or least
    return ngettext("%(hours)d hour a week", "%(hours)d hours a week", hours) % {"hours": hours} if hours else ""


def related_courses(course: Course) -> list[Course]:
    """Courses of the same programs first, then of the same department; one query."""
    programs = ProgramRequirement.objects.filter(course=course).values("program_id")
    in_same_program = ProgramRequirement.objects.filter(course=OuterRef("pk"), program_id__in=programs)
    others = with_pages(listed_courses()).exclude(pk=course.pk).annotate(in_same_program=Exists(in_same_program))
    same_department_first = Case(When(department=course.department_id, then=Value(0)), default=Value(1))
    return list(others.order_by("-in_same_program", same_department_first, "title", "pk")[:RELATED_COURSE_COUNT])


def program_links(pages: Iterable[ProgramPage]) -> Iterable[ProgramLink]:
    """Programs with the tiles of their courses; two queries, or one if there is no program."""
    listed = list(pages)
    tiles = program_tiles([page.program_id for page in listed])
    for page in listed:
        yield ProgramLink(title=page.subject.title, url=program_url(page.subject), courses=tiles[page.program_id])


def program_tiles(program_ids: Sequence[int]) -> dict[int, tuple[CourseTile, ...]]:
    """The courses of each program, in order; one query, or none without programs."""
    return {
        program_id: tuple(course_tile(course) for node in tree for course in courses_under(node))
        for program_id, tree in requirements_trees(program_ids).items()
    }


def course_tile(course: Course) -> CourseTile:
    return CourseTile(readable_id=course.readable_id, department_slug=course.department.slug, title=course.title)
