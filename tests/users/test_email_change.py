"""Changing the address of an account: by password, confirmed at both addresses."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from social_django.models import UserSocialAuth

from mitxonline.kernel import clock
from mitxonline.users.email_change import AddressTaken, confirm_email_change
from mitxonline.users.models import EmailChange, User
from mitxonline.users.sso.accounts import find_or_create_account
from mitxonline.users.sso.identity import ProviderIdentity
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/account/email/"


def ask(client: Client, new_email: str = "ada@new.example.org", password: str = PASSWORD) -> str:
    return client.post(ADDRESS, {"new_email": new_email, "password": password}).content.decode()


def link(outbox: list[EmailMessage], to: str) -> str:
    [found] = [str(each.body) for each in outbox if each.to == [to]]
    match = re.search(r"https?://[^/]+(/account/email/\S+/)", found)
    assert match is not None
    return match[1]


def test_the_address_changes_once_both_have_confirmed_by_a_button(
    client: Client, signed_in: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    assert "Check both inboxes" in ask(signed_in, " Ada@New.Example.org ")
    old, new = link(outbox, "ada@example.org"), link(outbox, "ada@new.example.org")
    other = Client()
    for each in (old, new):
        assert "Yes, change it" in other.get(each).content.decode()
        assert User.objects.get().email == "ada@example.org", "mail scanners follow links"
        assert "no-store" in other.get(each).headers["Cache-Control"]
    assert "Now open the link in the other inbox" in other.post(new, follow=True).content.decode()
    assert User.objects.get().email == "ada@example.org"
    assert other.post(old).status_code == HTTPStatus.FOUND
    ada.refresh_from_db()
    assert (ada.email, ada.is_email_verified) == ("ada@new.example.org", True)
    assert not EmailChange.objects.exists()


def test_then_every_device_is_signed_out_and_the_old_address_is_told(
    signed_in: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    other = Client()
    other.force_login(ada)
    ask(signed_in)
    links = link(outbox, "ada@example.org"), link(outbox, "ada@new.example.org")
    outbox.clear()
    for each in links:
        assert signed_in.get("/account/").status_code == HTTPStatus.OK
        Client().post(each)
    for client in (signed_in, other):
        assert client.get("/account/").status_code == HTTPStatus.FOUND
    assert [each.to for each in outbox] == [["ada@example.org"]]
    assert client.post("/login/", {"username": "ada@new.example.org", "password": PASSWORD})["Location"] != "/login/"
    for each in links:
        assert Client().get(each).status_code == HTTPStatus.SEE_OTHER


def test_a_wrong_password_asks_for_nothing(signed_in: Client, outbox: list[EmailMessage]) -> None:
    assert "This is not your current password." in ask(signed_in, password="wrong")
    assert not outbox
    assert not EmailChange.objects.exists()


def test_wrong_passwords_are_limited_as_at_sign_in(signed_in: Client, outbox: list[EmailMessage]) -> None:
    for _each in range(10):
        ask(signed_in, password="wrong")
    response = signed_in.post(ADDRESS, {"new_email": "x@example.org", "password": PASSWORD})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not outbox


def test_it_does_not_tell_which_addresses_have_an_account(signed_in: Client, outbox: list[EmailMessage]) -> None:
    User.objects.create_user("bob@example.org", PASSWORD)
    known, unknown = ask(signed_in, "bob@example.org"), ask(signed_in, "carol@example.org")
    assert re.sub(r'value="[^"]*"', "", known) == re.sub(r'value="[^"]*"', "", unknown)
    [to_bob] = [each for each in outbox if each.to == ["bob@example.org"]]
    assert "/account/email/" not in str(to_bob.body)


def test_an_address_taken_meanwhile_is_refused_and_nothing_changes(
    signed_in: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    ask(signed_in)
    old, new = link(outbox, "ada@example.org"), link(outbox, "ada@new.example.org")
    Client().post(new)
    User.objects.create_user("ada@new.example.org", PASSWORD)
    with pytest.raises(AddressTaken):
        confirm_email_change(token=old.split("/")[-2], now=clock.now())
    assert "The new address can’t be used" in Client().post(old, follow=True).content.decode()
    ada.refresh_from_db()
    assert (ada.email, ada.sessions_ended) == ("ada@example.org", 0)


def test_a_second_request_ends_the_links_of_the_first(signed_in: Client, outbox: list[EmailMessage]) -> None:
    ask(signed_in)
    first = link(outbox, "ada@new.example.org")
    outbox.clear()
    ask(signed_in, "ada@third.example.org")
    assert Client().post(first).status_code == HTTPStatus.SEE_OTHER
    assert EmailChange.objects.get().new_email == "ada@third.example.org"


def test_old_and_damaged_links_say_so(
    signed_in: Client, outbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(signed_in)
    good = link(outbox, "ada@example.org")
    assert Client().get(f"{good[:-3]}xx/").status_code == HTTPStatus.SEE_OTHER
    later = clock.now() + timedelta(days=4)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)
    assert Client().get(good).status_code == HTTPStatus.SEE_OTHER


@pytest.mark.parametrize("first", ["ada@new.example.org", ""])
def test_links_end_with_the_address_they_were_to_change(
    signed_in: Client, ada: User, outbox: list[EmailMessage], first: str
) -> None:
    ask(signed_in)
    if first:
        Client().post(link(outbox, first))
    User.objects.filter(pk=ada.pk).update(email="rescued@example.org")
    for each in ("ada@example.org", "ada@new.example.org"):
        assert Client().get(link(outbox, each)).status_code == HTTPStatus.SEE_OTHER
        assert Client().post(link(outbox, each)).status_code == HTTPStatus.SEE_OTHER
    ada.refresh_from_db()
    assert (ada.email, ada.sessions_ended) == ("rescued@example.org", 0)


def test_the_same_address_is_no_change(signed_in: Client, outbox: list[EmailMessage]) -> None:
    assert "This is already the address of your account." in ask(signed_in, "ADA@example.org")
    assert not outbox


def make_sso_person(email: str = "sso@example.org") -> User:
    user = User.objects.create_user(email, email_verified_at=clock.now())
    uid = f"https://sso.example.org#{user.pk}"
    UserSocialAuth.objects.create(user=user, provider="keycloak", uid=uid, extra_data={"seen": {"email": email}})
    return user


def test_without_a_password_the_present_address_confirms_first(client: Client, outbox: list[EmailMessage]) -> None:
    user, other = make_sso_person(), make_sso_person("other@example.org")
    client.force_login(user)
    assert ADDRESS in client.get("/account/").content.decode()
    page = client.get(ADDRESS).content.decode()
    assert "a link that we send to your present address confirms it first" in page
    assert 'name="password"' not in page
    answer = client.post(ADDRESS, {"new_email": "new@example.org"}).content.decode()
    assert "Once you have opened it, we send one to the new address." in answer
    assert [each.to for each in outbox] == [["sso@example.org"]]
    assert "then we send a link to the new address" in str(outbox[0].body)
    assert "change your password" not in str(outbox[0].body)
    old = link(outbox, "sso@example.org")
    assert client.get(old).status_code == HTTPStatus.OK
    assert len(outbox) == 1, "mail scanners follow links"
    client.post(old)
    assert [each.to for each in outbox] == [["sso@example.org"], ["new@example.org"]]
    assert User.objects.get(pk=user.pk).email == "sso@example.org"
    text = Client().post(link(outbox, "new@example.org"), follow=True).content.decode()
    assert "Sign in as before" in text
    user.refresh_from_db()
    assert (user.email, user.is_email_verified, user.sessions_ended) == ("new@example.org", True, 1)
    assert outbox[-1].to == ["sso@example.org"]
    other.refresh_from_db()
    assert other.email == "other@example.org"


def test_without_a_password_the_new_address_is_written_to_once(client: Client, outbox: list[EmailMessage]) -> None:
    client.force_login(make_sso_person())
    client.post(ADDRESS, {"new_email": "stranger@example.org"})
    old = link(outbox, "sso@example.org")
    for _each in range(3):
        assert "Now open the link in the other inbox" in client.post(old, follow=True).content.decode()
    assert [each.to for each in outbox].count(["stranger@example.org"]) == 1


def test_without_a_password_a_taken_address_is_told_to_its_owner_alone(
    client: Client, outbox: list[EmailMessage]
) -> None:
    client.force_login(make_sso_person())
    make_sso_person("taken@example.org")
    known = client.post(ADDRESS, {"new_email": "taken@example.org"}).content.decode()
    Client().post(link(outbox, "sso@example.org"))
    [to_owner] = [each for each in outbox if each.to == ["taken@example.org"]]
    assert "/account/email/" not in str(to_owner.body)
    unknown = client.post(ADDRESS, {"new_email": "unknown@example.org"}).content.decode()
    assert re.sub(r'value="[^"]*"', "", known) == re.sub(r'value="[^"]*"', "", unknown)


def test_it_works_on_a_site_without_local_accounts(client: Client, outbox: list[EmailMessage], settings: Any) -> None:
    settings.LOCAL_ACCOUNTS = False
    client.force_login(make_sso_person())
    assert "Check your inbox" in client.post(ADDRESS, {"new_email": "new@example.org"}).content.decode()


def sign_in(user: User, email: str) -> None:
    issuer = "https://sso.example.org"
    identity = ProviderIdentity(
        provider="keycloak", issuer=issuer, subject=str(user.pk), email=email, is_email_verified=True, name=user.name
    )
    find_or_create_account(identity, title="Campus", now=clock.now())
    user.refresh_from_db()


def test_signing_in_keeps_the_address_until_it_changes_at_the_provider() -> None:
    user = make_sso_person()
    User.objects.filter(pk=user.pk).update(email="mine@example.org")
    sign_in(user, "sso@example.org")
    assert user.email == "mine@example.org"
    sign_in(user, "moved@example.org")
    assert user.email == "moved@example.org"
    assert User.objects.count() == 1


@pytest.mark.parametrize(("stay", "at_close"), [({"stay": "on"}, False), ({}, True)])
def test_staying_signed_in_is_a_choice(client: Client, ada: User, stay: dict[str, str], at_close: bool) -> None:
    page = client.get("/login/").content.decode()
    assert "Stay signed in" in page
    client.post("/login/", {"username": ada.email, "password": PASSWORD} | stay)
    assert bool(client.cookies["sessionid"]["max-age"]) is not at_close
    assert client.session.get_expire_at_browser_close() is at_close


def test_a_password_can_be_looked_at_where_there_are_scripts(client: Client) -> None:
    page = client.get("/login/").content.decode()
    assert re.search(r'<button type="button"[^>]* aria-controls="id_password" hidden>Show', page)


@pytest.mark.parametrize(
    "address", ["/account/", "/account/password/", ADDRESS, "/dashboard/", "/orders/history/", "/cart/"]
)
def test_private_pages_are_stored_nowhere(signed_in: Client, address: str) -> None:
    assert "no-store" in signed_in.get(address).headers["Cache-Control"]
