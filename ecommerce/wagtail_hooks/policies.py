"""Who may do what in the shop's section."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from wagtail.permission_policies.base import BasePermissionPolicy
from wagtail.permissions import register_permission_policy

from ecommerce.models import Discount
from ecommerce.selectors.discount_access import DiscountAccess, discount_access_of
from mitxonline.users.models import User

_KEEPER = "_discount_keeper"


def discount_access_for(user: Any) -> DiscountAccess:
    """Whom the user is to discounts, asked once for each request (as Django does with permissions)."""
    known: DiscountAccess | None = getattr(user, _KEEPER, None)
    if known is None:
        known = discount_access_of(user)
        setattr(user, _KEEPER, known)
    return known


class DiscountPolicy(BasePermissionPolicy):
    """Finance keeps all discounts, a course's staff those of their course; no one deletes any: orders name them."""

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


register_permission_policy(Discount, DiscountPolicy(Discount), exact_class=True)
