"""The places of runs that the shop has promised to people who aren't enrolled yet (setting PLACE_PROMISES)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from django.db.models import Count, Exists, F, OuterRef
from django.db.models.functions import Coalesce

from courses.models import CourseRun, Enrollment
from ecommerce.models import DiscountCode, Order, OrderLine, OrderLineCourse


def count_promised(run_ids: Collection[int], *, except_for: int | None = None) -> Counter[int]:
    """Count what unredeemed registration codes and pending orders will give, in three queries.

    A pending order of a learner who is in the run already, and buys an upgrade, takes no place.
    """
    promised: Counter[int] = Counter()
    for run_id, number in _count_codes(run_ids):
        promised[run_id] += number
    pending = Order.objects.pending().exclude(purchaser=except_for)
    lines = OrderLine.objects.filter(order__in=pending, product__course_run__in=run_ids)
    has_run = Enrollment.objects.active().filter(user=OuterRef("order__purchaser"), run=OuterRef("product__course_run"))
    for run_id, seats, is_in_run in lines.values_list("product__course_run", "seats", Exists(has_run)):
        promised[run_id] += seats or (0 if is_in_run else 1)
    courses = OrderLineCourse.objects.filter(line__order__in=pending, run__in=run_ids)
    has_run = Enrollment.objects.active().filter(user=OuterRef("line__order__purchaser"), run=OuterRef("run"))
    for (run_id,) in courses.filter(~Exists(has_run)).values_list("run"):
        promised[run_id or 0] += 1
    return promised


def _count_codes(run_ids: Collection[int]) -> list[tuple[int, int]]:
    # A code is moved within its course only, so those of the course's sales are all that can give one of these runs.
    courses = CourseRun.all_objects.filter(pk__in=run_ids).values("course")
    codes = DiscountCode.objects.filter(
        discount__seat_sale__course_run__course__in=courses, discount__is_active=True, active=True, uses=0
    )
    given = codes.annotate(run=Coalesce(F("moved_to"), F("discount__seat_sale__course_run"))).filter(run__in=run_ids)
    return list(given.order_by().values_list("run").annotate(Count("pk")))
