from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from mitxonline.users.models import User
from tests.users.conftest import PASSWORD
from tests.users.foreign_urls import FOREIGN_URLS

pytestmark = pytest.mark.django_db

LOGIN = "/login/"
WRONG = "That e-mail and password don’t match."


def sign_in(client: Client, *, email: str = "ada@example.org", password: str = PASSWORD, **more: str) -> Any:
    return client.post(LOGIN, {"username": email, "password": password, **more})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_page_has_the_promised_words(client: Client) -> None:
    page = client.get(LOGIN).content.decode()
    assert ">Email</label>" in page
    assert ">Password</label>" in page
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert ">Sign in</button>" in page


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@Example.org", " ada@example.org "])
def test_case_and_blanks_in_the_address_do_not_matter(client: Client, ada: User, email: str) -> None:
    response = sign_in(client, email=email)
    assert (response.status_code, response["Location"]) == (302, settings.LOGIN_REDIRECT_URL)
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "not the password"), ("nobody@example.org", PASSWORD), ("ada@example.org", PASSWORD.upper())],
)
def test_every_failed_sign_in_gets_the_same_answer(client: Client, ada: User, email: str, password: str) -> None:
    page = sign_in(client, email=email, password=password).content.decode()
    assert WRONG in page
    assert f'value="{email}"' in page
    assert password not in page
    assert "<title>Error: Sign in" in page
    assert not is_signed_in(client)


def test_an_account_switched_off_looks_like_a_wrong_password(client: Client, ada: User) -> None:
    User.objects.update(is_active=False)
    assert WRONG in sign_in(client).content.decode()


