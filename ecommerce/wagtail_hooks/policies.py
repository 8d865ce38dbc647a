"""Who may see and change discounts in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from wagtail.permission_policies.base import BasePermissionPolicy
from wagtail.permissions import register_permission_policy

from ecommerce.models import Discount, Order, Refund
from ecommerce.roles import TABLE, Action, may_somewhere
from ecommerce.selectors.discount_access import DiscountAccess, discount_access_of
from mitxonline.users.models import User

_CACHE = "_discount_access"


def discount_access_for(user: Any) -> DiscountAccess:
    """Return a user's access to discounts. It is read once per request, as Django does with permissions."""
    access: DiscountAccess | None = getattr(user, _CACHE, None)
    if access is None:
        access = discount_access_of(user)
        setattr(user, _CACHE, access)
    return access


class DiscountPolicy(BasePermissionPolicy):
    """Finance manages all discounts, course staff those of their courses. No one deletes any: orders refer to them."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        access = discount_access_for(user)
        if action == "view":
            return access.exists
        return action in {"add", "change"} and access.may_make

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        access = discount_access_for(user)
        if action == "view":
            return access.may_see or instance.course_id in access.courses
        return action == "change" and access.may_change(instance)

    def user_has_any_permission_for_instance(self, user: Any, actions: Any, instance: Any) -> bool:
        return any(self.user_has_permission_for_instance(user, action, instance) for action in actions)

    def users_with_any_permission(self, actions: Any) -> QuerySet[User]:
        granted = Permission.objects.filter(
            content_type__app_label="ecommerce", codename__in=[f"{action}_discount" for action in actions]
        )
        return User.objects.filter(
            Q(is_superuser=True)
            | Q(groups__permissions__in=granted)
            | Q(user_permissions__in=granted)
            | Q(courses_looked_after__isnull=False),
            is_active=True,
        ).distinct()


class OrderPolicy(BasePermissionPolicy):
    """Orders and refunds, for those with the permission and for roles. What a role covers, the pages look at."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        return f"order.{action}" in {each.value for each in TABLE} and may_somewhere(user, f"order.{action}")

    def users_with_any_permission(self, actions: Any) -> QuerySet[User]:
        names = [f"{action}_order" for action in actions]
        granted = Permission.objects.filter(content_type__app_label="ecommerce", codename__in=names)
        roles = {role for action in actions for role in TABLE[Action(f"order.{action}")].roles}
        return User.objects.filter(
            Q(is_superuser=True)
            | Q(groups__permissions__in=granted)
            | Q(user_permissions__in=granted)
            | Q(shop_roles__role__in=roles),
            is_active=True,
        ).distinct()


register_permission_policy(Order, OrderPolicy(Order), exact_class=True)
register_permission_policy(Refund, OrderPolicy(Refund), exact_class=True)
register_permission_policy(Discount, DiscountPolicy(Discount), exact_class=True)
