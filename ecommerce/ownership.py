"""Which courses a product gives, and which of them a learner has or is paying for, so that none is sold twice.

A run gives its course. A program gives one run of each course it requires: the next one that is open. A learner who is
enrolled in any run of such a course has that course already.
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

# The ids of courses, each with the id of the run that is given.
RunsByCourse: TypeAlias = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class EnrolledRun:
    run_id: int
    mode: str
    title: str
    is_over: bool


def find_product_runs(products: Iterable[Product], *, now: datetime) -> dict[int, RunsByCourse]:
    """Return what each product gives, by its id. Two queries if there is a program, else none: runs are loaded."""
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
    """Return a learner's enrollments in these courses, by course, contract runs included; at most one query."""
    if not course_ids:
        return {}
    enrollments = Enrollment.objects.active().of(user_id).filter(run__course__in=course_ids)
    enrolled: dict[int, list[EnrolledRun]] = {}
    for each in enrollments.select_related("run__course").order_by("pk"):
        run = EnrolledRun(each.run_id, each.mode, each.run.course.title, is_over=each.run.has_ended(now))
        enrolled.setdefault(each.run.course_id, []).append(run)
    return enrolled


def find_owned_courses(
    product: Product, runs: RunsByCourse, enrolled: Mapping[int, Sequence[EnrolledRun]]
) -> dict[int, str]:
    """Return the courses of a product that the learner has, with their titles.

    Which enrollment counts depends on the product. For a run on sale: one in that run, or in another run of the course
    that isn't over. For a contract's run: only one in that run, because a seat gives more than the course. For a
    program: one in any run of a course, also a run that is over. Auditing doesn't count for what is sold as verified.
    """
    sufficient_modes = {product.mode, EnrollmentMode.VERIFIED}
    owned = {}
    for course_id, run_id in runs.items():
        for each in enrolled.get(course_id, ()):
            is_other_run_enough = not product.requires_code and (product.course_run is None or not each.is_over)
            if (each.run_id == run_id or is_other_run_enough) and each.mode in sufficient_modes:
                owned[course_id] = each.title
    return owned


def choose_runs_to_enroll(
    product: Product, runs: RunsByCourse, enrolled: Mapping[int, Sequence[EnrolledRun]]
) -> list[int]:
    """Return the runs to enroll a buyer in.

    A program gives only courses that the buyer doesn't have. Where they audit one, that run is upgraded: no one gets a
    second run of a course from a program.
    """
    if product.course_run is not None:
        return list(runs.values())
    owned = find_owned_courses(product, runs, enrolled)
    return [
        next((each.run_id for each in enrolled.get(course_id, ()) if not each.is_over), run_id)
        for course_id, run_id in runs.items()
        if course_id not in owned
    ]


def sells_partly_owned_programs() -> bool:
    """Whether programs are sold, at the full price, to learners who have some of the courses."""
    return bool(settings.SELL_PARTLY_OWNED_PROGRAMS)


@dataclass(frozen=True, slots=True)
class UnsettledOrder:
    """An order whose money has come or is on its way, and what it would give.

    ``is_at_bank``: the bank takes days. ``is_in_review``: the money has come, and staff decide.
    """

    number: str
    product_ids: frozenset[int]
    course_ids: frozenset[int]
    titles: tuple[str, ...] = ()
    is_at_bank: bool = False
    is_in_review: bool = False


def find_unsettled_orders(user_id: int) -> list[UnsettledOrder]:
    """Return a learner's orders that wait for their bank or for staff; one query if there are none."""
    waiting = Order.objects.of(user_id).filter(
        state__in=(OrderState.PENDING, OrderState.REVIEW), attempts__state__in=PAYING_STATES
    )
    orders = waiting.distinct().order_by("pk").prefetch_related("attempts", "lines__product__course_run")
    return [_describe_unsettled(order) for order in orders if order.state == OrderState.PENDING or has_money(order)]


def _describe_unsettled(order: Order) -> UnsettledOrder:
    lines = list(order.lines.all())
    runs = find_product_runs([line.product for line in lines], now=order.placed_at)
    return UnsettledOrder(
        number=order.number,
        product_ids=frozenset(runs),
        course_ids=frozenset(course_id for each in runs.values() for course_id in each),
        titles=tuple(line.title for line in lines),
        is_at_bank=order.state == OrderState.PENDING and not has_money(order),
        is_in_review=order.state == OrderState.REVIEW,
    )


def has_money(order: Order) -> bool:
    """Whether a payment of the order has money left that isn't refunded or reserved for a refund."""
    return any(not attempt.refundable.is_zero for attempt in order.attempts.all() if attempt.state == AttemptState.PAID)


def find_deliverable_lines(order_id: int) -> list[OrderLine]:
    """Return the lines of an order that give something, with their products: not those refunded in full."""
    lines = OrderLine.objects.standing().filter(order_id=order_id)
    return list(lines.select_related("product__course_run", "order").order_by("pk"))
