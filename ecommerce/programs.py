"""What a program gives its buyer: the start of each course, and what comes off for courses that they have already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from courses.models import Course, CourseRun
from courses.models.run import SOURCE_TAG
from courses.selectors.programs import CourseStarts, starts_of_programs
from ecommerce.enums import OwnedCourses
from ecommerce.models import Product, ShopSettings
from ecommerce.ownership import EnrolledRun, RunsByCourse, find_enrolled_runs, has_mode
from mitxonline.kernel.dates import format_day
from mitxonline.kernel.money import Money

# The starts that were chosen for a program, by the id of the course.
ChosenStarts = Mapping[int, CourseRun]


@dataclass(frozen=True, slots=True)
class ProgramCourse:
    """One course of a program, for one buyer.

    ``run`` is the start they get: none where they have the course or it isn't open. ``starts`` are those to choose
    from; who audits the course stays in their run and has none. ``closed_start`` was chosen and is no longer open.
    """

    course: Course
    run: CourseRun | None
    starts: tuple[CourseRun, ...] = ()
    is_owned: bool = False
    closed_start: CourseRun | None = None
    deducted: Money | None = None

    @property
    def has_choice(self) -> bool:
        """Whether the buyer has to see a choice: several starts, or one in place of the start they had chosen."""
        return len(self.starts) > 1 or (self.closed_start is not None and bool(self.starts))


@dataclass(frozen=True)
class ProgramTerms:
    """A program as it is sold to one buyer, its courses in the order of its requirements.

    ``policy`` says what the courses the buyer has mean for the price; None where it makes no difference.
    """

    courses: tuple[ProgramCourse, ...] = ()
    policy: OwnedCourses | None = None

    @cached_property
    def given(self) -> tuple[ProgramCourse, ...]:
        return tuple(each for each in self.courses if each.run is not None)

    @cached_property
    def owned(self) -> tuple[ProgramCourse, ...]:
        return tuple(each for each in self.courses if each.is_owned)

    @property
    def missing(self) -> tuple[ProgramCourse, ...]:
        """Courses that aren't open now, so that the program comes without them."""
        return tuple(each for each in self.courses if each.run is None and not each.is_owned)

    @property
    def has_choice(self) -> bool:
        return any(each.has_choice for each in self.courses)

    @property
    def closed_start(self) -> ProgramCourse | None:
        """The first course whose chosen start is no longer open."""
        return next((each for each in self.courses if each.closed_start is not None), None)

    @property
    def runs(self) -> RunsByCourse:
        return {each.course.pk: each.run.pk for each in self.given if each.run is not None}

    @property
    def deduction(self) -> Money | None:
        """What comes off the program's price for owned courses, never more than that price."""
        amounts = [each.deducted for each in self.courses if each.deducted is not None]
        return Money.sum(amounts, amounts[0].currency) if amounts else None


def describe_programs(
    products: Iterable[Product],
    *,
    user_id: int | None,
    now: datetime,
    chosen: Mapping[int, ChosenStarts] | None = None,
) -> dict[int, ProgramTerms]:
    """Return the terms of the programs among these products, by the product's id.

    ``chosen`` has the starts that the buyer chose, by the product's id. No queries where there is no program; else two,
    one more if signed in, and two more where the buyer has some of the courses.
    """
    programs = [product for product in products if product.program_id is not None]
    if not programs:
        return {}
    starts = starts_of_programs({product.program_id or 0 for product in programs}, now=now)
    course_ids = {each.course.pk for listed in starts.values() for each in listed}
    enrolled = find_enrolled_runs(user_id, course_ids, now=now) if user_id is not None else {}
    terms = {
        product.pk: _describe(product, starts[product.program_id or 0], enrolled, (chosen or {}).get(product.pk, {}))
        for product in programs
    }
    if not any(each.owned and each.given for each in terms.values()):
        return terms
    owned_ids = {each.course.pk for listed in terms.values() for each in listed.owned}
    policy = OwnedCourses(ShopSettings.of_site().owned_courses)
    prices = find_list_prices(owned_ids, now=now) if policy == OwnedCourses.DEDUCT else {}
    return {product.pk: _apply_policy(product, terms[product.pk], policy, prices) for product in programs}


def find_list_prices(course_ids: Collection[int], *, now: datetime) -> dict[tuple[int, str], Money]:
    """Return what each course costs on its own, by course and currency: the lowest price among its starts on sale.

    A course without such a start counts at the lowest price it was last sold at. One that has a start for nothing costs
    nothing and isn't among them.
    """
    on_offer = CourseRun.objects.not_over(now).filter(pk=OuterRef("course_run"))
    sold = Product.objects.public().filter(course_run__in=CourseRun.objects.filter(course__in=course_ids))
    sold = sold.exclude(course_run__run_tag=SOURCE_TAG).select_related("course_run")
    prices: dict[tuple[int, str], Money] = {}
    ordered = sold.annotate(is_on_offer=Exists(on_offer)).order_by("-is_on_offer", "-mode", "price", "pk")
    for product in ordered:
        if product.course_run is not None:
            prices.setdefault((product.course_run.course_id, product.currency), product.money)
    return {course: price for course, price in prices.items() if not price.is_zero}


def start_text(run: CourseRun) -> str:
    """When a run starts, whenever one reads it: “18 January 2027”, “at your own pace”."""
    if run.is_self_paced or run.start_date is None:
        return _("at your own pace")
    return format_day(run.start_date)


def _describe(
    product: Product,
    courses: Iterable[CourseStarts],
    enrolled: Mapping[int, Sequence[EnrolledRun]],
    chosen: ChosenStarts,
) -> ProgramTerms:
    return ProgramTerms(
        tuple(
            _describe_course(product, each, enrolled.get(each.course.pk, ()), chosen.get(each.course.pk))
            for each in courses
        )
    )


def _describe_course(
    product: Product, course: CourseStarts, enrolled: Sequence[EnrolledRun], chosen: CourseRun | None
) -> ProgramCourse:
    if any(has_mode(each, product) for each in enrolled):
        return ProgramCourse(course.course, run=None, is_owned=True)
    audited = next((each.run for each in enrolled if not each.is_over), None)
    if audited is not None and course.runs:
        return ProgramCourse(course.course, run=audited)
    run = next((each for each in course.runs if each == chosen), None)
    return ProgramCourse(
        course.course,
        run=run or next(iter(course.runs), None),
        starts=course.runs,
        closed_start=chosen if run is None else None,
    )


def _apply_policy(
    product: Product, terms: ProgramTerms, policy: OwnedCourses, prices: Mapping[tuple[int, str], Money]
) -> ProgramTerms:
    """Set the policy, and deduct the owned courses one after the other until nothing is left of the price."""
    if not terms.owned or not terms.given:
        return terms
    left, courses = product.money, []
    for each in terms.courses:
        price = prices.get((each.course.pk, product.currency)) if each.is_owned else None
        if price is not None:
            price = min(price, left)
            left -= price
        courses.append(replace(each, deducted=price))
    return ProgramTerms(tuple(courses), policy)
