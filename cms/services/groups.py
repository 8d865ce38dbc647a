"""Who may do what in the Wagtail admin: three groups, given their rights when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Page

EDITORS, FINANCE, B2B_MANAGERS = "Editors", "Finance", "B2B managers"
WRITE_PAGES = ("add_page", "change_page", "publish_page")
ADMIN = "wagtailadmin.access_admin"


@dataclass(frozen=True, slots=True)
class GroupRights:
    """What a group may do: Django permissions (app.codename), and pages and media it may write."""

    name: str
    permissions: tuple[str, ...]
    writes_media: bool = False


def _all_of(app: str, models: Iterable[str], *actions: str) -> tuple[str, ...]:
    return tuple(f"{app}.{action}_{model}" for model in models for action in actions)


RIGHTS = {
    EDITORS: GroupRights(
        EDITORS,
        permissions=(
            ADMIN,
            *_all_of("courses", ("department", "course", "courserun", "program"), "add", "change", "delete", "view"),
            *_all_of("cms", ("instructor",), "add", "change", "delete", "view"),
            *_all_of("b2b", ("organizationpage",), "view"),
            *_all_of("ecommerce", ("product",), "view"),
        ),
        writes_media=True,
    ),
    FINANCE: GroupRights(
        FINANCE,
        permissions=(
            ADMIN,
            *_all_of("ecommerce", ("product", "discount"), "add", "change", "view"),
            *_all_of(
                "ecommerce",
                ("order", "orderline", "paymentattempt", "discountcode", "codeuse", "pricechange"),
                "view",
            ),
            *_all_of("ecommerce", ("refund", "refundrequest", "dispute"), "view"),
            *(f"ecommerce.{act}_order" for act in ("refund", "fulfill", "cancel")),
            *_all_of("ecommerce", ("shopsettings",), "change"),
        ),
    ),
    B2B_MANAGERS: GroupRights(
        B2B_MANAGERS,
        permissions=(
            ADMIN,
            *_all_of("b2b", ("organizationpage", "contractpage"), "add", "change", "view"),
            *_all_of("courses", ("course", "courserun", "program"), "view"),
        ),
        writes_media=True,
    ),
}


def ensure_group(rights: GroupRights, *, pages: Iterable[Page], renew: bool = False) -> list[str]:
    """Make a group with its rights and the pages it may write; what changed, in sentences.

    A group that is there keeps what an administrator made of it, unless ``renew`` (Wagtail brings its own “Editors”,
    who may write anywhere).
    """
    with transaction.atomic():
        group, is_new = Group.objects.get_or_create(name=rights.name)
        if not (is_new or renew):
            return []
        group.permissions.set(_permissions(rights.permissions))
        GroupPagePermission.objects.filter(group=group).delete()
        for page in pages:
            _let_write(group, page)
        GroupCollectionPermission.objects.filter(group=group).delete()
        if rights.writes_media:
            _let_write_media(group)
    return [_("Gave the group “%(name)s” its rights.") % {"name": rights.name}]


def _permissions(names: Iterable[str]) -> list[Permission]:
    wanted = set(names)
    apps = {name.partition(".")[0] for name in wanted}
    found = Permission.objects.filter(content_type__app_label__in=apps).select_related("content_type")
    return [each for each in found if f"{each.content_type.app_label}.{each.codename}" in wanted]


def _let_write(group: Group, page: Page) -> None:
    rights = Permission.objects.filter(content_type__app_label="wagtailcore", codename__in=WRITE_PAGES)
    GroupPagePermission.objects.bulk_create(
        [GroupPagePermission(group=group, page=page, permission=right) for right in rights]
    )


def _let_write_media(group: Group) -> None:
    root = Collection.get_first_root_node()
    rights = Permission.objects.filter(
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
        [GroupCollectionPermission(group=group, collection=root, permission=right) for right in rights]
    )
