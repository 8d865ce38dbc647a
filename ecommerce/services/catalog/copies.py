"""A run copied together with its prices."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from courses.models import CourseRun
from courses.services.copies import copy_run
from ecommerce.models import Product
from ecommerce.services.catalog.prices import ProductDraft, put_on_sale


def copy_run_with_prices(
    *, run_id: int, tag: str, start: date, copies_prices: bool, by_id: int | None, now: datetime
) -> CourseRun:
    """Copy a run and, if asked to, what it is sold for. Raises RunKeyTaken; then nothing is copied."""
    with transaction.atomic():
        copy = copy_run(run_id=run_id, tag=tag, start=start)
        products = Product.objects.filter(course_run=run_id, requires_code=False) if copies_prices else ()
        for product in products:
            draft = ProductDraft(
                item=copy.courseware_id,
                price=product.price,
                currency=product.currency,
                mode=product.mode,
                description=product.description,
                is_active=product.is_active,
                sku=copy.courseware_id if product.mode == products[0].mode else f"{copy.courseware_id}-{product.mode}",
            )
            put_on_sale(draft=draft, by_id=by_id, now=now, reason=f"copied from {product.sku}")
    return copy