def test_an_unknown_address_costs_a_hash_like_a_known_one(
    rf: RequestFactory, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    original = PBKDF2PasswordHasher.encode

    def encode(self: PBKDF2PasswordHasher, password: str, *args: object, **kwargs: object) -> str:
        hashed.append(password)
        return original(self, password, *args, **kwargs)  # type: ignore[arg-type]

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        ada.set_password(PASSWORD)
        ada.save()
        monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
        authenticate(rf.post(LOGIN), username="ada@example.org", password="wrong one")
        known = len(hashed)
        authenticate(rf.post(LOGIN), username="nobody@example.org", password="wrong one")
    assert (known, len(hashed)) == (1, 2)


def test_the_browser_needs_no_script_and_the_form_a_token(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == HTTPStatus.FORBIDDEN


# Where to go afterwards


def test_the_next_page_is_carried_through_form_and_links(client: Client, ada: User) -> None:
    page = client.get(f"{LOGIN}?next=/cart/%3Fproduct_id%3D7").content.decode()
    assert '<input type="hidden" name="next" value="/cart/?product_id=7">' in page
    assert 'href="/register/?next=%2Fcart%2F%3Fproduct_id%3D7"' in page
    assert 'href="/password-reset/?next=%2Fcart%2F%3Fproduct_id%3D7"' in page
    wrong = sign_in(client, password="wrong", next="/cart/").content.decode()
    assert '<input type="hidden" name="next" value="/cart/">' in wrong
    assert sign_in(client, next="/cart/")["Location"] == "/cart/"


@pytest.mark.parametrize("address", FOREIGN_URLS)
def test_sign_in_rejects_external_next_url(client: Client, ada: User, address: str) -> None:
    page = client.get(LOGIN, {"next": address}).content.decode()
    assert "evil" not in page
    assert sign_in(client, next=address)["Location"] == settings.LOGIN_REDIRECT_URL


@pytest.mark.parametrize("address", FOREIGN_URLS)
def test_signed_in_users_are_not_redirected_to_external_urls(signed_in: Client, address: str) -> None:
    assert signed_in.get(LOGIN, {"next": address})["Location"] == settings.LOGIN_REDIRECT_URL


@pytest.mark.parametrize("page", ["/login/", "/register/", "/logout/", "/login/?next=/login/"])
def test_signing_in_never_leads_back_to_a_sign_in_page(signed_in: Client, page: str) -> None:
    assert signed_in.get(LOGIN, {"next": page})["Location"] == settings.LOGIN_REDIRECT_URL


def test_an_address_on_this_site_may_be_whole(client: Client, ada: User) -> None:
    assert sign_in(client, next="http://testserver/cart/")["Location"] == "http://testserver/cart/"


# The session


def put_in_cart(client: Client) -> str:
    session = client.session
    session["cart"] = "token-of-the-cart"
    session.save()
    assert session.session_key
    return session.session_key


def test_the_cart_comes_along_under_a_new_session_key(client: Client, ada: User) -> None:
    before = put_in_cart(client)
    sign_in(client)
    assert client.session["cart"] == "token-of-the-cart"
    assert client.session.session_key != before


def test_another_persons_session_does_not(signed_in: Client) -> None:
    User.objects.create_user("grace@example.org", PASSWORD)
    put_in_cart(signed_in)
    signed_in.post("/logout/")
    assert "cart" not in signed_in.session
    sign_in(signed_in, email="grace@example.org")
    assert "cart" not in signed_in.session


def test_signing_in_over_another_person_drops_what_was_theirs(client: Client, ada: User, rf: RequestFactory) -> None:
    grace = User.objects.create_user("grace@example.org", PASSWORD)
    client.force_login(ada)
    put_in_cart(client)
    # The page sends who is signed in straight on, so this is what another tab's form would do.
    client.force_login(grace)
    assert "cart" not in client.session


# Too many attempts


def fail(client: Client, times: int, *, email: str = "ada@example.org", address: str = "192.0.2.1") -> None:
    for _time in range(times):
        client.post(LOGIN, {"username": email, "password": "wrong"}, REMOTE_ADDR=address)


def test_after_ten_failures_the_right_password_does_not_help(client: Client, ada: User) -> None:
    fail(client, 10)
    response = client.post(LOGIN, {"username": "ada@example.org", "password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert int(response["Retry-After"]) > 590
    page = response.content.decode()
    assert "Too many attempts. Wait 10 minutes, then try again." in page
    assert 'value="ada@example.org"' in page
    assert not is_signed_in(client)


def test_a_guesser_elsewhere_does_not_lock_the_person_out(client: Client, ada: User) -> None:
    fail(client, 10, address="198.51.100.7")
    assert sign_in(client)["Location"]


def test_a_guesser_with_many_accounts_is_stopped_by_their_address(client: Client, ada: User) -> None:
    with override_settings(RATE_LIMITS=settings.RATE_LIMITS | {"login": LOW}):
        for number in range(6):
            fail(client, 1, email=f"person{number}@example.org", address="2001:db8::1")
        response = client.post(
            LOGIN, {"username": "ada@example.org", "password": PASSWORD}, REMOTE_ADDR="2001:db8::beef"
        )
        assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS


LOW = {"account_here": (10, 600), "account": (100, 3600), "address": (6, 600)}


def test_the_right_password_starts_over(client: Client, ada: User) -> None:
    fail(client, 9)
    sign_in_here = {"username": "ada@example.org", "password": PASSWORD}
    client.post(LOGIN, sign_in_here, REMOTE_ADDR="192.0.2.1")
    client.post("/logout/")
    fail(client, 9)
    client.post(LOGIN, sign_in_here, REMOTE_ADDR="192.0.2.1")
    assert is_signed_in(client)


@pytest.mark.parametrize("door", ["admin:login", "wagtailadmin_login"])
def test_admin_sign_in_pages_are_rate_limited(client: Client, ada: User, door: str) -> None:
    fail(client, 10)
    response = client.post(
        reverse(door), {"username": "ada@example.org", "password": PASSWORD}, follow=True, REMOTE_ADDR="192.0.2.1"
    )
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not is_signed_in(client)


# Out again


def test_signing_out_is_asked_for_on_get_and_done_on_post(signed_in: Client) -> None:
    page = signed_in.get("/logout/").content.decode()
    assert "Sign out?" in page
    assert "ada@example.org" in page
    assert is_signed_in(signed_in)
    response = signed_in.post("/logout/")
    assert (response.status_code, response["Location"]) == (302, settings.LOGOUT_REDIRECT_URL)
    assert not is_signed_in(signed_in)


def test_signing_out_when_signed_out_just_redirects(client: Client) -> None:
    assert client.get("/logout/?next=/catalog/")["Location"] == "/catalog/"
    assert client.post("/logout/", {"next": "//evil.example"})["Location"] == "/"


@pytest.mark.parametrize("method", ["put", "delete"])
def test_nothing_else_signs_out(signed_in: Client, method: str) -> None:
    assert getattr(signed_in, method)("/logout/").status_code == HTTPStatus.METHOD_NOT_ALLOWED
