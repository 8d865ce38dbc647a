"""What the staff pages of organizations and contracts share: rights, addresses, states and the workbench's frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permission_policies import ModelPermissionPolicy

from b2b.enums import ContractStanding, IntegrationType, MembershipState, ReconcileState
from b2b.models import ContractPage, ContractTerms, OrganizationPage
from b2b.selectors.contracts import list_contracts
from ecommerce.enums import CodeState
from ecommerce.roles import Action, may
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.staff.lists import StaffIndexView
from mitxonline.staff.pages import StaffFormPage, StaffPageMixin

NAMESPACE = "b2b_contracts"
ICON = "clipboard-list"
# Editors see organizations; terms, codes and members are for those who look after contracts.
SEE_ORGANIZATIONS = "b2b.view_organizationpage"
SEE_CONTRACTS = "b2b.view_contractpage"


class PageState(TextChoices):
    PUBLISHED = "published", _("Published")
    UNPUBLISHED = "unpublished", _("Unpublished")
    DRAFT = "page_draft", _("Draft")


# The color beside a state; the word says it.
TONES = {
    PageState.PUBLISHED: "good",
    PageState.UNPUBLISHED: "quiet",
    ContractStanding.OPEN: "good",
    ContractStanding.FULL: "warn",
    ContractStanding.ENDED: "quiet",
    ContractStanding.INACTIVE: "quiet",
    CodeState.USED: "good",
    CodeState.HELD: "warn",
    CodeState.OFF: "quiet",
    CodeState.WITHDRAWN: "quiet",
    CodeState.ASSIGNED: "plain",
    MembershipState.ACTIVE: "good",
    ReconcileState.DONE: "good",
    ReconcileState.WAITING: "warn",
    ReconcileState.FAILED: "bad",
}


def contract_url(name: str, pk: int, *args: object) -> str:
    return reverse(f"{NAMESPACE}:{name}", args=[pk, *args])


def can_edit_contract(user: Any, contract: ContractPage) -> bool:
    """Whether someone may see this contract's codes, and change what it covers and who is in it."""
    return bool(contract.permissions_for_user(user).can_edit())


@dataclass(frozen=True, slots=True)
class ListedTerms:
    """The terms that a list shows for a contract: those in force, or a draft's that never were."""

    type: str
    cap: int | None
    start: date | None
    end: date | None
    price: Money

    @classmethod
    def of(cls, contract: ContractPage) -> ListedTerms:
        """No query where the terms were selected with the contract."""
        in_force: ContractTerms | None = getattr(contract, "terms", None)
        if in_force is not None:
            return cls(
                type=str(IntegrationType(in_force.integration_type).label),
                cap=in_force.max_learners,
                start=in_force.start,
                end=in_force.end,
                price=in_force.money,
            )
        return cls(
            type=str(IntegrationType(contract.integration_type).label),
            cap=contract.max_learners or None,
            start=contract.contract_start,
            end=contract.contract_end,
            price=Money(contract.enrollment_fixed_price or 0, contract.currency),
        )


@dataclass(frozen=True, slots=True)
class WorkbenchTab:
    name: str
    label: str | Promise
    requires_edit: bool


TABS = (
    WorkbenchTab("terms", _("Terms"), requires_edit=False),
    WorkbenchTab("courseware", _("Courseware"), requires_edit=False),
    WorkbenchTab("codes", _("Codes"), requires_edit=True),
    WorkbenchTab("invitations", _("Invitations"), requires_edit=True),
    WorkbenchTab("members", _("Members"), requires_edit=True),
    WorkbenchTab("invoices", _("Invoices"), requires_edit=False),
    WorkbenchTab("activity", _("Activity"), requires_edit=False),
)


class OrganizationMixin(StaffPageMixin):
    permission_policy = ModelPermissionPolicy(OrganizationPage)


class ContractMixin(StaffPageMixin):
    """A page about one contract.

    ``requires_edit`` is for pages that show or change what only those may who can edit this very contract: their rights
    to its page decide, so a group may be given the contracts of one organization.
    """

    permission_policy = ModelPermissionPolicy(ContractPage)
    requires_edit: ClassVar[bool] = False
    tab: ClassVar[str] = ""
    header_icon = ICON

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Without the right to view contracts the answer is the same for one that doesn't exist.
        if self.requires_edit and self.user_has_permission("view") and not self.can_edit:
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    @cached_property
    def contract(self) -> Any:
        return get_object_or_404(list_contracts(today=clock.today()), pk=self.kwargs["pk"])

    @cached_property
    def terms(self) -> ContractTerms | None:
        """The terms in force; None for a draft."""
        return getattr(self.contract, "terms", None)

    @cached_property
    def can_edit(self) -> bool:
        return can_edit_contract(self.request.user, self.contract)

    @property
    def tab_url(self) -> str:
        return contract_url(self.tab, self.contract.pk)

    def get_page_title(self) -> str:
        title: str = self.contract.name
        return title

    def get_page_subtitle(self) -> str:
        return str(self.page_subtitle) or next((str(tab.label) for tab in TABS if tab.name == self.tab), "")

    def get_parents(self) -> list[tuple[str, object]]:
        contract = self.contract
        return [
            (reverse("b2b_organizations:index"), gettext("Organizations")),
            (reverse("b2b_organizations:detail", args=[contract.organization_id]), contract.organization_name),
            (contract_url("terms", contract.pk), contract.name),
        ]

    def get_tabs(self) -> list[dict[str, object]]:
        # Only a contract without a cap has a code that is shared, and so invitations.
        shares_codes = self.terms is not None and self.terms.needs_codes and self.terms.max_learners is None
        return [
            {"label": tab.label, "url": contract_url(tab.name, self.contract.pk), "is_here": tab.name == self.tab}
            for tab in TABS
            if (self.can_edit or not tab.requires_edit)
            and (tab.name != "invitations" or shares_codes)
            and (tab.name != "invoices" or may(self.request.user, Action.INVOICE_VIEW))
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        state = ContractStanding(self.contract.state)
        return {
            "contract": self.contract,
            "terms": self.terms,
            "state": state,
            "tone": TONES.get(state, "plain"),
            "can_edit": self.can_edit,
            "tabs": self.get_tabs(),
            "back_url": self.tab_url,
            **context,
        }

    def get_edit_buttons(self) -> list[HeaderButton]:
        if not self.can_edit:
            return []
        url = reverse("wagtailadmin_pages:edit", args=[self.contract.pk])
        return [HeaderButton(gettext("Edit terms"), url=url, icon_name="edit")]


class ContractPageView(ContractMixin, TemplateView):
    """A page of the workbench that isn't a list."""


class ContractFormView(ContractMixin, StaffFormPage):
    """A form of the workbench. After its action it leads back to its tab."""

    requires_edit = True

    def get_success_url(self) -> str:
        return self.tab_url


class ContractListView(ContractMixin, StaffIndexView):
    """A list of the workbench, with search, filters and pages."""

    requires_edit = True
    template_name = "b2b/admin/contract_listing.html"
    results_name: ClassVar[str] = ""

    def get_index_url(self) -> str:
        return self.tab_url

    def get_index_results_url(self) -> str:
        return contract_url(self.results_name, self.contract.pk)

    def get_add_url(self) -> str | None:
        return None
