import re
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from unittest import mock

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from mitxonline.kernel import clock
from mitxonline.users import services
from mitxonline.users.events import AccountMailQueued
from mitxonline.users.mails import send_account_email
from mitxonline.users.models import User
from mitxonline.users.verification import make_token
from tests.support.broker import StartWorker, until

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNT = "/account/"


def test_name_and_colors_can_be_changed(signed_in: Client, ada: User) -> None:
    assert signed_in.post(ACCOUNT, {"name": "Ada King", "theme": "dark"})["Location"] == ACCOUNT
    ada.refresh_from_db()
    assert (ada.name, ada.theme) == ("Ada King", "dark")
    page = signed_in.get(ACCOUNT).content.decode()
    assert 'data-theme="dark"' in page
    assert "Your settings have been saved." in page


def test_nothing_else_can(signed_in: Client, ada: User) -> None:
    form = {"name": "Ada", "theme": "auto", "email": "x@example.org", "is_staff": "on", "email_verified_at": "now"}
    signed_in.post(ACCOUNT, form)
    ada.refresh_from_db()
    assert (ada.email, ada.is_staff, ada.email_verified_at) == ("ada@example.org", False, None)


def test_a_refused_name_does_not_show_up_in_the_header(signed_in: Client) -> None:
    page = signed_in.post(ACCOUNT, {"name": "", "theme": "auto"}).content.decode()
    assert "<title>Error: Account settings" in page
    assert "Ada Lovelace" in page


# Confirming the address


def test_a_link_confirms_the_address_by_a_button(client: Client, ada: User) -> None:
    link = f"/verify-email/{make_token(ada)}/"
    assert "Confirm my address" in client.get(link).content.decode()
    assert not User.objects.get().is_email_verified, "mail scanners follow links"
    assert client.post(link)["Location"] == "/login/"
    ada.refresh_from_db()
    first = ada.email_verified_at
    assert first is not None
    assert client.post(link).status_code == HTTPStatus.FOUND
    ada.refresh_from_db()
    assert ada.email_verified_at == first
    assert "Your address is confirmed" in client.get(link).content.decode()


def test_signed_in_users_land_on_their_account(signed_in: Client, ada: User) -> None:
    assert signed_in.post(f"/verify-email/{make_token(ada)}/")["Location"] == ACCOUNT
    assert "Your e-mail address is confirmed." in signed_in.get(ACCOUNT).content.decode()


def test_a_confirmation_link_does_not_sign_in(client: Client, ada: User) -> None:
    client.post(f"/verify-email/{make_token(ada)}/")
    assert "_auth_user_id" not in client.session


def spoilt_links(ada: User) -> list[str]:
    sound = make_token(ada)
    with mock.patch("django.core.signing.time.time", return_value=clock.now().timestamp() - 4 * 24 * 3600):
        old = make_token(ada)
    other = make_token(User(pk=ada.pk, email="other@example.org"))
    nobody = make_token(User(pk=10**9, email=ada.email))
    return [old, other, nobody, sound[:-1] + ("a" if sound[-1] != "a" else "b"), "nonsense", sound.split(":")[0]]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_is_old_or_altered_or_for_another_address_is_refused(
    client: Client, ada: User, number: int, method: str
) -> None:
    response = getattr(client, method)(f"/verify-email/{spoilt_links(ada)[number]}/")
    assert (response.status_code, response["Location"]) == (HTTPStatus.SEE_OTHER, ACCOUNT)
    assert "This link has expired." in client.get(ACCOUNT, follow=True).content.decode()
    ada.refresh_from_db()
    assert ada.email_verified_at is None


def test_a_new_link_can_be_asked_for(signed_in: Client, ada: User, outbox: list[EmailMessage]) -> None:
    assert "Send the link again" in signed_in.get(ACCOUNT).content.decode()
    signed_in.post("/account/verify-email/")
    (mail,) = outbox
    link = re.search(r"http://testserver(/verify-email/\S+)", str(mail.body))
    assert link
    signed_in.post(link[1])
    ada.refresh_from_db()
    assert ada.is_email_verified
    signed_in.post("/account/verify-email/")
    assert len(outbox) == 1, "nothing left to confirm"


