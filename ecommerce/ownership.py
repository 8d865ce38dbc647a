"""Which courses a product gives, and which of them a learner has or is paying for, so that none is sold twice.

A run gives its course. A program gives one run of each course it requires, which the buyer has chosen. A learner who
is enrolled in any run of such a course has that course already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.db.models import QuerySet

from courses.enums import EnrollmentMode
from courses.models import CourseRun, Enrollment
from courses.selectors.programs import starts_of_programs
from ecommerce.enums import PAYING_STATES, AttemptState, OrderState
from ecommerce.models import LineKey, Order, OrderLine, OrderLineCourse, Product

# The ids of courses, each with the id of the run that is given.
RunsByCourse: TypeAlias = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class EnrolledRun:
    run: CourseRun
    mode: str
    title: str
    is_over: bool

    @property
    def run_id(self) -> int:
        return self.run.pk


def find_line_runs(lines: Iterable[OrderLine]) -> dict[int, RunsByCourse]:
    """Return what each order line gives its buyer, by its id; runs and orders are loaded.

    A group's line gives its buyer nothing but codes.
    A program gives the starts stored with its line. Programs sold before starts were stored give what was suggested
    when they were ordered.
    """
    lines = list(lines)
    programs = [line for line in lines if line.product.program_id is not None]
    stored: dict[int, dict[int, int]] = {}
    is_known = set()
    for row in OrderLineCourse.objects.filter(line__in=programs) if programs else ():
        is_known.add(row.line_id)
        if row.run_id is not None:
            stored.setdefault(row.line_id, {})[row.course_id] = row.run_id
    runs: dict[int, RunsByCourse] = {}
    for line in lines:
        if line.is_group:
            runs[line.pk] = {}
        elif line.product.course_run is not None:
            runs[line.pk] = {line.product.course_run.course_id: line.product.course_run.pk}
        elif line.pk in is_known:
            runs[line.pk] = stored.get(line.pk, {})
        else:
            runs[line.pk] = _suggest_runs(line.product.program_id or 0, now=line.order.placed_at)
    return runs


def _suggest_runs(program_id: int, *, now: datetime) -> RunsByCourse:
    starts = starts_of_programs([program_id], now=now)[program_id]
    return {each.course.pk: each.runs[0].pk for each in starts if each.runs}


def find_enrolled_runs(user_id: int, course_ids: Collection[int], *, now: datetime) -> dict[int, list[EnrolledRun]]:
    """Return a learner's enrollments in these courses, by course, contract runs included; at most one query."""
    if not course_ids:
        return {}
    enrollments = Enrollment.objects.active().of(user_id).filter(run__course__in=course_ids)
    enrolled: dict[int, list[EnrolledRun]] = {}
    for each in enrollments.select_related("run__course").order_by("pk"):
        run = EnrolledRun(each.run, each.mode, each.run.course.title, is_over=each.run.has_ended(now))
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
    owned = {}
    for course_id, run_id in runs.items():
        for each in enrolled.get(course_id, ()):
            is_other_run_enough = not product.requires_code and (product.course_run is None or not each.is_over)
            if (each.run_id == run_id or is_other_run_enough) and has_mode(each, product):
                owned[course_id] = each.title
    return owned


def has_mode(enrolled: EnrolledRun, product: Product) -> bool:
    """Whether an enrollment gives as much as the product: auditing doesn't, where the product is sold as verified."""
    return enrolled.mode in {product.mode, EnrollmentMode.VERIFIED}


def choose_runs_to_enroll(
    product: Product, runs: RunsByCourse, enrolled: Mapping[int, Sequence[EnrolledRun]]
) -> RunsByCourse:
    """Return the runs to enroll a buyer in.

    A program gives only courses that the buyer doesn't have. Where they audit one, that run is upgraded: no one gets a
    second run of a course from a program.
    """
    if product.course_run is not None:
        return runs
    owned = find_owned_courses(product, runs, enrolled)
    return {
        course_id: next((each.run_id for each in enrolled.get(course_id, ()) if not each.is_over), run_id)
        for course_id, run_id in runs.items()
        if course_id not in owned
    }


def record_given_runs(line: OrderLine, planned: RunsByCourse, given: RunsByCourse) -> None:
    """Correct the starts of a program's line where the buyer got a course, or another run of it, since they ordered."""
    for course_id, run_id in planned.items():
        if given.get(course_id) != run_id:
            line.courses.filter(course=course_id).update(run=given.get(course_id))


@dataclass(frozen=True, slots=True)
class UnsettledOrder:
    """An order whose money has come or is on its way, and what it would give.

    ``is_at_bank``: the bank takes days. ``is_in_review``: the money has come, and staff decide.
    """

    number: str
    line_keys: frozenset[LineKey]
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
    runs = find_line_runs(lines)
    return UnsettledOrder(
        number=order.number,
        line_keys=frozenset(line.line_key for line in lines),
        course_ids=frozenset(course_id for each in runs.values() for course_id in each),
        titles=tuple(line.title for line in lines),
        is_at_bank=order.state == OrderState.PENDING and not has_money(order),
        is_in_review=order.state == OrderState.REVIEW,
    )


def has_money(order: Order) -> bool:
    """Whether a payment of the order has money left that isn't refunded or reserved for a refund."""
    return any(not attempt.refundable.is_zero for attempt in order.attempts.all() if attempt.state == AttemptState.PAID)


def find_program_lines(user_id: int) -> QuerySet[OrderLine]:
    """Return the lines by which the learner bought programs for themselves, and whose price didn't go back."""
    lines = OrderLine.objects.standing().filter(
        product__program__isnull=False,
        seats__isnull=True,
        order__purchaser=user_id,
        order__state__in=(OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED),
    )
    return lines.order_by("pk")


def has_bought_program(user_id: int, program_id: int) -> bool:
    """Whether the learner bought this program, and the price didn't go back."""
    return find_program_lines(user_id).filter(product__program=program_id).exists()


def find_standing_lines(order_id: int) -> list[OrderLine]:
    """Return the lines of an order that weren't refunded in full, with their products."""
    lines = OrderLine.objects.standing().filter(order_id=order_id)
    return list(lines.select_related("product__course_run", "order", "seat_sale").order_by("pk"))


def find_deliverable_lines(order_id: int) -> list[OrderLine]:
    """Return those lines of an order that give its buyer courses. A group's line gives codes."""
    return [line for line in find_standing_lines(order_id) if not line.is_group]
