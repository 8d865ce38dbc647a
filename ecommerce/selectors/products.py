"""Products that anyone can buy, and those that staff manage."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import Q

from courses.models import CourseRun
from ecommerce.errors.checkout import ProductUnknown
from ecommerce.models import Product
from ecommerce.models.product import ProductQuerySet
from ecommerce.roles import Action, may
from mitxonline.kernel.errors import Forbidden
from mitxonline.kernel.shop import current_site_id
from mitxonline.users.models import User

VIEW_PRODUCTS = "ecommerce.view_product"
SEARCHED = (
    "sku",
    "description",
    "course_run__courseware_id",
    "course_run__title",
    "program__readable_id",
    "program__title",
)


def products_on_sale(*, now: datetime) -> ProductQuerySet:
    """Return programs, and starts in which one can enroll now, of the current site. None is what a contract sells."""
    open_runs = CourseRun.objects.enrollable(now)
    products = Product.objects.public().of_site(current_site_id()).with_item().order_by("pk")
    return products.filter(Q(program__isnull=False) | Q(course_run__in=open_runs.values("pk")))


def find_product_on_sale(product_id: int, *, now: datetime) -> Product:
    """Raises ProductUnknown."""
    product = products_on_sale(now=now).filter(pk=product_id).first()
    if product is None:
        raise ProductUnknown
    return product


def staff_products(viewer: User, *, words: str = "") -> ProductQuerySet:
    """Return all products but those of contracts, on sale or not, for staff who may view them.

    With words those whose key, title, SKU or description has each of them. Raises Forbidden.
    """
    if not viewer.has_perm(VIEW_PRODUCTS):
        raise Forbidden
    products = Product.objects.filter(requires_code=False).with_item().order_by("pk")
    for word in words.split():
        products = products.filter(reduce(or_, (Q((f"{column}__icontains", word)) for column in SEARCHED)))
    return products


def refuse_unless_prices(user: User) -> None:
    """Raise Forbidden for everyone who may not set prices."""
    if not may(user, Action.PRODUCT_PRICE):
        raise Forbidden
