"""The groups of the Wagtail admin and their permissions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Page

from ecommerce.enums import Role
from ecommerce.roles import ACCESS_ADMIN, permissions_of

EDITORS, FINANCE, B2B_MANAGERS = "Editors", "Finance", "B2B managers"
PAGE_PERMISSIONS = ("add_page", "change_page", "publish_page")


@dataclass(frozen=True, slots=True)
class GroupRights:
    """``permissions`` are Django permissions as app.codename."""

    name: str
    permissions: tuple[str, ...]
    can_edit_media: bool = False


def _model_permissions(app: str, models: Iterable[str], *actions: str) -> tuple[str, ...]:
    return tuple(f"{app}.{action}_{model}" for model in models for action in actions)


RIGHTS = {
    EDITORS: GroupRights(
        EDITORS,
        permissions=(
            ACCESS_ADMIN,
            *_model_permissions(
                "courses", ("department", "course", "courserun", "program", "topic"), "add", "change", "delete", "view"
            ),
            *_model_permissions("cms", ("instructor", "programcollection"), "add", "change", "delete", "view"),
            *_model_permissions("cms", ("sitemenus",), "change"),
            *_model_permissions("wagtailredirects", ("redirect",), "add", "change", "delete", "view"),
            *_model_permissions("b2b", ("organizationpage",), "view"),
            *_model_permissions("ecommerce", ("product",), "view"),
        ),
        can_edit_media=True,
    ),
    FINANCE: GroupRights(
        FINANCE,
        # Being in the group is being a finance administrator of the whole shop.
        permissions=(ACCESS_ADMIN, *sorted(permissions_of([Role.FINANCE_ADMIN]))),
    ),
    B2B_MANAGERS: GroupRights(
        B2B_MANAGERS,
        permissions=(
            ACCESS_ADMIN,
            *_model_permissions("b2b", ("organizationpage", "contractpage"), "add", "change", "view"),
            *_model_permissions("courses", ("course", "courserun", "program"), "view"),
            *_model_permissions("courses", ("enrollment",), "change", "view"),
        ),
        can_edit_media=True,
    ),
}


def ensure_group(rights: GroupRights, *, pages: Iterable[Page], renew: bool = False) -> list[str]:
    """Create a group with its permissions, and return what changed as sentences.

    An existing group keeps its permissions unless ``renew``: Wagtail comes with “Editors” who may edit every page.
    """
    with transaction.atomic():
        group, is_new = Group.objects.get_or_create(name=rights.name)
        if not (is_new or renew):
            return []
        group.permissions.set(_permissions(rights.permissions))
        GroupPagePermission.objects.filter(group=group).delete()
        for page in pages:
            _grant_page(group, page)
        GroupCollectionPermission.objects.filter(group=group).delete()
        if rights.can_edit_media:
            _grant_media(group)
    return [_("Set the permissions of the group “%(name)s”.") % {"name": rights.name}]


def _permissions(names: Iterable[str]) -> list[Permission]:
    names = set(names)
    apps = {name.partition(".")[0] for name in names}
    permissions = Permission.objects.filter(content_type__app_label__in=apps).select_related("content_type")
    return [each for each in permissions if f"{each.content_type.app_label}.{each.codename}" in names]


def _grant_page(group: Group, page: Page) -> None:
    permissions = Permission.objects.filter(content_type__app_label="wagtailcore", codename__in=PAGE_PERMISSIONS)
    GroupPagePermission.objects.bulk_create(
        [GroupPagePermission(group=group, page=page, permission=permission) for permission in permissions]
    )


def _grant_media(group: Group) -> None:
    root = Collection.get_first_root_node()
    permissions = Permission.objects.filter(
        content_type__app_label__in=["wagtailimages", "wagtaildocs"],
        codename__in=[
            "add_image",
            "change_image",
            "choose_image",
            "add_document",
            "change_document",
            "choose_document",
        ],
    )
    GroupCollectionPermission.objects.bulk_create(
        [GroupCollectionPermission(group=group, collection=root, permission=permission) for permission in permissions]
    )
