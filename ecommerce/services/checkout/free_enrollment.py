"""Enrolling in a run that costs nothing."""

from __future__ import annotations

from datetime import datetime

from courses.errors import RunNotFree, RunNotLive
from courses.models import Enrollment
from courses.services.enrollments import enroll_free as enroll_as_auditor
from ecommerce.models import Product


def enroll_free(*, user_id: int, run_id: int, now: datetime) -> Enrollment:
    """Enroll in a public run that has no price.

    Raises RunNotFree where it has one, RunNotLive where that one is off sale, which doesn't make the run free, or what
    courses' own ``enroll_free`` raises.
    """
    priced = Product.objects.filter(course_run_id=run_id, requires_code=False, price__gt=0)
    product = priced.select_related("course_run").order_by("-is_active").first()
    if product is not None:
        raise RunNotFree(title=product.title) if product.is_active else RunNotLive(title=product.title)
    return enroll_as_auditor(user_id=user_id, run_id=run_id, now=now)
