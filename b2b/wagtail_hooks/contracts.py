"""The list of all contracts."""

from __future__ import annotations

from datetime import date

import django_filters
from django import forms
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.permission_policies import ModelPermissionPolicy

from b2b.enums import ContractStanding, IntegrationType
from b2b.models import ContractPage, OrganizationPage
from b2b.selectors.contracts import list_contracts
from b2b.selectors.needs import ContractNeed, contracts_needing
from b2b.wagtail_hooks.base import ICON, NAMESPACE, TONES, ListedTerms, contract_url
from mitxonline.kernel import clock
from mitxonline.staff.lists import StaffIndexView, StateColumn

# What people can join first, what is over last.
POSITION = Case(
    When(state__in=[ContractStanding.OPEN, ContractStanding.FULL], then=Value(0)),
    When(state__in=[ContractStanding.NOT_STARTED, ContractStanding.DRAFT], then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


class ContractFilters(WagtailFilterSet):
    needs = django_filters.ChoiceFilter(
        label=_("Needs"),
        choices=ContractNeed.choices,
        empty_label=_("All"),
        method="filter_needs",
        widget=forms.RadioSelect,
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=ContractStanding.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    type = django_filters.ChoiceFilter(
        label=_("How people join"),
        choices=IntegrationType.choices,
        field_name="integration_type",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    organization = django_filters.ModelChoiceFilter(
        label=_("Organization"),
        queryset=lambda request: OrganizationPage.objects.order_by("name"),
        method="filter_organization",
        widget=forms.Select,
    )

    class Meta:
        model = ContractPage
        fields: list[str] = []

    def filter_needs(self, found: QuerySet[ContractPage], _name: str, need: str) -> QuerySet[ContractPage]:
        rows = contracts_needing(need, user=self.request.user, today=clock.today())
        return found.filter(pk__in=rows.values("pk"))

    def filter_organization(
        self, found: QuerySet[ContractPage], _name: str, organization: OrganizationPage
    ) -> QuerySet[ContractPage]:
        return found.filter(path__startswith=organization.path)


def format_seats(contract: ContractPage) -> str:
    """Say how many seats are taken: “131 of 200, 4 invited”, or “131, no limit”."""
    counts = {"taken": contract.taken, "invited": contract.invited, "cap": ListedTerms.of(contract).cap}
    if counts["cap"] is None:
        return gettext("%(taken)d, no limit") % counts
    if counts["invited"]:
        return gettext("%(taken)d of %(cap)d, %(invited)d invited") % counts
    return gettext("%(taken)d of %(cap)d") % counts


def format_price(contract: ContractPage) -> str:
    price = ListedTerms.of(contract).price
    return gettext("Free") if price.is_zero else price.formatted()


def format_day(day: date | None) -> str:
    return date_format(day, "DATE_FORMAT") if day else ""


def contract_columns(*, is_sortable: bool) -> list[Column]:
    """Return the columns about a contract. Their headings are links in a list that sorts its rows."""

    def key(name: str) -> str | None:
        return name if is_sortable else None

    return [
        StateColumn("state", label=_("State"), tones=TONES, accessor=lambda page: ContractStanding(page.state)),
        Column("type", label=_("How people join"), accessor=lambda page: ListedTerms.of(page).type),
        Column("seats", label=_("Seats taken"), accessor=format_seats, sort_key=key("taken")),
        Column(
            "start",
            label=_("First day"),
            accessor=lambda page: format_day(ListedTerms.of(page).start),
            sort_key=key("terms__start"),
        ),
        Column(
            "end",
            label=_("Last day"),
            accessor=lambda page: format_day(ListedTerms.of(page).end),
            sort_key=key("terms__end"),
        ),
        Column("price", label=_("Price"), accessor=format_price),
    ]


class ContractIndex(StaffIndexView):
    permission_policy = ModelPermissionPolicy(ContractPage)
    model = ContractPage
    page_title = _("Contracts")
    header_icon = ICON
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("There are no contracts yet. Open an organization and add one.")
    search_fields = ["name", "slug", "organization_name"]
    default_ordering = ("position", "name")
    filterset_class = ContractFilters
    columns = [
        TitleColumn("name", label=_("Contract"), sort_key="name", get_url=lambda page: contract_url("terms", page.pk)),
        TitleColumn(
            "organization_name",
            label=_("Organization"),
            sort_key="organization_name",
            get_url=lambda page: reverse("b2b_organizations:detail", args=[page.organization_id]),
        ),
        *contract_columns(is_sortable=True),
    ]

    def get_base_queryset(self) -> QuerySet[ContractPage]:
        contracts: QuerySet[ContractPage] = list_contracts(today=clock.today()).annotate(position=POSITION)
        return contracts

    def get_add_url(self) -> None:
        """A contract is added on its organization's page."""
