"""Users in Wagtail's admin, which asks for two names by default."""

import re
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LIST, ADD = "/cms/users/", "/cms/users/new/"


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root Person"))
    return client


def edit_page(person: User) -> str:
    return reverse("wagtailusers_users:edit", args=[person.pk])


def test_the_list_shows_and_finds_people_by_name_and_address(root: Client, ada: User) -> None:
    assert "Ada Lovelace" in root.get(LIST).content.decode()
    for words in ("lovelace", "ada@example"):
        assert "Ada Lovelace" in root.get(LIST, {"q": words}).content.decode()
    assert "Ada Lovelace" not in root.get(LIST, {"q": "grace"}).content.decode()
    for ordering in ("name", "-email", "last_login", "is_active", "nonsense"):
        assert root.get(LIST, {"ordering": ordering}).status_code == HTTPStatus.OK


def test_staff_can_add_a_user(root: Client) -> None:
    page = root.get(ADD).content.decode()
    assert 'name="name"' in page
    assert "first_name" not in page
    form = {"email": "Grace@Example.org", "name": "Grace Hopper", "password1": PASSWORD, "password2": PASSWORD}
    assert root.post(ADD, form).status_code == HTTPStatus.FOUND
    grace = User.objects.with_email("grace@example.org").get()
    assert (grace.name, grace.email, grace.check_password(PASSWORD)) == ("Grace Hopper", "grace@example.org", True)


def test_an_address_can_be_added_only_once(root: Client, ada: User) -> None:
    form = {"email": "ADA@example.org", "name": "Ada", "password1": PASSWORD, "password2": PASSWORD}
    assert "already" in root.post(ADD, form).content.decode()
    assert User.objects.count() == 2


def test_staff_can_change_a_user(root: Client, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(email_verified_at=clock.now())
    page = root.get(edit_page(ada)).content.decode()
    assert 'value="Ada Lovelace"' in page
    assert "first_name" not in page
    group = Group.objects.get(name="Editors")
    form = {"email": ada.email, "name": "Ada King", "is_active": "on", "groups": [group.pk]}
    assert root.post(edit_page(ada), form).status_code == HTTPStatus.FOUND
    ada.refresh_from_db()
    assert (ada.name, ada.groups.get(), ada.is_email_verified) == ("Ada King", group, True)


def test_a_changed_address_is_not_confirmed(root: Client, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(email_verified_at=clock.now())
    root.post(edit_page(ada), {"email": "king@example.org", "name": "Ada King", "is_active": "on"})
    ada.refresh_from_db()
    assert (ada.email, ada.email_verified_at) == ("king@example.org", None)


def test_ones_own_account_page_asks_for_one_name_and_no_address(root: Client) -> None:
    page = root.get("/cms/account/").content.decode()
    assert 'value="Root Person"' in page
    assert "first_name" not in page
    assert 'name="name_email-email"' not in page
    form = {
        "name_email-name": "Root King",
        "name_email-email": "x@example.org",
        "theme-theme": "system",
        "theme-density": "default",
        "theme-contrast": "system",
        "locale-preferred_language": "",
        "notifications-submitted_notifications": "on",
    }
    assert root.post("/cms/account/", form).status_code == HTTPStatus.FOUND
    person = User.objects.get()
    assert (person.name, person.email) == ("Root King", "root@example.org")


def test_learners_do_not_get_in(signed_in: Client) -> None:
    assert signed_in.get(LIST).status_code == HTTPStatus.FOUND


def test_the_sign_in_page_takes_an_address(client: Client, ada: User) -> None:
    User.objects.update(is_superuser=True)
    client.post("/cms/login/", {"username": "ADA@example.org", "password": PASSWORD}, follow=True)
    assert client.get("/cms/").status_code == HTTPStatus.OK


@pytest.mark.parametrize("home", ["/cms/", "/admin/"])
def test_the_doors_of_the_administrations_lead_to_the_one_sign_in_page(client: Client, ada: User, home: str) -> None:
    User.objects.update(is_superuser=True, is_staff=True)
    response = client.get(home, follow=True)
    assert response.redirect_chain[-1][0].startswith("/login/?next=")
    page = " ".join(response.content.decode().split())
    assert re.search(r"<label[^>]*> ?Email", page)
    assert re.search(r"<label[^>]*> ?Password", page)
    form = {"username": "ada@example.org", "password": PASSWORD}
    assert client.post(response.request["PATH_INFO"], {**form, "next": home})["Location"] == home
    assert client.get(home).status_code == HTTPStatus.OK


@pytest.mark.parametrize("home", ["/cms/", "/admin/"])
def test_users_without_admin_access_get_a_refusal_not_a_redirect_loop(signed_in: Client, home: str) -> None:
    response = signed_in.get(home, follow=True)
    assert response.redirect_chain[-1][0] == f"/logout/?next=%2F{home.strip('/')}%2F"
    assert "Your account doesn’t have access." in response.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize("home", ["/cms/", "/admin/"])
def test_signing_out_there_signs_out(root: Client, home: str) -> None:
    assert root.post(f"{home}logout/")["Location"] == "/"
    assert "_auth_user_id" not in root.session
