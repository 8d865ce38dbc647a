"""Users with the rights of each Wagtail group."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.test import Client

from b2b.models import OrganizationIndexPage
from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE, RIGHTS, ensure_group
from mitxonline.users.models import User
from tests.factories import make_user
from tests.factories.pages import make_home

GROUPS = {"editor": EDITORS, "manager": B2B_MANAGERS, "finance": FINANCE}
EVERYBODY = ("anonymous", "learner", "editor", "finance", "manager", "superuser")


def sign_in_as(who: str) -> Client:
    """Return a client for "editor", "manager", "finance", "superuser" or "learner", signed in, or for "anonymous"."""
    client = Client()
    if who != "anonymous":
        client.force_login(make_staff(who))
    return client


def make_staff(who: str) -> User:
    """Make the account of one of these roles."""
    user = make_user(name=who.title(), is_superuser=who == "superuser")
    if who in GROUPS:
        index = OrganizationIndexPage.objects.first()
        root = index if who == "manager" and index is not None else make_home()
        ensure_group(RIGHTS[GROUPS[who]], pages=[root] if who != "finance" else [], renew=True)
        user.groups.add(Group.objects.get(name=GROUPS[who]))
    return user
