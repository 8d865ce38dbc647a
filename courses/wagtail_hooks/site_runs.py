"""Runs that the course site has to make: the list, trying again, and the section on a course's page."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from courses.enums import RunLmsState
from courses.models import Course, CourseRun, Enrollment
from courses.selectors.course_site import (
    describe_run_in_course_site,
    refused_runs,
    runs_unlike_studio,
    runs_waiting_for_source,
)
from courses.services.site_runs import try_again
from mitxonline.kernel import clock
from mitxonline.staff.courses import COURSE_SECTIONS, CourseSection, SectionCell
from mitxonline.staff.lists import PathColumn, StaffIndexView, StateColumn, TemplateColumn
from mitxonline.staff.needs import Need
from mitxonline.staff.pages import StaffButtonView

NAMESPACE = "site_runs"
TONES = {
    RunLmsState.NOT_NEEDED: "quiet",
    RunLmsState.WAITING_FOR_SOURCE: "warn",
    RunLmsState.PENDING: "plain",
    RunLmsState.COPYING: "plain",
    RunLmsState.THERE: "good",
    RunLmsState.REFUSED: "bad",
}


class SiteRunFilters(WagtailFilterSet):
    lms_state = django_filters.ChoiceFilter(
        label=gettext_lazy("Course site"),
        choices=[choice for choice in RunLmsState.choices if choice[0] != RunLmsState.NOT_NEEDED],
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )
    studio = django_filters.ChoiceFilter(
        label=gettext_lazy("Title and dates"),
        choices=[("differs", gettext_lazy("Not as in Studio"))],
        empty_label=gettext_lazy("All"),
        method="filter_by_studio",
        widget=forms.RadioSelect,
    )

    def filter_by_studio(self, runs: QuerySet[CourseRun], _name: str, _value: str) -> QuerySet[CourseRun]:
        return runs.filter(pk__in=runs_unlike_studio().values("pk"))

    class Meta:
        model = CourseRun
        fields: list[str] = []


def shown_runs() -> QuerySet[CourseRun]:
    """Return the runs that the course site has to make, and all that aren’t as they are in Studio."""
    unlike = Q(pk__in=runs_unlike_studio().values("pk"))
    return CourseRun.all_objects.filter(~Q(lms_state=RunLmsState.NOT_NEEDED) | unlike)


class SiteRunIndex(StaffIndexView):
    model = CourseRun
    permission_policy = ModelPermissionPolicy(Enrollment)
    page_title = gettext_lazy("Runs in the course site")
    header_icon = "calendar-alt"
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    filterset_class = SiteRunFilters
    search_fields = ("title", "courseware_id")
    default_ordering = "-lms_changed_at"
    columns: ClassVar[list[Column]] = [
        PathColumn("courseware_id", label=gettext_lazy("Course key"), sort_key="courseware_id"),
        Column("title", label=gettext_lazy("Course"), sort_key="title"),
        StateColumn(
            "lms_state",
            label=gettext_lazy("Course site"),
            tones=TONES,
            accessor=lambda run: RunLmsState(run.lms_state),
            sort_key="lms_state",
        ),
        Column("says", label=gettext_lazy("What it says"), accessor=describe_run_in_course_site),
        DateColumn("lms_changed_at", label=gettext_lazy("Since"), sort_key="lms_changed_at"),
        TemplateColumn("act", label=gettext_lazy("Actions"), template="courses/admin/run_act_cell.html"),
    ]

    def get_base_queryset(self) -> QuerySet[CourseRun]:
        return shown_runs()


class TryAgainView(StaffButtonView):
    model = Enrollment
    permission_policy = ModelPermissionPolicy(Enrollment)
    permission_required = "change"

    def perform(self) -> str:
        if not try_again(run_ids=[self.kwargs["pk"]], now=clock.now()):
            return _("There is nothing to try again: the course site hasn’t refused this run.")
        return _("The course site is being asked again. Its answer appears here in a moment.")

    def get_success_url(self) -> str:
        return reverse(f"{NAMESPACE}:index")


class SiteRunViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "site-runs"
    icon = "calendar-alt"
    menu_label = gettext_lazy("Runs in the course site")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", SiteRunIndex.as_view(), name="index"),
            path("results/", SiteRunIndex.as_view(results_only=True), name="index_results"),
            path("<int:pk>/send/", TryAgainView.as_view(), name="send"),
        ]


@hooks.register("register_admin_viewset")
def register_site_runs() -> ViewSet:
    return SiteRunViewSet()


def count_open_runs() -> tuple[Need, ...]:
    url = reverse(f"{NAMESPACE}:index")
    refused, waiting = RunLmsState.REFUSED, RunLmsState.WAITING_FOR_SOURCE
    return (
        Need(gettext_lazy("Runs refused by the course site"), refused_runs(), f"{url}?lms_state={refused}", "bad"),
        Need(gettext_lazy("Runs that wait for a source run"), runs_waiting_for_source(), f"{url}?lms_state={waiting}"),
    )


@hooks.register(COURSE_SECTIONS, order=30)
def add_site_runs(request: HttpRequest, course: Course) -> CourseSection | None:
    """Contract runs too, which the course's list of runs leaves out."""
    if not request.user.has_perm("courses.view_enrollment"):
        return None
    runs: QuerySet[Any] = shown_runs().filter(course=course)
    rows = tuple(
        (
            SectionCell(run.courseware_id),
            SectionCell(RunLmsState(run.lms_state).label, tone=TONES[RunLmsState(run.lms_state)]),
            SectionCell(describe_run_in_course_site(run) or "–"),
        )
        for run in runs.order_by("-lms_changed_at", "pk")
    )
    if not rows:
        return None
    columns = (_("Run"), _("State"), _("What it says"))
    actions = (SectionCell(_("All runs in the course site"), reverse(f"{NAMESPACE}:index")),)
    return CourseSection("site_runs", _("In the course site"), columns, rows, "", actions)
