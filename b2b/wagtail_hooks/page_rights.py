"""Contracts, and their names, only appear to people who may see contracts."""

from __future__ import annotations

from typing import Any

from wagtail.admin.views.reports.page_types_usage import PageTypesUsageReportView
from wagtail.models import Page
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail.permissions import register_permission_policy
from wagtail.query import PageQuerySet

from b2b.models import ContractPage
from b2b.wagtail_hooks.base import SEE_CONTRACTS


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


def _without_contracts(pages: PageQuerySet, user: Any) -> PageQuerySet:
    if user.has_perm(SEE_CONTRACTS):
        return pages
    found: PageQuerySet = pages.not_type(ContractPage)
    return found
