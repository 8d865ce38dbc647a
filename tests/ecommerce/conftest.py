"""Finance, signed in to the Wagtail admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from mitxonline.users.models import User
from tests.factories import make_user


@pytest.fixture
def finance(db: None) -> User:
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    user = make_user("finance@staff.example", name="Robin Hale", is_staff=True)
    user.groups.add(Group.objects.get(name=FINANCE))
    return user


@pytest.fixture
def desk(finance: User) -> Client:
    client = Client()
    client.force_login(finance)
    return client
