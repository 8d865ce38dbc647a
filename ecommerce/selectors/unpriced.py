"""What should be sold but can't be, because its price isn't set."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from ecommerce.models import Product


def runs_without_price(now: datetime) -> QuerySet[CourseRun]:
    """Return the live runs that aren't over, aren't declared free, and have no price. No one can enroll in them."""
    priced = Product.objects.filter(course_run=OuterRef("pk"), requires_code=False, price__gt=0)
    runs = CourseRun.objects.not_over(now).exclude(run_tag=SOURCE_TAG).filter(~Exists(priced), is_free=False)
    return runs.select_related("course").order_by("start_date", "pk")
