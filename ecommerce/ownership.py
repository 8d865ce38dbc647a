"""Which courses things on sale give, and which of them someone has or is paying for: what no one is sold twice.

A run gives its course. A program gives one run of each course it requires, the soonest that is open; where the learner
is in a run of such a course already, that course is theirs, whichever run it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.conf import settings

from courses.enums import EnrollmentMode
from courses.models import Enrollment
from courses.selectors.programs import open_runs_of_programs
from ecommerce.enums import PAYING_STATES, AttemptState, OrderState
from ecommerce.models import Order, OrderLine, Product

# Courses, each with the run of it that is given.
RunsByCourse: TypeAlias = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class EnrolledRun:
    """Someone's enrollment in a run."""

    run_id: int
    mode: str
    title: str
    is_over: bool


def find_product_runs(products: Iterable[Product], *, now: datetime) -> dict[int, RunsByCourse]:
    """What each product gives, by its key; two queries where there is a program, none without. Runs are loaded."""
    products = list(products)
    ids = {product.program_id for product in products if product.program_id is not None}
    programs = open_runs_of_programs(ids, now=now)
    return {
        product.pk: {product.course_run.course_id: product.course_run.pk}
        if product.course_run is not None
        else programs.get(product.program_id or 0, {})
        for product in products
    }


def find_enrolled_runs(user_id: int, course_ids: Collection[int], *, now: datetime) -> dict[int, list[EnrolledRun]]:
    """Where someone is enrolled in these courses, contracts' runs included; one query, none without courses."""
    if not course_ids:
        return {}
    enrollments = Enrollment.objects.active().of(user_id).filter(run__course__in=course_ids)
    found: dict[int, list[EnrolledRun]] = {}
    for each in enrollments.select_related("run__course").order_by("pk"):
        place = EnrolledRun(each.run_id, each.mode, each.run.course.title, is_over=each.run.has_ended(now))
        found.setdefault(each.run.course_id, []).append(place)
    return found


def find_owned_courses(
    product: Product, given: RunsByCourse, places: Mapping[int, Sequence[EnrolledRun]]
) -> dict[int, str]:
    """The courses of a product that someone has, with their titles. Auditing isn't having what is sold as verified.

    Of a run on sale: that run, or another of its course that isn't over. Of a contract's run: that run, because its
    seat opens more than the course. Of a program: any run of a course, also one that is over.
    """
    enough = {product.mode, EnrollmentMode.VERIFIED}
    had = {}
    for course_id, run_id in given.items():
        for place in places.get(course_id, ()):
            counts = place.run_id == run_id
            counts = counts or (not product.requires_code and (product.course_run is None or not place.is_over))
            if counts and place.mode in enough:
                had[course_id] = place.title
    return had


def choose_runs_to_enroll(
    product: Product, given: RunsByCourse, places: Mapping[int, Sequence[EnrolledRun]]
) -> list[int]:
    """The runs a buyer is enrolled in: of a program only courses they don't have, and upgraded where they are auditing.

    So no one comes into a second run of a course by a program.
    """
    if product.course_run is not None:
        return list(given.values())
    had = find_owned_courses(product, given, places)
    return [
        next((place.run_id for place in places.get(course_id, ()) if not place.is_over), run_id)
        for course_id, run_id in given.items()
        if course_id not in had
    ]


def sells_partly_owned_programs() -> bool:
    """Whether the shop sells a program at its full price to someone who has some of its courses."""
    return bool(settings.SELL_PARTLY_OWNED_PROGRAMS)


@dataclass(frozen=True, slots=True)
class UnsettledOrder:
    """What an order would give whose money is here or on its way.

    ``is_at_bank``: the bank takes its time; ``is_in_review``: the money is here, and staff decide about it.
    """

    number: str
    product_ids: frozenset[int]
    course_ids: frozenset[int]
    titles: tuple[str, ...] = ()
    is_at_bank: bool = False
    is_in_review: bool = False


def find_unsettled_orders(user_id: int) -> list[UnsettledOrder]:
    """Someone's orders that wait for their bank, or for staff to decide about their money; one query for none."""
    waiting = Order.objects.of(user_id).filter(
        state__in=(OrderState.PENDING, OrderState.REVIEW), attempts__state__in=PAYING_STATES
    )
    orders = waiting.distinct().order_by("pk").prefetch_related("attempts", "lines__product__course_run")
    return [_describe_unsettled(order) for order in orders if order.state == OrderState.PENDING or has_money(order)]


def _describe_unsettled(order: Order) -> UnsettledOrder:
    """What an order would give, as it was when it was placed."""
    lines = list(order.lines.all())
    given = find_product_runs([line.product for line in lines], now=order.placed_at)
    return UnsettledOrder(
        number=order.number,
        product_ids=frozenset(given),
        course_ids=frozenset(course_id for each in given.values() for course_id in each),
        titles=tuple(line.title for line in lines),
        is_at_bank=order.state == OrderState.PENDING and not has_money(order),
        is_in_review=order.state == OrderState.REVIEW,
    )


def has_money(order: Order) -> bool:
    """Whether money of an order is here that no one has given back, or is giving back."""
    return any(not attempt.refundable.is_zero for attempt in order.attempts.all() if attempt.state == AttemptState.PAID)


def find_deliverable_lines(order_id: int) -> list[OrderLine]:
    """The lines of an order that give something, with what they sell: those whose whole price wasn't given back."""
    lines = OrderLine.objects.standing().filter(order_id=order_id)
    return list(lines.select_related("product__course_run", "order").order_by("pk"))
