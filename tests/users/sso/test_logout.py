"""Signing out here, at the provider, and through its logout notices."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from social_django.models import Association, Nonce

from mitxonline.kernel import clock
from mitxonline.users.models import ProviderSession, SeenLogoutToken, User
from mitxonline.users.sso.sessions import LogoutNotice, end_sessions
from mitxonline.users.tasks import clear_sign_ins
from tests.support.oidc import CLIENT, LOGOUT_EVENT, FakeProvider
from tests.support.together import Together
from tests.users.conftest import PASSWORD
from tests.users.sso.conftest import begin, is_signed_in, sign_in

pytestmark = pytest.mark.django_db

NOTICE = "/sso/keycloak/logout/"


def notify(provider: FakeProvider, **claims: Any) -> Any:
    """Post a logout notice as Keycloak does: without cookie or CSRF token."""
    return Client(enforce_csrf_checks=True).post(NOTICE, {"logout_token": provider.logout_token(**claims)})


def visitor(provider: FakeProvider, *, sid: str, subject: str = "one") -> Client:
    """Return a client signed in by this session of the provider."""
    client = Client()
    provider.claims |= {"sid": sid, "sub": subject, "email": f"{subject}@northgate.example"}
    sign_in(client, provider)
    assert is_signed_in(client)
    return client


# From here


def test_signing_out_leads_through_the_provider_and_back(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    assert "Sign out?" in client.get("/logout/").content.decode()
    response = client.post("/logout/")
    address = urlsplit(response["Location"])
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.url}/logout"
    assert query["post_logout_redirect_uri"] == "http://testserver/logout/done/"
    assert query["client_id"] == CLIENT
    hint = jwt.decode(query["id_token_hint"], options={"verify_signature": False})
    assert hint["sid"] == "session-1"
    assert not is_signed_in(client), "already, whatever becomes of the rest"
    assert not ProviderSession.objects.exists()
    assert client.get("/logout/done/")["Location"] == "/"


def test_where_to_go_afterwards_is_kept_and_checked(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/logout/", {"next": "/catalog/"})
    assert client.get("/logout/done/")["Location"] == "/catalog/"
    assert client.get("/logout/done/")["Location"] == "/"
    sign_in(client, provider)
    client.post("/logout/", {"next": "//evil.example/"})
    assert client.get("/logout/done/")["Location"] == "/"


def test_signing_out_works_when_the_provider_is_away(client: Client, provider: FakeProvider, settings: Any) -> None:
    sign_in(client, provider)
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = "http://127.0.0.1:9/realms/tessera"  # nothing known, no one there
    assert client.post("/logout/")["Location"] == "/"
    assert not is_signed_in(client)


def test_a_provider_without_an_end_of_session(client: Client, provider: FakeProvider) -> None:
    provider.left_out = {"end_session_endpoint"}
    sign_in(client, provider)
    assert client.post("/logout/")["Location"] == "/"


def test_an_id_token_too_long_for_an_address_is_not_sent(client: Client, provider: FakeProvider) -> None:
    provider.claims["organization"] = {f"organization-{number}": {} for number in range(300)}
    sign_in(client, provider)
    address = client.post("/logout/")["Location"]
    assert "id_token_hint" not in address
    assert "client_id=storefront" in address


def test_password_users_are_signed_out_here_only(client: Client, provider: FakeProvider, ada: User) -> None:
    client.post("/login/", {"username": ada.email, "password": PASSWORD})
    assert client.post("/logout/")["Location"] == "/"


@pytest.mark.parametrize("door", ["/cms/logout/", "/admin/logout/"])
def test_the_administrations_sign_out_the_same_way(client: Client, provider: FakeProvider, door: str) -> None:
    sign_in(client, provider)
    assert client.post(door)["Location"].startswith(f"{provider.url}/logout?")


# From there


def test_a_notice_ends_exactly_that_session(provider: FakeProvider) -> None:
    laptop = visitor(provider, sid="laptop")
    phone = visitor(provider, sid="phone")
    other = visitor(provider, sid="other", subject="two")
    assert notify(provider, sid="laptop", sub="one").status_code == HTTPStatus.OK
    assert [is_signed_in(each) for each in (laptop, phone, other)] == [False, True, True]
    assert laptop.get("/account/").status_code == HTTPStatus.FOUND
    assert phone.get("/account/").status_code == HTTPStatus.OK
    assert ProviderSession.objects.count() == Session.objects.count() == 2


def test_without_a_session_it_ends_all_of_that_persons(provider: FakeProvider) -> None:
    laptop = visitor(provider, sid="laptop")
    phone = visitor(provider, sid="phone")
    other = visitor(provider, sid="other", subject="two")
    assert notify(provider, sid=None, sub="one").status_code == HTTPStatus.OK
    assert [is_signed_in(each) for each in (laptop, phone, other)] == [False, False, True]


def test_session_alone_is_enough(provider: FakeProvider) -> None:
    laptop = visitor(provider, sid="laptop")
    assert notify(provider, sid="laptop", sub=None).status_code == HTTPStatus.OK
    assert not is_signed_in(laptop)


def test_logout_notice_does_not_end_another_users_session(provider: FakeProvider) -> None:
    laptop = visitor(provider, sid="laptop")
    assert notify(provider, sid="laptop", sub="two").status_code == HTTPStatus.OK
    assert is_signed_in(laptop)


def test_a_password_change_keeps_the_provider_session_linked(provider: FakeProvider) -> None:
    user = User.objects.create_user("one@northgate.example", PASSWORD, email_verified_at=clock.now())
    client = visitor(provider, sid="laptop")
    before = client.session.session_key
    form = {"old_password": PASSWORD, "new_password": "another mosaic of tiles"}
    assert client.post("/account/password/", form).status_code == HTTPStatus.FOUND
    user.refresh_from_db()
    assert user.check_password("another mosaic of tiles")
    assert client.session.session_key != before
    notify(provider, sid="laptop", sub="one")
    assert not is_signed_in(client)


def test_signing_in_again_in_the_same_browser_takes_the_new_session(provider: FakeProvider) -> None:
    client = visitor(provider, sid="first")
    provider.claims["sid"] = "second"
    sign_in(client, provider)
    notify(provider, sid="first", sub="one")
    assert is_signed_in(client)
    notify(provider, sid="second", sub="one")
    assert not is_signed_in(client)


def test_signing_in_over_another_user_removes_the_old_session_row(provider: FakeProvider) -> None:
    client = visitor(provider, sid="first")
    provider.claims |= {"sid": "second", "sub": "two", "email": "two@northgate.example"}
    sign_in(client, provider)
    assert [row.sid for row in ProviderSession.objects.all()] == ["second"]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": None},
        {"iat": None},
        {"iat": 1_000_000},
        {"exp": 1_000_000},
        {"iat": 9_999_999_999},
        {"events": None},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": {LOGOUT_EVENT: True}},
        {"events": [LOGOUT_EVENT]},
        {"nonce": "x"},
        {"sid": None, "sub": None},
        {"sid": "", "sub": ""},
        {"sid": ["laptop"]},
        {"sid": "x" * 300},
        {"sid": "a\0b"},
        {"jti": "a\0b"},
        {"sub": "\ud800"},
        {"jti": None},
        {"jti": "x" * 300},
        {"header_type": "at+jwt"},
        {"key": "stranger"},
    ],
)
def test_malformed_logout_notices_are_rejected(provider: FakeProvider, claims: dict[str, Any]) -> None:
    client = visitor(provider, sid="laptop")
    response = notify(provider, **({"sid": "laptop", "sub": "one"} | claims))
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert response.json()["error"] == "invalid_request"
    assert "no-store" in response["Cache-Control"]
    assert is_signed_in(client)
    assert not SeenLogoutToken.objects.exists()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_nonsense_is_refused(provider: FakeProvider, token: str) -> None:
    assert Client().post(NOTICE, {"logout_token": token}).status_code == HTTPStatus.BAD_REQUEST


def test_an_unsigned_token_and_one_signed_with_the_public_key_are_refused(provider: FakeProvider) -> None:
    client = visitor(provider, sid="laptop")
    claims = jwt.decode(provider.logout_token(), options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none")
    shared = jwt.encode(claims, "a" * 32, algorithm="HS256", headers={"kid": "first"})
    for token in (unsigned, shared):
        assert Client().post(NOTICE, {"logout_token": token}).status_code == HTTPStatus.BAD_REQUEST
    assert is_signed_in(client)


def test_an_id_token_is_no_notice(provider: FakeProvider) -> None:
    client = visitor(provider, sid="laptop")
    token = ProviderSession.objects.get().id_token
    assert Client().post(NOTICE, {"logout_token": token}).status_code == HTTPStatus.BAD_REQUEST
    assert is_signed_in(client)


def test_a_notice_is_good_once(provider: FakeProvider) -> None:
    visitor(provider, sid="laptop")
    token = provider.logout_token(sid="laptop", sub="one")
    assert Client().post(NOTICE, {"logout_token": token}).status_code == HTTPStatus.OK
    again = visitor(provider, sid="laptop")
    assert Client().post(NOTICE, {"logout_token": token}).status_code == HTTPStatus.BAD_REQUEST
    assert is_signed_in(again)


@pytest.mark.django_db(transaction=True)
def test_one_of_two_identical_logout_notices_is_applied(together: Together) -> None:
    notice = LogoutNotice(issuer="https://x.example", jti="1", until=clock.now(), sid="s")
    answers = together(lambda: end_sessions(notice), lambda: end_sessions(notice))
    assert sorted(answers, key=str) == [0, None]


def test_only_a_post_and_only_keycloak(client: Client, provider: FakeProvider) -> None:
    assert client.get(NOTICE).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert client.post("/sso/edx-oauth2/logout/").status_code == HTTPStatus.NOT_FOUND
    assert client.post("/sso/other/logout/").status_code == HTTPStatus.NOT_FOUND


def test_without_keycloak_logout_notices_answer_404(client: Client) -> None:
    assert client.post(NOTICE, {"logout_token": "x"}).status_code == HTTPStatus.NOT_FOUND


# What is left behind


def test_rows_of_ended_sessions_go_with_them(provider: FakeProvider) -> None:
    visitor(provider, sid="laptop")
    phone = visitor(provider, sid="phone")
    Session.objects.exclude(session_key=phone.session.session_key).update(expire_date=clock.now() - timedelta(1))
    call_command("clearsessions")
    assert [row.sid for row in ProviderSession.objects.all()] == ["phone"]


def test_expired_sign_in_state_is_deleted(client: Client, provider: FakeProvider) -> None:
    begin(client)
    SeenLogoutToken.objects.create(issuer="x", jti="old", until=clock.now() - timedelta(hours=1))
    SeenLogoutToken.objects.create(issuer="x", jti="new", until=clock.now() + timedelta(hours=1))
    Nonce.objects.update(timestamp=1)
    Association.objects.update(issued=1)
    clear_sign_ins()
    assert not Nonce.objects.exists()
    assert not Association.objects.exists()
    assert SeenLogoutToken.objects.get().jti == "new"
