"""What needs an editor: the section of the first page, and the list of pages behind its counts."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.auth import user_has_any_page_permission
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.viewsets.base import ViewSet
from wagtail.models import Page, PageLogEntry
from wagtail.permission_policies.pages import PagePermissionPolicy

from cms.selectors.needs import PageNeed, pages_needing, pages_to_edit, runs_without_page
from courses.models import CourseRun
from mitxonline.kernel import clock
from mitxonline.staff.lists import StaffIndexView
from mitxonline.staff.needs import NEEDS, Need, NeedsSection, SectionFact

NAMESPACE = "pages_to_do"
RECENT = 5


class PageFilters(WagtailFilterSet):
    needs = django_filters.ChoiceFilter(
        label=_("Needs"),
        choices=PageNeed.choices,
        empty_label=_("All"),
        method="filter_needs",
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Page
        fields: list[str] = []

    def filter_needs(self, found: QuerySet[Page], _name: str, need: str) -> QuerySet[Page]:
        rows = pages_needing(need, user=self.request.user, now=clock.now())
        return found.filter(pk__in=rows.values("pk"))


class PagesToDoIndex(StaffIndexView):
    """The pages this user may edit, with what they need."""

    model = Page
    permission_policy = PagePermissionPolicy()
    permission_required = "change"
    page_title = _("Pages")
    header_icon = "doc-empty-inverse"
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    search_fields = ("title",)
    default_ordering = "-latest_revision_created_at"
    filterset_class = PageFilters
    columns: ClassVar[list[Column]] = [
        TitleColumn("title", label=_("Page"), get_url=lambda page: reverse("wagtailadmin_pages:edit", args=[page.pk])),
        Column("type", label=_("Type"), accessor=lambda page: page.content_type.name),
        Column("status", label=_("State"), accessor="status_string"),
        DateColumn("latest_revision_created_at", label=_("Last edited"), sort_key="latest_revision_created_at"),
        Column("owner", label=_("Owner"), accessor=lambda page: page.owner.display_name if page.owner else ""),
    ]

    def get_base_queryset(self) -> QuerySet[Page]:
        pages: QuerySet[Page] = pages_to_edit(self.request.user).select_related("content_type", "owner")
        listed: QuerySet[Page] = pages.prefetch_workflow_states().annotate_approved_schedule()  # type: ignore[attr-defined]
        return listed


class PagesToDo(ViewSet):
    name = NAMESPACE
    url_prefix = "pages-to-do"
    menu_label = _("Pages")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", PagesToDoIndex.as_view(), name="index"),
            path("results/", PagesToDoIndex.as_view(results_only=True), name="index_results"),
        ]


@hooks.register("register_admin_viewset")
def register_pages_to_do() -> PagesToDo:
    return PagesToDo()


@hooks.register(NEEDS, order=10)
def add_editors_needs(request: HttpRequest) -> NeedsSection | None:
    user, now = request.user, clock.now()
    needs: list[Need] = []
    if user_has_any_page_permission(user) and user.has_perm("courses.change_course"):
        url = reverse(f"{NAMESPACE}:index")
        for need in PageNeed:
            tone = "plain" if need == PageNeed.SCHEDULED else "warn"
            needs.append(Need(need.label, pages_needing(need, user=user, now=now), f"{url}?needs={need}", tone))
    if user.has_perm("courses.change_courserun"):
        url = reverse(CourseRun.snippet_viewset.get_url_name("list"))  # type: ignore[attr-defined]
        needs.append(Need(_("Runs without a published page"), runs_without_page(now), f"{url}?needs=page"))
    if not needs:
        return None
    edited = tuple(_recent_edits(user))
    return NeedsSection("pages", _("Pages and courses"), tuple(needs), links=edited, links_label=_("You edited:"))


def _recent_edits(user: object) -> list[SectionFact]:
    """Return the pages this user edited last, each once."""
    entries = PageLogEntry.objects.filter(user=user, action="wagtail.edit", page__isnull=False)
    last = entries.order_by("page_id", "-timestamp").distinct("page_id").values("pk")
    found = PageLogEntry.objects.filter(pk__in=last).order_by("-timestamp")[:RECENT]
    return [
        SectionFact(title, "", reverse("wagtailadmin_pages:edit", args=[pk]))
        for pk, title in found.values_list("page_id", "page__title")
    ]
