"""Who calls: sessions with their token against forgery, and tokens of our provider."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from social_django.models import UserSocialAuth

from api.http.callers import CONTRACTS, Means
from api.http.errors import BadCredentials, CsrfMissing, NotSignedIn
from mitxonline.kernel.errors import Forbidden
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import make_user
from tests.support.oidc import FakeProvider

pytestmark = pytest.mark.django_db


@pytest.fixture
def amara(provider: FakeProvider) -> User:
    user = make_user("amara@northgate.example")
    UserSocialAuth.objects.create(user=user, provider="keycloak", uid=f"{provider.issuer}#{provider.claims['sub']}")
    return user


def ask(user: User, token: str) -> Any:
    return ApiClient(token=f"Bearer {token}").get(f"/api/v0/users/{user.pk}/")


def test_a_token_opens_the_account_of_its_person(provider: FakeProvider, amara: User) -> None:
    other = make_user()
    assert ask(amara, provider.api_token()).json()["id"] == amara.pk
    assert ask(other, provider.api_token()).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://evil.example/realms/tessera"},
        {"exp": 1},
        {"exp": None},
        {"typ": "ID"},
        {"typ": None},
        {"key": "second"},
        {"sub": "99999999-aaaa-4bbb-8ccc-222222222222"},
    ],
)
def test_another_token_opens_nothing(provider: FakeProvider, amara: User, wrong: dict[str, Any]) -> None:
    response = ask(amara, provider.api_token(**wrong))
    assert (response.status_code, response.json()["code"]) == (401, "bad_credentials")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ÿ"])
def test_what_is_no_token_opens_nothing(amara: User, token: str) -> None:
    assert ask(amara, token).status_code == 401


def test_an_unsigned_token_opens_nothing(provider: FakeProvider, amara: User) -> None:
    claims = {"iss": provider.issuer, "aud": "storefront", "sub": provider.claims["sub"], "exp": time.time() + 60}
    assert ask(amara, jwt.encode(claims, "", algorithm="none")).status_code == 401


def test_an_inactive_account_has_no_token(provider: FakeProvider, amara: User) -> None:
    User.objects.filter(pk=amara.pk).update(is_active=False)
    assert ask(amara, provider.api_token()).status_code == 401


def test_a_wrong_token_isnt_replaced_by_the_session(provider: FakeProvider, amara: User) -> None:
    client = ApiClient(amara, token="Bearer nonsense")
    assert client.get(f"/api/v0/users/{amara.pk}/").status_code == 401


def test_keys_are_read_once(provider: FakeProvider, amara: User) -> None:
    for _time in range(3):
        assert ask(amara, provider.api_token()).status_code == 200
    assert provider.asked.count("keys") == 1


def test_a_provider_that_is_away_isnt_the_callers_fault(provider: FakeProvider, amara: User) -> None:
    provider.answers["keys"] = (500, {})
    response = ask(amara, provider.api_token())
    assert (response.status_code, response.json()["code"]) == (503, "credentials_unclear")


def test_without_a_provider_no_token_works() -> None:
    assert ask(make_user(), "x").status_code == 401


def service_call(provider: FakeProvider, *scopes: str, **claims: Any) -> HttpRequest:
    token = provider.service_token(*scopes, **claims)
    return RequestFactory().get("/api/", headers={"Authorization": f"Bearer {token}"})


def test_a_service_needs_the_operations_scope(provider: FakeProvider) -> None:
    door = CONTRACTS.service("b2b:manager-check")
    assert door(service_call(provider, "b2b:manager-check", "other")).means is Means.SERVICE
    with pytest.raises(Forbidden):
        door(service_call(provider, "b2b:manager-checks"))
    with pytest.raises(Forbidden):
        CONTRACTS.signed_in(service_call(provider, "b2b:manager-check"))


def test_a_person_is_no_service_whatever_scopes_they_have(provider: FakeProvider, amara: User) -> None:
    door = CONTRACTS.service("b2b:manager-check")
    with pytest.raises(Forbidden):
        door(service_call(provider, "b2b:manager-check", sub=provider.claims["sub"]))
    with pytest.raises(BadCredentials):
        door(service_call(provider, "b2b:manager-check", sid="session-1"))


def test_a_session_needs_its_token_to_change_something() -> None:
    user = make_user()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    request = RequestFactory(enforce_csrf_checks=True).post("/api/")
    request.user, request.session = user, client.session
    with pytest.raises(CsrfMissing):
        CONTRACTS.signed_in(request)
    request = RequestFactory().get("/api/")
    request.user = user
    assert CONTRACTS.signed_in(request).user == user


def test_whoever_isnt_signed_in_is_told_so() -> None:
    response = ApiClient().get(f"/api/v0/users/{make_user().pk}/")
    assert (response.status_code, response.json()["code"]) == (403, NotSignedIn.code)
