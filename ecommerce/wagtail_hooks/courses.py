"""The prices and discounts of a course, on the course's own page."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail import hooks

from courses.models import Course
from ecommerce.enums import OrderState
from ecommerce.models import Product
from ecommerce.selectors.discount_text import dates_text
from ecommerce.selectors.discounts import for_what, listed_discounts, takes_off
from ecommerce.wagtail_hooks.discount_lists import TONES, discount_state
from ecommerce.wagtail_hooks.discount_views import NAMESPACE
from ecommerce.wagtail_hooks.order_lists import ORDERS
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.staff.courses import COURSE_SECTIONS, CourseSection, SectionCell

BOUGHT = (OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED)


@hooks.register(COURSE_SECTIONS, order=30)
def add_prices(request: HttpRequest, course: Course) -> CourseSection | None:
    user = request.user
    if not user.has_perm("ecommerce.view_product"):
        return None
    name = Product.snippet_viewset.get_url_name  # type: ignore[attr-defined]
    products: QuerySet[Any] = (
        Product.objects.filter(requires_code=False, course_run__course=course)
        .select_related("course_run")
        .annotate(sold=Count("order_lines", filter=Q(order_lines__order__state__in=BOUGHT)))
    )
    can_edit = user.has_perm("ecommerce.change_product")
    rows = tuple(
        (
            SectionCell(product.sku, reverse(name("edit"), args=[product.pk]) if can_edit else ""),
            SectionCell(product.item_id),
            SectionCell(product.money.formatted()),
            SectionCell(product.get_mode_display()),
            SectionCell(_("On sale") if product.is_active else _("Off"), tone="good" if product.is_active else "quiet"),
            SectionCell(str(product.sold)),
        )
        for product in products.order_by("-course_run__start_date", "pk")
    )
    actions = [SectionCell(_("Add a price"), reverse(name("add")))] if user.has_perm("ecommerce.add_product") else []
    if user.has_perm("ecommerce.view_order"):
        actions.append(SectionCell(_("Orders"), f"{reverse(f'{ORDERS}:index')}?q={course.number}"))
    columns = (_("Product"), _("Run"), _("Price"), _("Mode"), _("State"), _("Sold"))
    return CourseSection("prices", _("Prices"), columns, rows, _("No run of this course has a price."), tuple(actions))


@hooks.register(COURSE_SECTIONS, order=50)
def add_discounts(request: HttpRequest, course: Course) -> CourseSection | None:
    access = discount_access_for(request.user)
    if not access.exists:
        return None
    for_course = Q(course=course) | Q(for_all_products=True) | Q(products__course_run__course=course)
    discounts = listed_discounts(access).filter(for_course).distinct()
    rows = []
    for discount in discounts.order_by("-pk"):
        state = discount_state(discount)
        rows.append(
            (
                SectionCell(discount.name, reverse(f"{NAMESPACE}:codes", args=[discount.pk])),
                SectionCell(takes_off(discount)),
                SectionCell(for_what(discount)),
                SectionCell(dates_text(discount.activates_at, discount.expires_at) or _("Always")),
                SectionCell(state.label, tone=TONES.get(state, "plain")),
            )
        )
    columns = (_("Discount"), _("Takes off"), _("Applies to"), _("Valid"), _("State"))
    return CourseSection("discounts", _("Discounts"), columns, tuple(rows), _("No discount applies to this course."))
