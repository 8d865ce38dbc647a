"""Contracts, and their names, only appear to people who may see contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from wagtail.admin.views.pages.bulk_actions.page_bulk_action import PageBulkAction
from wagtail.admin.views.pages.listing import ExplorableIndexView
from wagtail.admin.views.reports.page_types_usage import PageTypesUsageReportView
from wagtail.models import Page
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail.permissions import register_permission_policy
from wagtail.query import PageQuerySet

from b2b.models import ContractPage
from b2b.wagtail_hooks.base import SEE_CONTRACTS

# What a bulk action acts on, and what it leaves out and why.
ActionableObjects: TypeAlias = "tuple[list[Page], dict[str, list[Page]]]"


class PagesWithoutContracts(PagePermissionPolicy):
    """What the page explorer, search, choosers and reports show.

    Wagtail asks for rights to the place in the tree, and editors may write anywhere on the site.
    """

    def instances_user_has_any_permission_for(self, user: Any, actions: Any) -> PageQuerySet:
        return _without_contracts(super().instances_user_has_any_permission_for(user, actions), user)

    def explorable_instances(self, user: Any) -> PageQuerySet:
        return _without_contracts(super().explorable_instances(user), user)


class PageTypesReport(PageTypesUsageReportView):
    """Leaves out contracts: the report names the one that was edited last."""

    def get_queryset(self) -> Any:
        types = super().get_queryset()
        if self.request.user.has_perm(SEE_CONTRACTS):
            return types
        meta = ContractPage._meta
        return types.exclude(app_label=meta.app_label, model=meta.model_name)


register_permission_policy(Page, PagesWithoutContracts(Page))


def explore_unless_contract(explore: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuse a contract's own page of the explorer: Wagtail shows whatever is below the first explorable page."""

    def explore_page(view: Any, request: HttpRequest, parent_page_id: int | None = None) -> HttpResponse:
        may_see_all = request.user.has_perm(SEE_CONTRACTS)
        if not may_see_all and ContractPage.objects.filter(pk=parent_page_id).exists():
            raise PermissionDenied
        return explore(view, request, parent_page_id)

    return explore_page


def name_no_contracts(get_objects: Callable[[Any], ActionableObjects]) -> Callable[[Any], ActionableObjects]:
    """Leave contracts out of what a bulk action says it may not touch; it names any page whose id is in its address."""

    def get_objects_without_contracts(view: Any) -> ActionableObjects:
        objects, further = get_objects(view)
        if not view.request.user.has_perm(SEE_CONTRACTS):
            refused = further["items_with_no_access"]
            further["items_with_no_access"] = [page for page in refused if page.specific_class is not ContractPage]
            if refused and not objects and not further["items_with_no_access"]:
                raise PermissionDenied  # an empty page would say nothing
        return objects, further

    return get_objects_without_contracts


ExplorableIndexView.get = explore_unless_contract(ExplorableIndexView.get)
PageBulkAction.get_actionable_objects = name_no_contracts(PageBulkAction.get_actionable_objects)


def _without_contracts(pages: PageQuerySet, user: Any) -> PageQuerySet:
    if user.has_perm(SEE_CONTRACTS):
        return pages
    found: PageQuerySet = pages.not_type(ContractPage)
    return found
