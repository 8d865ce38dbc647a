"""Users in Django's admin."""

import re
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LIST, ADD = "/admin/users/user/", "/admin/users/user/add/"


def change_page(person: User) -> str:
    return reverse("admin:users_user_change", args=[person.pk])


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    return client


@pytest.fixture
def helper(client: Client) -> Client:
    """Staff with the right to change users."""
    person = User.objects.create_user("helper@example.org", PASSWORD, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="users"))
    client.force_login(person)
    return client


def send(client: Client, page: str, form: dict[str, str]) -> Any:
    """Post the page's form, including the inline formsets' management data."""
    counts = re.findall(r'name="([a-z_-]+-(?:TOTAL|INITIAL)_FORMS)" value="(\d+)"', client.get(page).content.decode())
    return client.post(page, dict(counts) | form)


def test_people_are_listed_and_found(root: Client, ada: User) -> None:
    assert "Ada Lovelace" in root.get(LIST, {"q": "lovelace"}).content.decode()
    assert "Ada Lovelace" not in root.get(LIST, {"q": "hopper"}).content.decode()


def test_staff_can_add_a_user(root: Client) -> None:
    assert root.get(ADD).status_code == HTTPStatus.OK
    form = {"email": "Grace@Example.org", "name": "Grace", "usable_password": "true"}
    response = send(root, ADD, form | {"password1": PASSWORD, "password2": PASSWORD})
    assert response.status_code == HTTPStatus.FOUND
    assert User.objects.with_email("grace@example.org").get().check_password(PASSWORD)
    again = send(root, ADD, form | {"password1": PASSWORD, "password2": PASSWORD, "email": "GRACE@example.org"})
    assert "There is already an account" in again.content.decode()


def test_a_changed_address_is_not_confirmed(root: Client, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(email_verified_at=clock.now())
    form = {"email": ada.email, "name": "Ada King", "theme": "auto", "is_active": "on"}
    send(root, change_page(ada), form)
    ada.refresh_from_db()
    assert (ada.name, ada.is_email_verified) == ("Ada King", True)
    send(root, change_page(ada), form | {"email": "king@example.org"})
    ada.refresh_from_db()
    assert (ada.email, ada.email_verified_at) == ("king@example.org", None)


def test_changing_users_does_not_allow_making_superusers(helper: Client, ada: User) -> None:
    form = {"email": ada.email, "name": "Ada", "theme": "auto", "is_active": "on"}
    send(helper, change_page(ada), form | {"is_superuser": "on", "is_staff": "on"})
    ada.refresh_from_db()
    assert (ada.name, ada.is_superuser, ada.is_staff) == ("Ada", False, False)


def test_changing_users_does_not_allow_taking_over_a_superuser(helper: Client) -> None:
    root = User.objects.create_superuser("root@example.org", PASSWORD)
    assert helper.post(change_page(root), {"email": "x@example.org"}).status_code == HTTPStatus.FORBIDDEN
    password_page = reverse("admin:auth_user_password_change", args=[root.pk])
    form = {"usable_password": "true", "password1": "x" * 12, "password2": "x" * 12}
    assert helper.post(password_page, form).status_code == HTTPStatus.FORBIDDEN
    assert helper.post(reverse("admin:users_user_delete", args=[root.pk]), {"post": "yes"}).status_code == 403
    root.refresh_from_db()
    assert root.check_password(PASSWORD)
