"""The list of contracts, and where everything about one of them is."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.views.generic import IndexView

from b2b.enums import ContractStanding, IntegrationType
from b2b.models import ContractPage, OrganizationPage
from b2b.selectors.contracts import list_contracts
from b2b.wagtail_hooks.columns import TONES, TermsShown, day, seats, state_of
from b2b.wagtail_hooks.rights import SEE_CONTRACTS, Allowed
from mitxonline.kernel import clock
from mitxonline.staff.lists import StateColumn

NAMESPACE = "b2b_contracts"
PER_PAGE = 50
ICON = "clipboard-list"


def contract_url(name: str, pk: int, *args: object) -> str:
    """The address of a part of a contract's workbench."""
    return reverse(f"{NAMESPACE}:{name}", args=[pk, *args])


class ContractFilters(WagtailFilterSet):
    """What the list of contracts can be narrowed to."""

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
        method="of_organization",
        widget=forms.Select,
    )

    class Meta:
        model = ContractPage
        fields: list[str] = []

    def of_organization(
        self, found: QuerySet[ContractPage], _name: str, organization: OrganizationPage
    ) -> QuerySet[ContractPage]:
        """The contracts that stand under the organization."""
        return found.filter(path__startswith=organization.path)


CONTRACT_COLUMNS = [
    StateColumn("state", label=_("State"), tones=TONES, accessor=state_of),
    Column("type", label=_("How people join"), accessor=lambda page: TermsShown.of(page).type),
    Column(
        "seats",
        label=_("Seats taken"),
        accessor=lambda page: seats(page.taken, page.invited, TermsShown.of(page).cap),
        sort_key="taken",
    ),
    Column(
        "start", label=_("First day"), accessor=lambda page: day(TermsShown.of(page).start), sort_key="terms__start"
    ),
    Column("end", label=_("Last day"), accessor=lambda page: day(TermsShown.of(page).end), sort_key="terms__end"),
    Column("price", label=_("Price"), accessor=lambda page: TermsShown.of(page).price_text),
]


class ContractIndex(Allowed, IndexView):
    """All contracts."""

    needs = SEE_CONTRACTS
    any_permission_required = None
    model = ContractPage
    page_title = _("Contracts")
    header_icon = ICON
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    results_template_name = "b2b/admin/list_results.html"
    none_yet = _("There is no contract yet. Open an organization and add one.")
    search_fields = ["name", "slug", "organization_name"]
    search_backend_name = None
    default_ordering = "name"
    paginate_by = PER_PAGE
    filterset_class = ContractFilters
    columns = [
        TitleColumn("name", label=_("Contract"), sort_key="name", get_url=lambda page: contract_url("terms", page.pk)),
        TitleColumn(
            "organization_name",
            label=_("Organization"),
            sort_key="organization_name",
            get_url=lambda page: reverse("b2b_organizations:detail", args=[page.organization_id]),
        ),
        *CONTRACT_COLUMNS,
    ]

    def get_base_queryset(self) -> QuerySet[ContractPage]:
        """With what the list shows."""
        return list_contracts(today=clock.today())

    def get_add_url(self) -> None:
        """A contract is made from its organization."""

    def get_list_buttons(self, instance: ContractPage) -> list[Any]:
        """The name leads to everything."""
        return []
