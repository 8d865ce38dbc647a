"""Open edX as a provider, as it answers since Juniper."""

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from django.test import Client

from mitxonline.users.models import User
from tests.support.oidc import running_provider
from tests.users.sso.conftest import EDX_BACKEND, EMAIL_BACKEND, is_signed_in

pytestmark = pytest.mark.django_db

KEY, SECRET = "sso-client", "its secret"


class CourseSite:
    """Answers at /oauth2/access_token as the LMS does: a JWT signed with a key only its own services know."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = {
            "user_id": 7,
            "preferred_username": "amara",
            "email": "amara@northgate.example",
            "email_verified": True,
            "name": "Amara Okafor",
            "administrator": False,
            "superuser": False,
        }
        self.replaced: dict[str, Any] = {}
        self.form: dict[str, str] = {}

    def answer(self, form: dict[str, str]) -> tuple[int, Any]:
        self.form = form
        if (form.get("client_id"), form.get("client_secret")) != (KEY, SECRET):
            return 401, {"error": "invalid_client"}
        if form.get("code") != "the code":
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": f"{self.url}/oauth2", "aud": "openedx", "iat": now, "exp": now + 3600, **self.claims}
        return 200, {
            "access_token": jwt.encode(claims, "a key of the course site's services alone", algorithm="HS256"),
            "token_type": "JWT",
            "expires_in": 3600,
            "scope": "user_id profile email",
            **self.replaced,
        }


@pytest.fixture
def lms(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[CourseSite]:
    with running_provider() as running:
        site = CourseSite(running.url)
        monkeypatch.setattr(running, "answer", lambda path, form, authorization: site.answer(form))
        settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT = site.url
        settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT = "https://lms.example"
        settings.SOCIAL_AUTH_EDX_OAUTH2_KEY = KEY
        settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = SECRET
        settings.SOCIAL_AUTH_EDX_OAUTH2_NAME = "Course site"
        settings.AUTHENTICATION_BACKENDS = [EMAIL_BACKEND, EDX_BACKEND]
        yield site


def sign_in(client: Client, *, code: str = "the code", **form: str) -> Any:
    address = client.post("/login/edx-oauth2/", form)["Location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return client.get(f"/complete/edx-oauth2/?{urlencode({'state': query['state'], 'code': code})}")


def test_the_browser_goes_to_the_public_address_with_what_the_client_was_registered_for(
    client: Client, lms: CourseSite
) -> None:
    address = client.post("/login/edx-oauth2/")["Location"]
    query = parse_qs(urlsplit(address).query)
    assert address.startswith("https://lms.example/oauth2/authorize?")
    assert query["redirect_uri"] == ["http://testserver/complete/edx-oauth2/"]
    assert query["scope"] == ["user_id profile email"]
    assert query["code_challenge_method"] == ["S256"]


def test_course_site_users_can_sign_in(client: Client, lms: CourseSite) -> None:
    assert sign_in(client, next="/cart/")["Location"] == "/cart/"
    user = User.objects.get()
    assert (user.email, user.name, user.is_email_verified) == ("amara@northgate.example", "Amara Okafor", True)
    assert user.social_auth.get().uid == "https://lms.example#7"
    assert lms.form["token_type"] == "jwt"
    assert lms.form["grant_type"] == "authorization_code"
    assert "eyJ" not in str(user.social_auth.get().extra_data)


def test_the_number_names_the_person_and_not_the_name(client: Client, lms: CourseSite) -> None:
    sign_in(client)
    lms.claims |= {"preferred_username": "amara.king", "email": "amara.king@northgate.example"}
    sign_in(Client())
    assert User.objects.get().email == "amara.king@northgate.example"


def test_an_account_that_was_never_activated_there_is_refused(client: Client, lms: CourseSite) -> None:
    lms.claims["email_verified"] = False
    response = sign_in(client)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "Course site hasn’t confirmed" in response.content.decode()


@pytest.mark.parametrize("number", [None, "", True, [7]])
def test_a_course_site_identity_without_a_user_id_is_refused(client: Client, lms: CourseSite, number: object) -> None:
    lms.claims["user_id"] = number
    assert sign_in(client).status_code == HTTPStatus.BAD_GATEWAY
    assert not User.objects.exists()


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "", None])
def test_a_token_that_says_nothing(client: Client, lms: CourseSite, token: object) -> None:
    lms.replaced = {"access_token": token}
    assert sign_in(client).status_code == HTTPStatus.BAD_GATEWAY
    assert not is_signed_in(client)


def test_a_token_that_has_ended(client: Client, lms: CourseSite) -> None:
    lms.claims["exp"] = 1_000_000
    response = sign_in(client)
    assert "one of the clocks is wrong" in response.content.decode()


def test_a_code_that_is_not_good_any_more(client: Client, lms: CourseSite) -> None:
    assert sign_in(client, code="another").status_code == HTTPStatus.BAD_REQUEST


def test_a_wrong_secret(client: Client, lms: CourseSite, settings: Any) -> None:
    settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = "wrong"
    assert sign_in(client).status_code == HTTPStatus.BAD_GATEWAY


def test_staff_there_is_staff_here_only_if_the_settings_say_so(client: Client, lms: CourseSite, settings: Any) -> None:
    lms.claims["administrator"] = True
    sign_in(client)
    assert not User.objects.get().is_staff
    settings.EDX_STAFF_ROLES = {"administrator": ["staff"]}
    sign_in(client)
    assert User.objects.get().is_staff
    lms.claims["administrator"] = False
    sign_in(client)
    assert not User.objects.get().is_staff


def test_signing_out_here_signs_out_there(client: Client, lms: CourseSite) -> None:
    sign_in(client)
    away = client.post("/logout/")["Location"]
    assert away == "https://lms.example/logout?redirect_url=http%3A%2F%2Ftestserver%2Flogout%2Fdone%2F"
    assert not is_signed_in(client)
