from http import HTTPStatus

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.test import Client, override_settings

from mitxonline.kernel import clock
from mitxonline.users import services
from mitxonline.users.models import User
from tests.support.together import MeetAt, Together
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db

REGISTER = "/register/"
GRACE = {"name": "Grace Hopper", "email": "Grace@Example.org", "password": "compiler of the first hour"}


def test_the_page_has_the_promised_words(client: Client) -> None:
    page = client.get(f"{REGISTER}?next=/cart/").content.decode()
    assert ">Name</label>" in page
    assert ">Email</label>" in page
    assert ">Password</label>" in page
    assert 'autocomplete="new-password"' in page
    assert ">Create an account</button>" in page
    assert 'href="/login/?next=%2Fcart%2F"' in page


@pytest.mark.django_db(transaction=True)
def test_a_new_learner_goes_straight_back_to_the_cart(client: Client, outbox: list[EmailMessage]) -> None:
    session = client.session
    session["cart"] = "token-of-the-cart"
    session.save()
    response = client.post(REGISTER, GRACE | {"next": "/cart/"})
    assert (response.status_code, response["Location"]) == (302, "/cart/")
    grace = User.objects.get()
    assert (grace.email, grace.name, grace.is_staff) == ("grace@example.org", "Grace Hopper", False)
    assert grace.email_verified_at is None
    assert client.session["_auth_user_id"] == str(grace.pk)
    assert client.session["cart"] == "token-of-the-cart"
    assert [(mail.to, mail.subject) for mail in outbox] == [
        (["grace@example.org"], "Confirm your e-mail address for Tessera")
    ]


@pytest.mark.django_db(transaction=True)
def test_an_address_with_an_account_gets_a_mail_and_the_page_does_not_say_so(
    client: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    content = GRACE | {"email": "ADA@example.org", "next": "/cart/"}
    page = client.post(REGISTER, content).content.decode()
    assert "We’ve sent an e-mail to ada@example.org" in page
    assert 'href="/login/?next=%2Fcart%2F"' in page
    assert "_auth_user_id" not in client.session
    assert User.objects.count() == 1
    (mail,) = outbox
    assert mail.subject == "You have an account with Tessera"
    assert "http://testserver/login/?next=%2Fcart%2F" in mail.body
    assert (ada.name, User.objects.get().name) == ("Ada Lovelace", "Ada Lovelace")


@pytest.mark.django_db(transaction=True)
def test_registering_again_with_the_right_password_signs_in(
    client: Client, ada: User, outbox: list[EmailMessage]
) -> None:
    response = client.post(REGISTER, GRACE | {"email": ada.email, "password": PASSWORD, "next": "/cart/"})
    assert response["Location"] == "/cart/"
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert outbox == []


@pytest.mark.django_db(transaction=True)
def test_registering_is_no_way_round_the_limit_on_passwords(client: Client, ada: User) -> None:
    for _time in range(10):
        client.post(REGISTER, GRACE | {"email": ada.email})
    response = client.post(REGISTER, GRACE | {"email": ada.email, "password": PASSWORD})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db(transaction=True)
def test_registration_e_mails_per_address_are_limited(client: Client, ada: User, outbox: list[EmailMessage]) -> None:
    for _time in range(8):
        client.post(REGISTER, GRACE | {"email": ada.email})
    assert len(outbox) == settings.RATE_LIMITS["mails"]["account"][0] == 5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "short"}, "This password is too short."),
        ({"password": "password"}, "This password is too common."),
        ({"password": "gracehopper"}, "The password is too similar to the"),
        ({"password": "8723648723"}, "This password is entirely numeric."),
        ({"email": "grace"}, "Enter your e-mail address, for example"),
        ({"name": ""}, "Enter your name."),
    ],
)
def test_errors_are_shown_and_input_is_kept(client: Client, changes: dict[str, str], sentence: str) -> None:
    content = GRACE | changes
    page = client.post(REGISTER, content).content.decode()
    assert sentence in page
    assert "<title>Error: Create an account" in page
    for field in {"name", "email"} - {name for name in changes if not changes[name]}:
        assert f'value="{content[field]}"' in page
    assert f'value="{content["password"]}"' not in page
    assert not User.objects.exists()


def test_a_known_address_does_not_show_in_the_errors(client: Client, ada: User) -> None:
    page = client.post(REGISTER, GRACE | {"email": ada.email, "password": "short"}).content.decode()
    assert "already" not in page.split("</form>")[0]


def test_asking_about_many_addresses_is_stopped(client: Client) -> None:
    with override_settings(RATE_LIMITS=settings.RATE_LIMITS | {"register": {"address": (2, 600)}}):
        for number in range(2):
            client.post(REGISTER, GRACE | {"email": f"person{number}@example.org"})
            client.post("/logout/")
        response = client.post(REGISTER, GRACE)
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "Too many attempts." in response.content.decode()
    assert User.objects.count() == 2


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example/"])
def test_register_rejects_external_next_url(client: Client, address: str) -> None:
    assert client.post(REGISTER, GRACE | {"next": address})["Location"] == settings.LOGIN_REDIRECT_URL


def test_signed_in_users_are_redirected_from_registration(signed_in: Client) -> None:
    assert signed_in.get(f"{REGISTER}?next=/cart/")["Location"] == "/cart/"


@pytest.mark.django_db(transaction=True)
def test_two_registrations_at_once_make_one_account(together: Together, meet_at: MeetAt) -> None:
    def register() -> User | None:
        return services.register(email="grace@example.org", name="Grace", password="x" * 12, now=clock.now())

    meet_at(User.objects, "create_user", parties=2, before=True)
    made = together(register, register)
    assert sorted(each is None for each in made) == [False, True]
    assert User.objects.count() == 1
