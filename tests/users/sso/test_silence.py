"""A provider that hangs, trickles or closes: an error page in time, and no one else waits."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from mitxonline.kernel import clock
from mitxonline.users.sso import diagnosis
from tests.support.oidc import FakeProvider
from tests.support.silence import MANNERS, Manner, silent_server
from tests.users.sso.conftest import begin, is_signed_in

pytestmark = pytest.mark.django_db

SHORT, LATE = 0.5, 20.0
AWAY = "We can’t reach Northgate right now."


@pytest.fixture(autouse=True)
def _short_patience(settings: Any) -> None:
    settings.REMOTE_PAGE_SECONDS = SHORT


@pytest.mark.parametrize("manner", MANNERS)
def test_the_button_says_that_the_provider_is_away(
    manner: Manner, client: Client, provider: FakeProvider, settings: Any
) -> None:
    with silent_server(manner) as server:
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"{server.url}/realms/tessera"
        began = time.monotonic()
        response = client.post("/login/keycloak/")
        assert time.monotonic() - began < LATE
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert AWAY in response.content.decode()


@pytest.mark.parametrize("endpoint", ["token_endpoint", "userinfo_endpoint", "jwks_uri"])
def test_a_silent_provider_at_the_callback_is_reported(endpoint: str, client: Client, provider: FakeProvider) -> None:
    with silent_server() as server:
        provider.answers["openid-configuration"] = (200, {**provider.discovery(), endpoint: server.url})
        way = provider.visit(begin(client))
        began = time.monotonic()
        response = client.get(way)
        assert time.monotonic() - began < LATE
        assert server.connections == 1
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert AWAY in response.content.decode()
    assert not is_signed_in(client)


def test_after_three_silences_the_breaker_opens(client: Client, provider: FakeProvider, settings: Any) -> None:
    with silent_server() as server:
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"{server.url}/realms/tessera"
        for _each in range(4):
            assert client.post("/login/keycloak/").status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert server.connections == 3
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = provider.issuer


def test_other_pages_need_no_provider(client: Client, provider: FakeProvider, settings: Any) -> None:
    with silent_server() as server:
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"{server.url}/realms/tessera"
        assert client.get("/login/").status_code == HTTPStatus.OK
        assert server.connections == 0


def test_check_sso_does_not_wait_for_bytes_that_trickle_and_shuts_no_door(
    client: Client, provider: FakeProvider, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "_PATIENCE", SHORT)
    with silent_server("trickle body") as server:
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"{server.url}/realms/tessera"
        for _each in range(4):
            began = time.monotonic()
            found = diagnosis.diagnose(now=clock.now())
            assert time.monotonic() - began < LATE
            assert "doesn’t answer" in found[0].sentence
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = provider.issuer
    assert client.post("/login/keycloak/").status_code == HTTPStatus.FOUND
