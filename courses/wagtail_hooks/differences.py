"""Enrollments that differ from the course site, as the last comparison found them."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail import hooks
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from courses.enums import DifferenceKind
from courses.models import Enrollment, EnrollmentComparison, EnrollmentDifference
from courses.selectors.course_address import is_course_site_connected
from courses.services.comparison import repair
from mitxonline.kernel import clock
from mitxonline.staff.lists import PathColumn, StaffIndexView, StateColumn, TemplateColumn
from mitxonline.staff.needs import Need, SectionFact
from mitxonline.staff.pages import StaffButtonView

NAMESPACE = "enrollment_differences"
TONES = {DifferenceKind.MISSING: "bad", DifferenceKind.EXTRA: "warn", DifferenceKind.MODE: "warn"}


class DifferenceFilters(WagtailFilterSet):
    kind = django_filters.ChoiceFilter(
        label=_("Difference"), choices=DifferenceKind.choices, empty_label=_("All"), widget=forms.RadioSelect
    )

    class Meta:
        model = EnrollmentDifference
        fields: list[str] = []


class DifferenceIndex(StaffIndexView):
    model = EnrollmentDifference
    permission_policy = ModelPermissionPolicy(Enrollment)
    page_title = _("Differences from the course site")
    header_icon = "group"
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    filterset_class = DifferenceFilters
    search_fields = ("user__email", "user__name", "username", "run__title", "run__courseware_id")
    default_ordering = "run__courseware_id"
    export_filename = "enrollment-differences"
    columns: ClassVar[list[Column]] = [
        Column("learner", label=_("Learner"), accessor=lambda row: row.user.display_name if row.user else "–"),
        PathColumn("username", label=_("Name there")),
        PathColumn("run", label=_("Course key"), accessor="run.courseware_id", sort_key="run__courseware_id"),
        StateColumn("kind", label=_("Difference"), tones=TONES, accessor=lambda row: DifferenceKind(row.kind)),
        Column("note", label=_("Note")),
        DateColumn("found_at", label=_("Found"), sort_key="found_at"),
        DateColumn("fix_asked_at", label=_("Repair asked for")),
        TemplateColumn("act", label=_("Actions"), template="courses/admin/repair_cell.html"),
    ]
    export_columns: ClassVar[list[Column]] = [
        Column("kind", label=_("Difference"), accessor="get_kind_display"),
        Column("run", label=_("Course key"), accessor="run.courseware_id"),
        Column("learner", label=_("Learner"), accessor=lambda row: row.user.email if row.user else ""),
        Column("username", label=_("Name there")),
        Column("note", label=_("Note")),
    ]

    def get_base_queryset(self) -> QuerySet[EnrollmentDifference]:
        return EnrollmentDifference.objects.select_related("run", "user")


class RepairView(StaffButtonView):
    """Repair one difference."""

    model = Enrollment
    permission_policy = ModelPermissionPolicy(Enrollment)
    permission_required = "change"

    def perform(self) -> str:
        number = self.request.POST.get("difference", "")
        ids = [int(number)] if number.isascii() and number.isdigit() and len(number) < 19 else []
        count = repair(differences=EnrollmentDifference.objects.filter(pk__in=ids), now=clock.now())
        if not count:
            return str(_("There is nothing to repair: this person was never enrolled here, or it is under way."))
        return ngettext("%(n)d enrollment is being sent.", "%(n)d enrollments are being sent.", count) % {"n": count}

    def get_success_url(self) -> str:
        return reverse(f"{NAMESPACE}:index")


class DifferenceViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "enrollment-differences"
    icon = "group"
    menu_label = _("Differences from the course site")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", DifferenceIndex.as_view(), name="index"),
            path("results/", DifferenceIndex.as_view(results_only=True), name="index_results"),
            path("repair/", RepairView.as_view(), name="repair"),
        ]


@hooks.register("register_admin_viewset")
def register_differences() -> ViewSet:
    return DifferenceViewSet()


def count_differences() -> Need:
    rows = EnrollmentDifference.objects.all()
    return Need(_("Enrollments that differ from the course site"), rows, reverse(f"{NAMESPACE}:index"), "bad")


def describe_last_comparison() -> tuple[SectionFact, ...]:
    last = EnrollmentComparison.objects.first() if is_course_site_connected() else None
    if last is None:
        return ()
    when = date_format(localtime(last.started_at), "SHORT_DATETIME_FORMAT")
    url = reverse(f"{NAMESPACE}:index")
    facts = [SectionFact(_("Last compared with the course site"), when, url)]
    if last.error:
        facts.append(SectionFact(_("What the comparison met"), last.error, url, "bad"))
    return tuple(facts)
