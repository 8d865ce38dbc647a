"""Organizations: the list, and a page for each."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, NumberColumn, Table, TitleColumn
from wagtail.admin.widgets.button import HeaderButton

from b2b.models import OrganizationIndexPage, OrganizationPage
from b2b.selectors.contracts import (
    LOGO,
    contracts_of,
    initials,
    keycloak_of,
    list_organizations,
    managers_of,
    with_valid_contracts,
)
from b2b.selectors.people import people_of
from b2b.wagtail_hooks.base import SEE_CONTRACTS, TONES, OrganizationMixin, PageState, contract_url
from b2b.wagtail_hooks.contracts import contract_columns
from b2b.wagtail_hooks.people import people_url
from mitxonline.kernel import clock
from mitxonline.staff.lists import StaffIndexView, StateColumn

ICON = "group"


class OrganizationFilters(WagtailFilterSet):
    live = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[("true", _("Published")), ("false", _("Draft or unpublished"))],
        method="filter_live",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    valid = django_filters.ChoiceFilter(
        label=_("Contracts"),
        choices=[("true", _("With a valid contract")), ("false", _("Without a valid contract"))],
        method="filter_valid",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = OrganizationPage
        fields: list[str] = []

    def filter_live(self, found: QuerySet[OrganizationPage], _name: str, value: str) -> QuerySet[OrganizationPage]:
        return found.filter(live=value == "true")

    def filter_valid(self, found: QuerySet[OrganizationPage], _name: str, value: str) -> QuerySet[OrganizationPage]:
        return with_valid_contracts(found, today=clock.today(), has=value == "true")


def state_of(page: OrganizationPage) -> PageState:
    if page.live:
        return PageState.PUBLISHED
    return PageState.UNPUBLISHED if page.first_published_at else PageState.DRAFT


def logo_context(organization: OrganizationPage) -> dict[str, Any]:
    """The logo, and the letters that are shown where there is none."""
    logo = organization.logo.get_rendition(LOGO) if organization.logo else None
    return {"logo": logo, "initials": initials(organization.name)}


class OrganizationColumn(TitleColumn):
    cell_template_name = "b2b/admin/organization_cell.html"

    def get_cell_context_data(self, instance: OrganizationPage, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | logo_context(instance)


class OrganizationIndex(OrganizationMixin, StaffIndexView):
    model = OrganizationPage
    page_title = _("Organizations")
    header_icon = ICON
    index_url_name = "b2b_organizations:index"
    index_results_url_name = "b2b_organizations:index_results"
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("There are no organizations yet. Add one to begin.")
    search_fields = ["name", "org_key", "slug"]
    default_ordering = "name"
    filterset_class = OrganizationFilters
    columns = [
        OrganizationColumn(
            "name",
            label=_("Organization"),
            sort_key="name",
            get_url=lambda page: reverse("b2b_organizations:detail", args=[page.pk]),
        ),
        Column("org_key", label=_("Key"), sort_key="org_key"),
        NumberColumn("contracts", label=_("Contracts"), sort_key="contracts"),
        NumberColumn("members", label=_("Members"), sort_key="members"),
        StateColumn("state", label=_("State"), tones=TONES, accessor=state_of),
    ]

    def get_base_queryset(self) -> QuerySet[OrganizationPage]:
        return list_organizations()

    def get_add_url(self) -> str | None:
        index = OrganizationIndexPage.objects.first()
        if index is None or not index.permissions_for_user(self.request.user).can_add_subpage():
            return None
        return reverse("wagtailadmin_pages:add", args=["b2b", "organizationpage", index.pk])


class OrganizationDetail(OrganizationMixin, TemplateView):
    """An organization with its managers and, for those who may see them, its contracts."""

    template_name = "b2b/admin/organization.html"
    header_icon = ICON

    @cached_property
    def organization(self) -> OrganizationPage:
        page: OrganizationPage = get_object_or_404(list_organizations(), pk=self.kwargs["pk"])
        return page

    @cached_property
    def can_see_people(self) -> bool:
        rights = self.organization.permissions_for_user(self.request.user)
        return bool(rights.can_edit() and self.request.user.has_perm("b2b.change_contractpage"))

    def get_page_title(self) -> str:
        return self.organization.name

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse("b2b_organizations:index"), gettext("Organizations"))]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        page, rights = self.organization, self.organization.permissions_for_user(self.request.user)
        buttons = []
        if rights.can_edit():
            url = reverse("wagtailadmin_pages:edit", args=[page.pk])
            buttons.append(HeaderButton(gettext("Edit"), url=url, icon_name="edit"))
        if self.can_see_people:
            buttons.append(HeaderButton(gettext("People and managers"), url=people_url(page.pk), icon_name="group"))
        if rights.can_add_subpage():
            url = reverse("wagtailadmin_pages:add", args=["b2b", "contractpage", page.pk])
            buttons.append(HeaderButton(gettext("Add contract"), url=url, icon_name="plus"))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = self.organization
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context |= {
            "organization": page,
            **logo_context(page),
            "state": state_of(page),
            "managers": managers_of(page.pk),
            "people_url": people_url(page.pk) if self.can_see_people else "",
            "people_count": people_of(page.pk).count(),
            "keycloak": keycloak_of(page.pk),
        }
        if self.request.user.has_perm(SEE_CONTRACTS):
            found = list(contracts_of(page, today=clock.today()))
            name = TitleColumn("name", label=_("Contract"), get_url=lambda each: contract_url("terms", each.pk))
            context |= {"contracts": found, "table": Table([name, *contract_columns(is_sortable=False)], found)}
        return context
