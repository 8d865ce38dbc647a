"""Permissions that come with roles in the shop."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend

from ecommerce.roles import ACCESS_ADMIN, permissions_of, roles_of
from mitxonline.users.sso.rights import ProvenRightsMixin


class ShopRolesBackend(ProvenRightsMixin, BaseBackend):
    """Every role opens the Wagtail admin; one for the whole shop also has the permissions of its actions.

    So pages that ask for a permission need not know of roles. Pages about one course ask `ecommerce.roles`.
    """

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        held = roles_of(user_obj)
        if not held:
            return set()
        return {ACCESS_ADMIN, *permissions_of(each.role for each in held if each.course_id is None)}
