"""A run copied together with its prices."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from courses.models import CourseRun
from courses.services.copies import copy_run
from ecommerce.models import Product
from ecommerce.services.catalog.prices import ProductDraft, put_on_sale


def copy_run_with_prices(
    *, run_id: int, tag: str, start: date | None, copies_prices: bool, by_id: int | None, now: datetime
) -> CourseRun:
    """Copy a run and, if asked to, what it is sold for. Raises RunKeyTaken; then nothing is copied."""
    with transaction.atomic():
        copy = copy_run(run_id=run_id, tag=tag, start=start)
        if copies_prices:
            _copy_prices(run_id, copy, by_id=by_id, now=now)
    return copy


def _copy_prices(run_id: int, copy: CourseRun, *, by_id: int | None, now: datetime) -> None:
    """Sell the copy for what the run is sold for, in each mode. The first product is known by the run's key."""
    products = Product.objects.filter(course_run=run_id, requires_code=False).order_by("pk")
    for number, product in enumerate(products):
        draft = ProductDraft(
            item=copy.courseware_id,
            price=product.price,
            currency=product.currency,
            mode=product.mode,
            description=product.description,
            is_active=product.is_active,
            sku=f"{copy.courseware_id}-{product.mode}" if number else copy.courseware_id,
        )
        put_on_sale(draft=draft, by_id=by_id, now=now, reason=f"copied from {product.sku}")
