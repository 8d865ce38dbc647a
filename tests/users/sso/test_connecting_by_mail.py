"""An account with rights is connected only by a link mailed to its own address."""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from social_django.models import UserSocialAuth

from b2b.models import OrganizationPage
from b2b.services.organizations.managers import set_manager
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.verification import make_token
from tests.factories import make_organization
from tests.support.oidc import FakeProvider
from tests.support.together import Together
from tests.users.conftest import PASSWORD
from tests.users.sso.conftest import KEYCLOAK_BACKEND, is_signed_in, sign_in

# Mails go off after the commit.
pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "amara@northgate.example"
ASK = "/login/connect/"


@pytest.fixture
def manager(db: None) -> User:
    """The account of someone who manages one organization of two; the provider's visitor has its address."""
    user = User.objects.create_user(EMAIL, PASSWORD, name="Dana", email_verified_at=clock.now())
    for name in ("Quarry Stone", "Orchard"):
        make_organization(name)
    appoint(user)
    return user


def appoint(user: User) -> None:
    quarry = OrganizationPage.objects.get(name="Quarry Stone")
    set_manager(organization_id=quarry.pk, user_id=user.pk, is_manager=True, by_id=None, now=clock.now())


def ask(client: Client, provider: FakeProvider, outbox: list[EmailMessage], **form: str) -> str:
    """Sign in, be refused, request the link and return its path."""
    assert sign_in(client, provider, **form).status_code == HTTPStatus.FORBIDDEN
    outbox.clear()
    assert client.post(ASK)["Location"] == ASK
    return link_in(outbox)


def link_in(outbox: list[EmailMessage]) -> str:
    (mail,) = outbox
    assert mail.to == [EMAIL]
    found = re.search(r"http://testserver(/login/connect/\S+/)", str(mail.body))
    assert found
    return found[1]


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def assert_useless(client: Client, link: str) -> None:
    for response in (client.get(link), client.post(link)):
        assert response.status_code == HTTPStatus.GONE
        assert "only in the browser where you asked for it" in text_of(response)
        assert EMAIL not in text_of(response)
    assert not is_signed_in(client)


@pytest.mark.parametrize("local_accounts", [True, False])
def test_the_link_connects_and_signs_in(
    client: Client,
    provider: FakeProvider,
    manager: User,
    outbox: list[EmailMessage],
    settings: Any,
    local_accounts: bool,
) -> None:
    settings.LOCAL_ACCOUNTS = local_accounts
    if not local_accounts:
        settings.AUTHENTICATION_BACKENDS = ["mitxonline.users.backends.RightsBackend", KEYCLOAK_BACKEND]
    page = "/organizations/quarry-stone/manage/"
    refused = sign_in(client, provider, next=page)
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert "We’ll e-mail you a link that connects Northgate." in text_of(refused)
    assert ("sign in with your password" in text_of(refused)) == local_accounts
    assert f'action="{ASK}"' in text_of(refused)
    assert outbox == [], "nothing is sent before it is asked for"

    sent = client.post(ASK, follow=True)
    assert "Check your inbox" in text_of(sent)
    assert outbox[0].subject.startswith("Connect Northgate to your account at ")
    assert "open this link in the same browser" in " ".join(str(outbox[0].body).split())
    link = link_in(outbox)
    assert "Connect Northgate to this account" in text_of(client.get(link))
    assert not UserSocialAuth.objects.exists(), "looking connects nothing"

    there = client.post(link)
    assert there.status_code == HTTPStatus.FOUND
    assert UserSocialAuth.objects.get().user == manager
    back = client.get(provider.visit(there["Location"]))
    assert back["Location"] == page
    assert client.session["_auth_user_id"] == str(manager.pk)
    assert "Northgate is connected." in text_of(client.get("/account/"))
    manager.refresh_from_db()
    assert manager.check_password(PASSWORD)
    assert sign_in(Client(), provider)["Location"] == "/dashboard/"


def test_after_the_password_it_is_connected_on_the_account_page(
    client: Client, provider: FakeProvider, manager: User
) -> None:
    assert sign_in(client, provider).status_code == HTTPStatus.FORBIDDEN
    client.post("/login/", {"username": EMAIL, "password": PASSWORD})
    sign_in(client, provider, connect="1")
    assert UserSocialAuth.objects.get().user == manager


