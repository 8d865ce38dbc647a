"""What the pages of one contract share: the contract, its tabs, and who may see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic import IndexView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets.button import HeaderButton

from b2b.models import ContractTerms
from b2b.selectors.contracts import list_contracts
from b2b.wagtail_hooks.columns import TONES, state_of
from b2b.wagtail_hooks.contracts import ICON, contract_url
from b2b.wagtail_hooks.rights import SEE_CONTRACTS, Allowed, may_work_on
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class Tab:
    """One part of the workbench; some are only for those who may work on the contract."""

    name: str
    label: str | Promise
    is_for_work: bool


TABS = (
    Tab("terms", _("Terms"), is_for_work=False),
    Tab("courseware", _("Courseware"), is_for_work=False),
    Tab("codes", _("Codes"), is_for_work=True),
    Tab("invitations", _("Invitations"), is_for_work=True),
    Tab("members", _("Members"), is_for_work=True),
    Tab("activity", _("Activity"), is_for_work=False),
)


class ContractView(Allowed, WagtailAdminTemplateMixin):
    """A page of one contract.

    ``works`` says that it shows or changes what only those may who work on this very contract: their rights to its
    page decide, so a group may be given one organization's contracts alone.
    """

    needs: ClassVar[str] = SEE_CONTRACTS
    works: ClassVar[bool] = False
    tab: ClassVar[str] = ""
    header_icon = ICON
    request: HttpRequest
    kwargs: dict[str, Any]

    def check_rights(self, request: HttpRequest) -> None:
        """Asked before the contract is looked up, so that the answer is the same for one that there is not."""
        super().check_rights(request)
        if self.works and not self.may_work:
            raise PermissionDenied

    @cached_property
    def contract(self) -> Any:
        """The contract of this address, as lists have it."""
        return get_object_or_404(list_contracts(today=clock.today()), pk=self.kwargs["pk"])

    @cached_property
    def terms(self) -> ContractTerms | None:
        """The terms in force; None for a draft."""
        return getattr(self.contract, "terms", None)

    @cached_property
    def may_work(self) -> bool:
        """Whether codes, members and courseware are this person's affair."""
        return may_work_on(self.request.user, self.contract)

    def get_page_title(self) -> str:
        title: str = self.contract.name
        return title

    def get_page_subtitle(self) -> str:
        return next((str(tab.label) for tab in TABS if tab.name == self.tab), "")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        contract = self.contract
        return [
            *self.breadcrumbs_items,
            {"url": reverse("b2b_organizations:index"), "label": gettext("Organizations")},
            {
                "url": reverse("b2b_organizations:detail", args=[contract.organization_id]),
                "label": contract.organization_name,
            },
            {"url": contract_url("terms", contract.pk), "label": contract.name},
            {"url": "", "label": self.get_page_subtitle()},
        ]

    def contract_context(self) -> dict[str, Any]:
        """What the head of every page of the workbench shows."""
        state = state_of(self.contract)
        return {
            "contract": self.contract,
            "terms": self.terms,
            "state": state,
            "tone": TONES.get(state, "plain"),
            "may_work": self.may_work,
            "tabs": [
                {"label": tab.label, "url": contract_url(tab.name, self.contract.pk), "is_here": tab.name == self.tab}
                for tab in TABS
                if self.has(tab)
            ],
        }

    def has(self, tab: Tab) -> bool:
        """Whether the contract has such a part, for this person; people are invited where there is no cap."""
        shares_codes = self.terms is not None and self.terms.needs_codes and self.terms.max_learners is None
        return (self.may_work or not tab.is_for_work) and (tab.name != "invitations" or shares_codes)

    def edit_button(self) -> list[HeaderButton]:
        """The way to the page where the terms are written."""
        if not self.may_work:
            return []
        url = reverse("wagtailadmin_pages:edit", args=[self.contract.pk])
        return [HeaderButton(gettext("Edit terms"), url=url, icon_name="edit")]


class ContractTemplateView(ContractView, TemplateView):
    """A page of the workbench that is no list."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | self.contract_context()


class ContractListView(ContractView, IndexView):
    """A page of the workbench that is a list with search, filters and pages."""

    any_permission_required = None
    template_name = "b2b/admin/contract_listing.html"
    search_backend_name = None
    results_name: ClassVar[str] = ""

    def get_index_url(self) -> str:
        return contract_url(self.tab, self.contract.pk)

    def get_index_results_url(self) -> str:
        return contract_url(self.results_name, self.contract.pk)

    def get_add_url(self) -> str | None:
        return None

    def get_list_buttons(self, instance: Any) -> list[Any]:
        return []

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        return context | self.contract_context()


def said(request: HttpRequest, act: Callable[[], str], *, then: str) -> HttpResponse:
    """Do something, say what was done, or why not, and go on. A refusal has rolled back what it was part of."""
    try:
        messages.success(request, act())
    except DomainError as refusal:
        messages.error(request, str(refusal))
    return redirect(then)
