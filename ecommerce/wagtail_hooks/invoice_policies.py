"""Who may see, write and issue invoices, and record what happens to them: asked of the table of roles."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from wagtail.permission_policies.base import BasePermissionPolicy
from wagtail.permissions import register_permission_policy

from ecommerce.models import Customer, Invoice
from ecommerce.roles import NOWHERE, Action, ShopScope, may_somewhere, scope_of
from ecommerce.selectors.invoices import customers_in, invoices_in
from mitxonline.users.models import User

# The actions of the pages about invoices, and of Wagtail's pages about customers.
INVOICE_ACTIONS = {
    "view": Action.INVOICE_VIEW,
    "issue": Action.INVOICE_ISSUE,
    "pay": Action.INVOICE_PAY,
    "void": Action.INVOICE_VOID,
}
CUSTOMER_ACTIONS = {
    "view": Action.INVOICE_VIEW,
    "choose": Action.INVOICE_ISSUE,
    "add": Action.INVOICE_ISSUE,
    "change": Action.INVOICE_ISSUE,
}


def invoice_scope(user: Any, action: str) -> ShopScope:
    """Return where the user may take this action on invoices; nowhere for an action that doesn't exist."""
    return scope_of(user, INVOICE_ACTIONS[action]) if action in INVOICE_ACTIONS else NOWHERE


class InvoicePolicy(BasePermissionPolicy):
    """With roles in some courses, people work on the invoices over nothing but these courses."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        return bool(invoice_scope(user, action))

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        scope = invoice_scope(user, action)
        return scope.is_whole or bool(scope and invoices_in(scope).filter(pk=instance.pk).exists())

    def users_with_any_permission(self, actions: Any) -> QuerySet[User]:
        return _filter_users(self, actions)


class CustomerPolicy(BasePermissionPolicy):
    """Whoever writes invoices keeps the customers of these. No one deletes any: invoices refer to them."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        return action in CUSTOMER_ACTIONS and may_somewhere(user, CUSTOMER_ACTIONS[action])

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        if action not in CUSTOMER_ACTIONS:
            return False
        scope = scope_of(user, CUSTOMER_ACTIONS[action])
        return scope.is_whole or customers_in(scope, user_id=user.pk).filter(pk=instance.pk).exists()

    def users_with_any_permission(self, actions: Any) -> QuerySet[User]:
        return _filter_users(self, actions)


def customers_of(user: Any) -> QuerySet[Customer]:
    """Return the customers that the user works with. Others are as unknown to them as those that don't exist."""
    return customers_in(scope_of(user, Action.INVOICE_VIEW), user_id=user.pk)


def _filter_users(policy: BasePermissionPolicy, actions: Any) -> QuerySet[User]:
    people = User.objects.filter(is_active=True)
    allowed = [user.pk for user in people.filter(is_staff=True) if policy.user_has_any_permission(user, actions)]
    return people.filter(pk__in=allowed)


register_permission_policy(Invoice, InvoicePolicy(Invoice), exact_class=True)
register_permission_policy(Customer, CustomerPolicy(Customer), exact_class=True)
