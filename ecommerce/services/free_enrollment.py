"""Coming into a run that has no price."""

from __future__ import annotations

from datetime import datetime

from courses.errors import RunNotFree
from courses.models import Enrollment
from courses.services.enrollments import enroll_free as enroll_as_auditor
from ecommerce.models import Product


def enroll_free(*, user_id: int, run_id: int, now: datetime) -> Enrollment:
    """Enroll in a public run without a price on sale.

    Raises RunNotFree where there is one, else what courses' own ``enroll_free`` raises.
    """
    priced = Product.objects.active().filter(course_run_id=run_id, price__gt=0).select_related("course_run")
    product = priced.first()
    if product is not None and not product.requires_code:
        raise RunNotFree(product.title)
    return enroll_as_auditor(user_id=user_id, run_id=run_id, now=now)
