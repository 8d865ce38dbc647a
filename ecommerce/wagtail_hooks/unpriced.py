"""Finance's list of runs that need a price."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from courses.models import CourseRun
from ecommerce.models import Product
from ecommerce.selectors.unpriced import runs_without_price
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from mitxonline.kernel import clock
from mitxonline.staff.lists import DayColumn, StaffIndexView, day_in_file
from mitxonline.staff.pages import menu_item_for

UNPRICED = "shop_unpriced"
ADD_PRODUCT = "ecommerce.add_product"


class UnpricedRunIndex(StaffIndexView):
    """Live runs that no one can enroll in, because they are neither free nor priced. Each leads to a new product."""

    model = CourseRun
    permission_policy = ModelPermissionPolicy(Product)
    permission_required = "add"
    page_title = _("Needs a price")
    header_icon = "warning"
    index_url_name = f"{UNPRICED}:index"
    index_results_url_name = f"{UNPRICED}:index_results"
    search_fields = ("title", "courseware_id")
    default_ordering = "start_date"
    columns: ClassVar[list[Column]] = [
        TitleColumn(
            "title",
            label=_("Course"),
            get_url=lambda run: f"{reverse(Product.snippet_viewset.get_url_name('add'))}?course_run={run.pk}",  # type: ignore[attr-defined]
            sort_key="title",
        ),
        Column("courseware_id", label=_("Course key"), sort_key="courseware_id"),
        DayColumn("start_date", label=_("Starts"), sort_key="start_date"),
        DayColumn("enrollment_start", label=_("Enrollment opens"), sort_key="enrollment_start"),
    ]
    export_filename = "needs-a-price"
    export_columns: ClassVar[list[Column]] = [
        Column("title", label=_("Course")),
        Column("courseware_id", label=_("Course key")),
        Column("start_date", label=_("Starts"), accessor=lambda run: day_in_file(run.start_date)),
        Column("enrollment_start", label=_("Enrollment opens"), accessor=lambda run: day_in_file(run.enrollment_start)),
    ]

    def get_base_queryset(self) -> QuerySet[CourseRun]:
        return runs_without_price(clock.now())


class UnpricedRuns(ViewSet):
    name = UNPRICED
    url_prefix = "shop/unpriced"
    icon = "warning"
    menu_hook = SHOP_MENU
    menu_label = _("Needs a price")
    menu_name = "unpriced"
    menu_order = 210

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(ADD_PRODUCT)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", UnpricedRunIndex.as_view(), name="index"),
            path("results/", UnpricedRunIndex.as_view(results_only=True), name="index_results"),
        ]


@hooks.register("register_admin_viewset")
def register_unpriced_runs() -> ViewSet:
    return UnpricedRuns()
