"""Organizations: the list, and a page for each."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, NumberColumn, Table, TitleColumn
from wagtail.admin.views.generic import IndexView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton

from b2b.models import OrganizationIndexPage, OrganizationPage
from b2b.selectors.contracts import contracts_of, keycloak_of, list_organizations, managers_of, with_valid_contracts
from b2b.wagtail_hooks.columns import TONES, OrganizationColumn, PageState, picture_of
from b2b.wagtail_hooks.contracts import CONTRACT_COLUMNS, contract_url
from b2b.wagtail_hooks.rights import SEE_CONTRACTS, SEE_ORGANIZATIONS, Allowed
from mitxonline.kernel import clock
from mitxonline.staff.lists import StateColumn
from mitxonline.staff.pages import menu_item_for

PER_PAGE = 50
ICON = "group"
LIST, DETAIL = "b2b_organizations:index", "b2b_organizations:detail"


class OrganizationFilters(WagtailFilterSet):
    """What the list of organizations can be narrowed to."""

    live = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[("true", _("Published")), ("false", _("Draft or unpublished"))],
        method="of_state",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    valid = django_filters.ChoiceFilter(
        label=_("Contracts"),
        choices=[("true", _("With a valid contract")), ("false", _("Without a valid contract"))],
        method="with_valid",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = OrganizationPage
        fields: list[str] = []

    def of_state(self, found: QuerySet[OrganizationPage], _name: str, value: str) -> QuerySet[OrganizationPage]:
        """Published ones, or the others."""
        return found.filter(live=value == "true")

    def with_valid(self, found: QuerySet[OrganizationPage], _name: str, value: str) -> QuerySet[OrganizationPage]:
        """Those one can come into today, or the others."""
        return with_valid_contracts(found, today=clock.today(), has=value == "true")


class OrganizationIndex(Allowed, IndexView):
    """All organizations."""

    needs = SEE_ORGANIZATIONS
    any_permission_required = None
    model = OrganizationPage
    page_title = _("Organizations")
    header_icon = ICON
    index_url_name = LIST
    index_results_url_name = "b2b_organizations:index_results"
    results_template_name = "b2b/admin/list_results.html"
    none_yet = _("There is no organization yet. “Add organization” makes one.")
    search_fields = ["name", "org_key", "slug"]
    search_backend_name = None
    default_ordering = "name"
    paginate_by = PER_PAGE
    filterset_class = OrganizationFilters
    columns = [
        OrganizationColumn(
            "name",
            label=_("Organization"),
            sort_key="name",
            get_url=lambda page: reverse(DETAIL, args=[page.pk]),
        ),
        Column("org_key", label=_("Key"), sort_key="org_key"),
        NumberColumn("contracts", label=_("Contracts"), sort_key="contracts"),
        NumberColumn("members", label=_("Members"), sort_key="members"),
        StateColumn("state", label=_("State"), tones=TONES, accessor=lambda page: published(page)),
    ]

    def get_base_queryset(self) -> QuerySet[OrganizationPage]:
        """With what the list shows."""
        return list_organizations()

    def get_add_url(self) -> str | None:
        """Where an organization is made, for those who may."""
        index = OrganizationIndexPage.objects.first()
        if index is None or not index.permissions_for_user(self.request.user).can_add_subpage():
            return None
        return reverse("wagtailadmin_pages:add", args=["b2b", "organizationpage", index.pk])

    def get_list_buttons(self, instance: OrganizationPage) -> list[Any]:
        """The name leads to everything."""
        return []


class OrganizationDetail(Allowed, WagtailAdminTemplateMixin, TemplateView):
    """One organization: who it is, who manages it, and, for those whose affair they are, its contracts."""

    needs = SEE_ORGANIZATIONS
    template_name = "b2b/admin/organization.html"
    header_icon = ICON

    @cached_property
    def organization(self) -> OrganizationPage:
        """The organization of this address."""
        page: OrganizationPage = get_object_or_404(list_organizations(), pk=self.kwargs["pk"])
        return page

    def get_page_title(self) -> str:
        return self.organization.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(LIST), "label": gettext("Organizations")},
            {"url": "", "label": self.organization.name},
        ]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        """What can be done here, for those who may."""
        page, rights = self.organization, self.organization.permissions_for_user(self.request.user)
        buttons = []
        if rights.can_edit():
            url = reverse("wagtailadmin_pages:edit", args=[page.pk])
            buttons.append(HeaderButton(gettext("Edit"), url=url, icon_name="edit"))
        if rights.can_add_subpage():
            url = reverse("wagtailadmin_pages:add", args=["b2b", "contractpage", page.pk])
            buttons.append(HeaderButton(gettext("Add contract"), url=url, icon_name="plus"))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = self.organization
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context |= {
            "organization": page,
            **picture_of(page),
            "state": published(page),
            "managers": managers_of(page.pk),
            "keycloak": keycloak_of(page.pk),
        }
        if self.request.user.has_perm(SEE_CONTRACTS):
            found = list(contracts_of(page, today=clock.today()))
            context["contracts"] = found
            context["table"] = Table([name_column(), *CONTRACT_COLUMNS], found)
        return context


def published(page: OrganizationPage) -> PageState:
    """Whether those who belong to it find its page."""
    if page.live:
        return PageState.PUBLISHED
    return PageState.UNPUBLISHED if page.first_published_at else PageState.DRAFT


def name_column() -> TitleColumn:
    """A contract's name, leading to its workbench."""
    return TitleColumn("name", label=_("Contract"), get_url=lambda page: contract_url("terms", page.pk))


class OrganizationViewSet(ViewSet):
    """Where organizations are looked after."""

    name = "b2b_organizations"
    url_prefix = "organizations"
    icon = ICON
    menu_label = _("Organizations")
    menu_name = "b2b-organizations"

    @property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(SEE_ORGANIZATIONS)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.construct_view(OrganizationIndex), name="index"),
            path("results/", self.construct_view(OrganizationIndex, results_only=True), name="index_results"),
            path("<int:pk>/", self.construct_view(OrganizationDetail), name="detail"),
        ]
