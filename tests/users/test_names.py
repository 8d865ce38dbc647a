"""A person's name by one rule, at every door it comes in by."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from mitxonline.kernel import clock
from mitxonline.users import services
from mitxonline.users.models import User
from mitxonline.users.sso.identity import read_identity
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

SPAM = "https://evil.example/win free prize"
REFUSED = "A name can’t have a web or e-mail address in it"
ADD = {
    "wagtail": ("/cms/users/new/", {"password1": PASSWORD, "password2": PASSWORD}),
    "admin": (
        "/admin/users/user/add/",
        {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
        | {
            f"{inline}-{count}": "0"
            for inline in ("organization_memberships", "contract_memberships")
            for count in ("TOTAL_FORMS", "INITIAL_FORMS")
        },
    ),
}


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root Person"))
    return client


def test_registering_with_an_address_as_the_name_is_refused_and_sends_nothing(
    client: Client, outbox: list[EmailMessage]
) -> None:
    content = {"name": SPAM, "email": "victim@example.org", "password": "a long enough one for all"}
    page = client.post("/register/", content).content.decode()
    assert REFUSED in page
    assert f'value="{SPAM}"' in page
    assert not User.objects.exists()
    assert outbox == []


def test_registering_keeps_only_what_can_be_seen(client: Client) -> None:
    content = {"name": "Jane\x0bDo\u200be", "email": "jane@example.org", "password": "a long enough one for all"}
    assert client.post("/register/", content).status_code == HTTPStatus.FOUND
    assert User.objects.get().name == "Jane Doe"


@pytest.mark.parametrize("name", ["\u200b\u200d", "\u3164", "\u2800"])
def test_registering_with_nothing_that_can_be_seen_is_refused(client: Client, name: str) -> None:
    content = {"name": name, "email": "jane@example.org", "password": "a long enough one for all"}
    assert "Enter your name." in client.post("/register/", content).content.decode()
    assert not User.objects.exists()


def test_the_account_page_takes_no_address_either(signed_in: Client, ada: User) -> None:
    page = signed_in.post("/account/", {"name": "ada@evil.example", "theme": "auto"}).content.decode()
    assert REFUSED in page
    ada.refresh_from_db()
    assert ada.name == "Ada Lovelace"


@pytest.mark.parametrize("door", ADD)
def test_neither_admin_takes_an_address_or_what_cannot_be_seen(root: Client, door: str) -> None:
    url, content = ADD[door]
    assert REFUSED in root.post(url, content | {"email": "jane@example.org", "name": SPAM}).content.decode()
    assert not User.objects.filter(email="jane@example.org").exists()
    root.post(url, content | {"email": "jane@example.org", "name": "Jane\x1fDo\u202ee"})
    assert User.objects.get(email="jane@example.org").name == "Jane Doe"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": f"Jane {SPAM}"}, "Jane free prize"),
        ({"name": "jane@x.example", "given_name": "Jane", "family_name": "Doe"}, "Jane Doe"),
        ({"name": "Jane\x0bDo\u200be"}, "Jane Doe"),
        ({"name": "\u200b", "given_name": "Jane\u3164"}, "Jane"),
        ({"name": 7}, ""),
    ],
)
def test_a_name_from_a_provider_is_cleaned(claims: dict[str, object], name: str) -> None:
    assert read_identity(claims, provider="keycloak", issuer="https://sso.example", subject="1").name == name


def test_code_that_makes_an_account_can_keep_nothing_invisible() -> None:
    assert User.objects.create_user("jane@example.org", name="Jane\x0b\u200bDoe\x00").name == "Jane Doe"


@pytest.mark.parametrize(("is_confirmed", "greeting"), [(True, "Hello Ada,"), (False, "Hello,")])
def test_only_a_confirmed_address_is_greeted_by_name(
    ada: User, outbox: list[EmailMessage], is_confirmed: bool, greeting: str
) -> None:
    User.objects.update(email_verified_at=clock.now() if is_confirmed else None)
    services.request_password_reset(email=ada.email)
    (mail,) = outbox
    assert greeting in mail.body.splitlines()
    assert greeting in mail.alternatives[0][0]  # type: ignore[attr-defined]


def test_a_name_from_before_the_rule_greets_nobody(ada: User, outbox: list[EmailMessage]) -> None:
    User.objects.update(name=SPAM, email_verified_at=clock.now())
    services.request_password_reset(email=ada.email)
    (mail,) = outbox
    assert "evil.example" not in mail.body + mail.alternatives[0][0]  # type: ignore[attr-defined]


def test_both_spellings_of_a_domain_open_one_account(client: Client) -> None:
    User.objects.create_user("ines@müller.example", PASSWORD)
    response = client.post("/login/", {"username": "ines@xn--mller-kva.example", "password": PASSWORD})
    assert response.status_code == HTTPStatus.FOUND
    content = {"name": "Ines", "email": "ines@XN--mller-kva.example", "password": "a long enough one for all"}
    assert Client().post("/register/", content).status_code == HTTPStatus.OK
    assert User.objects.count() == 1


def test_an_international_address_that_a_provider_has_verified_stays_verified() -> None:
    for email in ("ines@müller.example", "ines@xn--mller-kva.example"):
        claims = {"email": email, "email_verified": True}
        identity = read_identity(claims, provider="keycloak", issuer="https://sso.example", subject="1")
        assert (identity.email, identity.is_email_verified) == ("ines@müller.example", True)