def test_asking_often_is_refused_on_the_account_page(signed_in: Client, outbox: list[EmailMessage]) -> None:
    for _time in range(6):
        response = signed_in.post("/account/verify-email/")
    assert (response.status_code, response["Location"]) == (303, ACCOUNT)
    assert "Too many attempts." in signed_in.get(ACCOUNT).content.decode()
    assert len(outbox) == 5


def test_only_the_person_can_ask(client: Client) -> None:
    assert client.post("/account/verify-email/")["Location"].startswith("/login/")
    assert client.get("/account/verify-email/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_an_address_confirmed_long_ago_says_when(signed_in: Client, ada: User) -> None:
    User.objects.update(email_verified_at=clock.now() - timedelta(days=400))
    page = signed_in.get(ACCOUNT).content.decode()
    assert "Confirmed on" in page
    assert "Send the link again" not in page


# Mails


@pytest.mark.parametrize("kind", ["verify_email", "password_reset", "already_registered", "no_password"])
def test_every_mail_is_whole_and_safe(ada: User, outbox: list[EmailMessage], kind: str) -> None:
    User.objects.update(name="<b>Ada</b> & co", email_verified_at=clock.now())
    send_account_email(AccountMailQueued(kind=kind, user_id=ada.pk, next_page="/cart/?a=1&b=2"))
    (mail,) = outbox
    html = str(mail.alternatives[0][0])  # type: ignore[attr-defined]
    assert "Hello <b>Ada</b>," in str(mail.body)
    assert "&amp;lt;" not in str(mail.body)
    assert "&lt;b&gt;Ada&lt;/b&gt;" in html
    assert "\n" not in mail.subject
    assert "http://testserver/" in str(mail.body)
    assert 'lang="en"' in html


def test_a_mail_is_carried_by_the_worker(
    ada: User, mailbox: Path, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_EVENT_ROUTES", "mitxonline.event_routes.ROUTES")
    start_worker()
    services.request_password_reset(email=ada.email)
    until(lambda: "/password-reset/" in "".join(mail.read_text() for mail in mailbox.glob("*")))
    (mail,) = mailbox.glob("*")
    assert "To: ada@example.org" in mail.read_text()


def test_deleted_users_get_no_e_mail(ada: User, outbox: list[EmailMessage]) -> None:
    User.objects.update(is_active=False)
    send_account_email(AccountMailQueued(kind="verify_email", user_id=ada.pk))
    send_account_email(AccountMailQueued(kind="verify_email", user_id=10**9))
    assert outbox == []


def test_a_time_zone_can_be_chosen(signed_in: Client, ada: User) -> None:
    assert signed_in.post(ACCOUNT, {"name": "Ada", "theme": "auto", "time_zone": "America/New_York"}).status_code == 302
    ada.refresh_from_db()
    assert ada.time_zone == "America/New_York"
    assert '<option value="America/New_York" selected>New York</option>' in signed_in.get(ACCOUNT).content.decode()
    signed_in.post(ACCOUNT, {"name": "Ada", "theme": "auto", "time_zone": ""})
    ada.refresh_from_db()
    assert (ada.time_zone, ada.zone) == ("", None)


def test_an_unknown_time_zone_is_refused_and_nothing_is_saved(signed_in: Client, ada: User) -> None:
    page = signed_in.post(ACCOUNT, {"name": "Ada King", "theme": "auto", "time_zone": "Mars/Olympus"}).content.decode()
    assert "Choose a time zone from the list." in page
    ada.refresh_from_db()
    assert (ada.name, ada.time_zone) == ("Ada Lovelace", "")


def test_a_missing_name_is_asked_for(signed_in: Client) -> None:
    page = signed_in.post(ACCOUNT, {"name": "", "theme": "auto"}).content.decode()
    assert "Enter your name." in page
    assert "This field is required" not in page
