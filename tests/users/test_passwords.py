import re
from http import HTTPStatus

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from mitxonline.users.models import User
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

RESET = "/password-reset/"
NEW = "another mosaic of tiles"


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"http://testserver(\S+)", str(mail.body))
    assert found
    return found[1]


def ask(client: Client, email: str = "ada@example.org", **more: str) -> str:
    response = client.post(RESET, {"email": email, **more}, follow=True)
    return response.content.decode()


def test_a_link_sets_a_new_password_and_leads_on(client: Client, ada: User, outbox: list[EmailMessage]) -> None:
    other_device = Client()
    other_device.force_login(ada)
    assert "Check your inbox" in ask(client, email=" ADA@example.org", next="/cart/")
    (mail,) = outbox
    assert mail.to == ["ada@example.org"]
    link = link_in(mail)
    form = client.get(link, follow=True)
    assert form.redirect_chain[-1][0].endswith("/set-password/"), "the token does not stay in the address"
    done = client.post(form.redirect_chain[-1][0], {"new_password": NEW})
    assert (done.status_code, done["Location"]) == (302, "/cart/")
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert ada.email_verified_at is not None, "who reads the mail owns the address"
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert other_device.get("/account/").status_code == HTTPStatus.FOUND, "signed out elsewhere"
    assert "This link no longer works" in Client().get(link).content.decode()


def test_the_reset_page_does_not_reveal_whether_an_account_exists(
    client: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    known, unknown = ask(client), ask(client, email="nobody@example.org")
    assert strip_tokens(known) == strip_tokens(unknown)
    assert len(outbox) == 1


def test_accounts_without_password_or_inactive_get_no_reset_link(client: Client, outbox: list[EmailMessage]) -> None:
    User.objects.create_user("sso@example.org")
    User.objects.create_user("gone@example.org", PASSWORD, is_active=False)
    for email in ("sso@example.org", "gone@example.org"):
        ask(client, email=email)
    assert outbox == []


def test_mails_are_limited_for_known_and_unknown_addresses_alike(client: Client, ada: User) -> None:
    for email in ("ada@example.org", "nobody@example.org"):
        for _time in range(5):
            assert client.post(RESET, {"email": email}).status_code == HTTPStatus.FOUND
        limited = client.post(RESET, {"email": email})
        assert limited.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert "Too many attempts." in limited.content.decode()


@pytest.mark.parametrize("link", ["MQ/set-password", "x/y-z", "OTk/1-2"])
def test_a_link_that_was_made_up_says_what_to_do(client: Client, link: str) -> None:
    page = client.get(f"/password-reset/{link}/", follow=True).content.decode()
    assert "This link no longer works" in page
    assert 'href="/password-reset/"' in page


def test_a_reset_link_never_redirects_to_another_site(client: Client, ada: User, outbox: list[EmailMessage]) -> None:
    ask(client, next="//evil.example")
    link = link_in(outbox[0])
    assert "evil" not in link
    form = client.get(f"{link}?next=//evil.example", follow=True)
    done = client.post(form.redirect_chain[-1][0], {"new_password": NEW})
    assert done["Location"] == "/dashboard/"


def test_weak_and_missing_passwords_are_refused_on_the_page(
    client: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    ask(client)
    address = client.get(link_in(outbox[0]), follow=True).redirect_chain[-1][0]
    assert "too short" in client.post(address, {"new_password": "x"}).content.decode()
    page = client.post(address, {"new_password": ""}).content.decode()
    assert "Enter a password." in page
    assert "There is a problem" in page


def test_changing_it_keeps_this_session_and_ends_others(signed_in: Client, ada: User) -> None:
    other_device = Client()
    other_device.force_login(ada)
    form = {"old_password": PASSWORD, "new_password": NEW}
    assert (
        "This is not your current password."
        in signed_in.post("/account/password/", form | {"old_password": "x"}).content.decode()
    )
    assert signed_in.post("/account/password/", form)["Location"] == "/account/"
    assert "Your password has been changed." in signed_in.get("/account/").content.decode()
    assert other_device.get("/account/").status_code == HTTPStatus.FOUND


def test_guessing_the_old_one_is_limited(signed_in: Client, ada: User) -> None:
    for _time in range(10):
        signed_in.post("/account/password/", {"old_password": "guess", "new_password": NEW})
    response = signed_in.post("/account/password/", {"old_password": PASSWORD, "new_password": NEW})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_account_pages_require_sign_in(client: Client) -> None:
    for page in ("/account/", "/account/password/"):
        assert client.get(page)["Location"] == f"/login/?next={page}"


def strip_tokens(page: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
