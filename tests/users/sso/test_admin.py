"""Connections in the admin: who is who, and no secrets."""

from http import HTTPStatus

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import NoReverseMatch, reverse
from social_django.models import UserSocialAuth

from mitxonline.users.models import GivenRight, ProviderSession, User
from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import sign_in

pytestmark = pytest.mark.django_db

LIST = "/admin/social_django/usersocialauth/"


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root@example.org", name="Root"),
        backend="mitxonline.users.backends.EmailBackend",
    )
    return client


def test_a_connection_is_shown_without_what_was_seen_or_signed(root: Client, provider: FakeProvider) -> None:
    sign_in(Client(), provider)
    connection = UserSocialAuth.objects.get()
    for page in (LIST, f"{LIST}{connection.pk}/change/"):
        response = root.get(page)
        assert response.status_code == HTTPStatus.OK
        content = response.content.decode()
        assert connection.uid in content
        assert "extra_data" not in content
        assert ProviderSession.objects.get().id_token not in content


def test_nothing_is_typed_in_and_a_wrong_one_can_be_deleted(root: Client, provider: FakeProvider) -> None:
    sign_in(Client(), provider)
    connection = UserSocialAuth.objects.get()
    assert root.get(f"{LIST}add/").status_code == HTTPStatus.FORBIDDEN
    changed = root.post(f"{LIST}{connection.pk}/change/", {"uid": "somebody-else", "user": connection.user_id})
    assert changed.status_code == HTTPStatus.FORBIDDEN
    root.post(f"{LIST}{connection.pk}/delete/", {"post": "yes"})
    assert not UserSocialAuth.objects.exists()
    assert sign_in(Client(), provider)["Location"] == "/dashboard/", "and is made anew"


def test_only_superusers_can_disconnect_a_superuser(root: Client, provider: FakeProvider) -> None:
    clerk = User.objects.create_user("clerk@example.org", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="social_django"))
    client = Client()
    client.force_login(clerk, backend="mitxonline.users.backends.EmailBackend")
    boss = User.objects.get(is_superuser=True)
    theirs = UserSocialAuth.objects.create(user=boss, provider="keycloak", uid="x#boss")
    assert client.post(f"{LIST}{theirs.pk}/delete/", {"post": "yes"}).status_code == HTTPStatus.FORBIDDEN
    client.post(LIST, {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"})
    assert UserSocialAuth.objects.filter(pk=theirs.pk).exists()


@pytest.mark.parametrize("model", ["nonce", "association", "partial", "code"])
def test_sign_in_state_is_not_in_the_admin(model: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(f"admin:social_django_{model}_changelist")


def test_rights_that_follow_roles_are_listed(root: Client, provider: FakeProvider) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    sign_in(Client(), provider)
    assert GivenRight.objects.count() == 2
    assert "amara@northgate.example" in root.get("/admin/users/givenright/").content.decode()
