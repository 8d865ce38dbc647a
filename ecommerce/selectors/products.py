"""Products that anyone can buy."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from courses.models import CourseRun
from ecommerce.errors.checkout import ProductUnknown
from ecommerce.models import Product
from ecommerce.models.product import ProductQuerySet


def products_on_sale(*, now: datetime) -> ProductQuerySet:
    """Return programs, and starts in which one can enroll now. What a contract sells isn't among them."""
    open_runs = CourseRun.objects.enrollable(now)
    products = Product.objects.public().with_item().order_by("pk")
    return products.filter(Q(program__isnull=False) | Q(course_run__in=open_runs.values("pk")))


def find_product_on_sale(product_id: int, *, now: datetime) -> Product:
    """Raises ProductUnknown."""
    product = products_on_sale(now=now).filter(pk=product_id).first()
    if product is None:
        raise ProductUnknown
    return product
