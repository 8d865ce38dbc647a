"""Wagtail's own pages for organizations and contracts, where they differ from those for other pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.admin.views.pages.create import CreateView
from wagtail.admin.views.pages.edit import EditView
from wagtail.admin.views.pages.unpublish import UnpublishView
from wagtail.admin.viewsets.pages import PageViewSet
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.models import Page

from b2b.models import ContractPage, OrganizationPage
from b2b.wagtail_hooks.base import ICON, SEE_CONTRACTS, SEE_ORGANIZATIONS, contract_url


class CreateWithoutAutosaveView(CreateView):
    """Create the page when someone saves it, not half typed by autosave.

    A click on “Save draft” during an autosave would also create a second page, and complain that its slug is taken.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"autosave_enabled": False}


class ContractCreateView(CreateWithoutAutosaveView):
    def post(self, request: HttpRequest) -> HttpResponseBase:
        # “Publish” adds a page as live before it publishes the revision. A contract isn't live until its plan was
        # confirmed, or the sweep would bring its terms into force.
        self.page.live = False
        response: HttpResponseBase = super().post(request)
        return response


class ContractEditView(EditView):
    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.page.alias_of_id is not None:
            return []
        url = contract_url("terms", self.page.pk)
        return [HeaderButton(_("Codes, members, courseware"), url=url, icon_name=ICON)]


class ContractUnpublishView(UnpublishView):
    """Unpublish a contract, after the page said that this makes it inactive."""

    template_name = "b2b/admin/confirm_unpublish_contract.html"


class OrganizationUnpublishView(UnpublishView):
    """Unpublish an organization with its contracts: none stays in force under an unpublished organization."""

    template_name = "b2b/admin/confirm_unpublish_organization.html"

    def get_objects_to_unpublish(self) -> list[Page]:
        contracts = ContractPage.objects.child_of(self.object).live()
        return [*contracts, *super().get_objects_to_unpublish()]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"contracts": ContractPage.objects.child_of(self.object).live().order_by("name")}


class ContractPageViewSet(PageViewSet):
    model = ContractPage
    add_view_class = ContractCreateView
    edit_view_class = ContractEditView
    unpublish_view_class = ContractUnpublishView


class OrganizationPageViewSet(PageViewSet):
    model = OrganizationPage
    add_view_class = CreateWithoutAutosaveView
    unpublish_view_class = OrganizationUnpublishView


@hooks.register("register_admin_viewset")
def register_page_viewsets() -> list[PageViewSet]:
    return [ContractPageViewSet(), OrganizationPageViewSet()]


@hooks.register("register_page_listing_more_buttons")
def add_workbench_buttons(page: Page, user: Any, next_url: str | None = None) -> Iterator[Button]:
    if isinstance(page, ContractPage) and user.has_perm(SEE_CONTRACTS):
        url = contract_url("terms", page.pk)
        yield Button(_("Codes, members, courseware"), url=url, icon_name=ICON, priority=5)
    elif isinstance(page, OrganizationPage) and user.has_perm(SEE_ORGANIZATIONS):
        url = reverse("b2b_organizations:detail", args=[page.pk])
        yield Button(_("Contracts and managers"), url=url, icon_name="group", priority=5)
