"""Data migrations of the site's groups."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE, RIGHTS, ensure_group
from tests.factories.pages import make_home

pytestmark = pytest.mark.django_db

MIGRATION = import_module("cms.migrations.0008_editors_may_keep_menus_and_topics")
ENROLLMENTS = import_module("cms.migrations.0010_groups_look_after_enrollments")


def rights_of(group: Group) -> set[str]:
    return {
        f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.select_related("content_type")
    }


def test_existing_editors_get_the_rights_that_new_ones_have() -> None:
    ensure_group(RIGHTS[EDITORS], pages=[make_home()], renew=True)
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    editors, finance = Group.objects.get(name=EDITORS), Group.objects.get(name=FINANCE)
    before = rights_of(finance)
    new = Permission.objects.filter(content_type__model__in=["sitemenus", "topic", "redirect"])
    editors.permissions.remove(*new, *Permission.objects.filter(codename="delete_course"))
    MIGRATION.give_new_rights(apps, None)
    assert rights_of(editors) == set(RIGHTS[EDITORS].permissions) - {"courses.delete_course"}
    assert rights_of(finance) == before
    MIGRATION.give_new_rights(apps, None)
    assert rights_of(editors) == set(RIGHTS[EDITORS].permissions) - {"courses.delete_course"}


@pytest.mark.parametrize("name", [FINANCE, B2B_MANAGERS])
def test_existing_groups_look_after_enrollments(name: str) -> None:
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    ensure_group(RIGHTS[B2B_MANAGERS], pages=[], renew=True)
    group = Group.objects.get(name=name)
    group.permissions.remove(*Permission.objects.filter(content_type__model="enrollment"))
    before = rights_of(group)
    ENROLLMENTS.give_new_rights(apps, None)
    assert rights_of(group) - before == {"courses.change_enrollment", "courses.view_enrollment"}
    group.permissions.clear()
    ENROLLMENTS.give_new_rights(apps, None)
    assert not rights_of(group), "another group of that name"


def test_wagtails_own_editors_get_nothing() -> None:
    editors, _is_new = Group.objects.get_or_create(name=EDITORS)
    editors.permissions.clear()
    MIGRATION.give_new_rights(apps, None)
    assert not rights_of(editors)