def test_in_another_browser_it_is_useless(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    """Who reads the mail need not be who is at the provider: its owner connects no one by following it."""
    link = ask(client, provider, outbox)
    owner = Client()
    assert_useless(owner, link)
    owner.force_login(manager, backend="mitxonline.users.backends.EmailBackend")
    assert owner.post(link).status_code == HTTPStatus.GONE
    assert not UserSocialAuth.objects.exists()
    assert client.get(link).status_code == HTTPStatus.OK, "whoever looked has not used it up"


def test_each_of_two_at_the_provider_has_their_own_link(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    first, second = client, Client()
    link = ask(first, provider, outbox)
    provider.claims["sub"] = "somebody-else"
    other_link = ask(second, provider, outbox)
    assert_useless(first, other_link)
    assert_useless(second, link)
    first.post(link)
    refused = second.post(other_link)
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert "is connected to another person at Northgate" in text_of(refused)
    assert UserSocialAuth.objects.get().uid.endswith("#11111111-aaaa-4bbb-8ccc-222222222222")


def test_two_identities_in_one_browser_the_last_one_counts(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    link = ask(client, provider, outbox)
    provider.claims["sub"] = "somebody-else"
    sign_in(client, provider)
    assert_useless(client, link)
    assert not UserSocialAuth.objects.exists()


def test_only_the_last_link_works_and_only_once(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    first = ask(client, provider, outbox)
    outbox.clear()
    client.post(ASK)
    link = link_in(outbox)
    assert_useless(client, first)
    client.post(link)
    UserSocialAuth.objects.all().delete()
    assert_useless(client, link)
    assert not UserSocialAuth.objects.exists()


def test_a_link_opened_by_another_user_connects_nothing(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    link = ask(client, provider, outbox)
    User.objects.create_user("other@mail.example", PASSWORD, email_verified_at=clock.now())
    client.post("/login/", {"username": "other@mail.example", "password": PASSWORD})
    for response in (client.get(link, follow=True), client.post(link, follow=True)):
        assert "This link is for another account; you’re signed in as other@mail.example." in text_of(response)
    assert not UserSocialAuth.objects.exists()


@pytest.mark.parametrize("change", ["address", "off", "rights", "late", "old link", "damaged"])
def test_a_link_is_useless_after_the_account_changed(
    client: Client,
    provider: FakeProvider,
    manager: User,
    outbox: list[EmailMessage],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    link = ask(client, provider, outbox)
    if change == "rights":  # more to lose, and the same proof as for a link asked for now
        User.objects.update(is_superuser=True)
        client.post(link)
        assert UserSocialAuth.objects.get().user == manager
        return
    if change == "address":
        User.objects.update(email="new@northgate.example")
    elif change == "off":
        User.objects.update(is_active=False)
    elif change == "late":
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=1))
    elif change == "old link":
        monkeypatch.setattr("django.core.signing.time.time", lambda: clock.now().timestamp() + 3601)
    else:
        link = f"{link[:-3]}xy/"
    assert_useless(client, link)
    assert not UserSocialAuth.objects.exists()


def test_a_link_for_confirming_an_address_connects_nothing(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    ask(client, provider, outbox)
    assert_useless(client, f"{ASK}{make_token(manager)}/")


def test_connecting_an_unproven_account_removes_its_old_password_and_sessions(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]
) -> None:
    """Someone registered with the address, and was appointed before its owner came."""
    User.objects.update(email_verified_at=None)
    UserSocialAuth.objects.create(user=manager, provider="edx-oauth2", uid="https://lms.example#7")
    hijacker = Client()
    hijacker.force_login(manager, backend="mitxonline.users.backends.EmailBackend")
    client.get(provider.visit(client.post(ask(client, provider, outbox))["Location"]))
    assert is_signed_in(client)
    manager.refresh_from_db()
    assert (manager.has_usable_password(), manager.is_email_verified) == (False, True)
    assert [each.provider for each in manager.social_auth.all()] == ["keycloak"]
    assert hijacker.get("/account/").status_code == HTTPStatus.FOUND


def test_links_are_limited(client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage]) -> None:
    ask(client, provider, outbox)
    for _each in range(4):
        client.post(ASK)
    refused = client.post(ASK, follow=True)
    assert len(outbox) == 5
    assert refused.redirect_chain[-1][0] == ASK
    assert "too many" in text_of(refused).lower() or "try again" in text_of(refused).lower()


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_having_come_from_the_provider_there_is_nothing_to_ask_for(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage], method: str
) -> None:
    assert getattr(client, method)(ASK)["Location"] == "/login/"
    assert outbox == []


def test_the_button_pressed_twice_at_once(
    client: Client, provider: FakeProvider, manager: User, outbox: list[EmailMessage], together: Together
) -> None:
    link = ask(client, provider, outbox)

    def press() -> int:
        browser = Client()
        browser.cookies.load({name: morsel.value for name, morsel in client.cookies.items()})
        return browser.post(link).status_code

    assert set(together(press, press)) <= {HTTPStatus.FOUND, HTTPStatus.GONE}
    assert UserSocialAuth.objects.get().user == manager
