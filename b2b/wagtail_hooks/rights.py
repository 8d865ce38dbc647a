"""Who sees what here: editors see organizations; terms, codes and members are for those who look after contracts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from b2b.models import ContractPage

SEE_ORGANIZATIONS = "b2b.view_organizationpage"
SEE_CONTRACTS = "b2b.view_contractpage"


def may_work_on(user: Any, contract: ContractPage) -> bool:
    """Whether someone may see this contract's codes, and change what it covers and who is in it."""
    return bool(contract.permissions_for_user(user).can_edit())


class Allowed:
    """A view for those who have a permission; the others are told so before anything is looked up."""

    needs: ClassVar[str] = SEE_CONTRACTS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.check_rights(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response

    def check_rights(self, request: HttpRequest) -> None:
        """Raise PermissionDenied for who has no business here."""
        if not request.user.has_perm(self.needs):
            raise PermissionDenied
