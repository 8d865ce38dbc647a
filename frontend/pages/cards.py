"""Cards of courses and programs, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cms.selectors.addresses import course_url
from cms.selectors.covers import cover_url, prefetch_covers
from courses.models import Course, Enrollment
from frontend.pages.offers import CourseOffer, RunOffer, short_price
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_short_day
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course in a list. Texts that aren’t known are empty."""

    course_id: int
    url: str
    title: str
    summary: str
    department: str
    department_slug: str
    readable_id: str
    level: str
    length_text: str
    start_text: str
    self_paced: bool
    price_text: str
    price: Money | None
    image_url: str = ""
    was_text: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class CourseTile:
    readable_id: str
    department_slug: str
    title: str


@dataclass(frozen=True, slots=True)
class ProgramCard:
    program_id: int
    url: str
    title: str
    text: str
    courses: tuple[CourseTile, ...]
    count_text: str
    price_text: str = ""
    was_text: str = ""


def course_cards(
    courses: Iterable[Course],
    *,
    offers: Mapping[int, CourseOffer],
    enrolled: frozenset[int] = frozenset(),
) -> list[CourseCard]:
    """The cards of courses loaded with their pages; one query if any has a picture, else none."""
    listed = list(courses)
    prefetch_covers(course.page.card_image for course in listed)
    return [course_card(course, offer=offers[course.pk], is_enrolled=course.pk in enrolled) for course in listed]


def course_card(course: Course, *, offer: CourseOffer, is_enrolled: bool = False) -> CourseCard:
    return CourseCard(
        course_id=course.pk,
        url=course_url(course),
        title=course.title,
        summary=course.summary,
        department=course.department.name,
        department_slug=course.department.slug,
        readable_id=course.readable_id,
        level=course.get_level_display(),
        length_text=length_text(course),
        start_text=start_text(offer),
        self_paced=offer.any_time and not any(day > offer.now for day in offer.dates),
        price_text=price_text(offer),
        price=offer.price,
        image_url=cover_url(course.page.card_image),
        state=_card_state(offer, is_enrolled=is_enrolled),
    )


def _card_state(offer: CourseOffer, *, is_enrolled: bool) -> str:
    if is_enrolled:
        return "enrolled"
    if not offer.runs:
        return "closed"
    return "full" if offer.is_full else ""


def length_text(course: Course) -> str:
    """“8 weeks”; empty if unknown."""
    weeks = course.duration_weeks
    return ngettext("%(weeks)d week", "%(weeks)d weeks", weeks) % {"weeks": weeks} if weeks else ""


def start_text(offer: CourseOffer) -> str:
    """“Starts 12 Jan”, “Start any time”, “Started 9 Nov”; empty if nothing is on offer."""
    start = offer.next_start
    if start is not None and start > offer.now:
        return _starts(start, offer.now)
    if offer.any_time:
        return _("Start any time")
    if start is not None:
        return _starts(start, offer.now)
    if offer.opens_at is not None:
        return _("Opens %(day)s") % {"day": short_day(offer.opens_at, offer.now)}
    return ""


def run_start_text(run: RunOffer, now: datetime) -> str:
    """“Starts 12 Jan”, “Start any time”, “Started 9 Nov” of one start."""
    if run.starts_at is None or (run.self_paced and run.starts_at <= now):
        return _("Start any time")
    return _starts(run.starts_at, now)


def short_day(moment: datetime, now: datetime) -> str:
    return format_short_day(moment, today=clock.date_of(now))


def price_text(offer: CourseOffer) -> str:
    """“$249”, “From $99” where starts cost different amounts, “Free”; empty if nothing is on offer."""
    if offer.price is None:
        return _("Free") if offer.is_free else ""
    price = short_price(offer.price)
    if offer.has_free_start:
        return (_("Free or from %(price)s") if offer.has_several_prices else _("Free or %(price)s")) % {"price": price}
    return _("From %(price)s") % {"price": price} if offer.has_several_prices else price


def _starts(moment: datetime, now: datetime) -> str:
    verb = _("Starts %(day)s") if moment > now else _("Started %(day)s")
    return verb % {"day": short_day(moment, now)}


def enrolled_course_ids(user_id: int | None, *, now: datetime) -> frozenset[int]:
    """The courses the learner is enrolled in, in runs that aren’t over; no query for a signed-out visitor."""
    if user_id is None:
        return frozenset()
    enrollments = Enrollment.objects.active().of(user_id).exclude(run__end_date__lt=now)
    return frozenset(enrollments.values_list("run__course_id", flat=True))
