"""Sign-in against an independent provider, which shares no assumption with our fake."""

import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client

from mitxonline.users.models import User
from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.users.sso.conftest import EMAIL_BACKEND, KEYCLOAK_BACKEND, begin, is_signed_in

# It uses parts of a library that are about to be replaced there.
with warnings.catch_warnings(record=True):
    from oidc_provider_mock import User as MockUser  # type: ignore[import-untyped]
    from oidc_provider_mock import run_server_in_thread

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def mock(settings: Any) -> Iterator[str]:
    amara = MockUser(
        sub="amara",
        claims={"email": "amara@northgate.example", "email_verified": True, "name": "Amara Okafor"},
    )
    with run_server_in_thread(user_claims=[amara], require_nonce=True) as server:
        url = f"http://localhost:{server.server_port}"
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = url
        settings.SOCIAL_AUTH_KEYCLOAK_KEY = "storefront"
        settings.SOCIAL_AUTH_KEYCLOAK_SECRET = "x"
        settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = []
        settings.AUTHENTICATION_BACKENDS = [EMAIL_BACKEND, KEYCLOAK_BACKEND]
        yield url
    KeycloakBackend.get_openid_configuration.invalidate()
    KeycloakBackend.get_jwks_keys_for_uri.invalidate()


def visit(address: str, **form: str) -> str:
    """Press a button at the provider and return the callback's address."""
    answer = requests.post(address, data=form, allow_redirects=False, timeout=10)
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def test_there_and_back(client: Client, mock: str) -> None:
    response = client.get(visit(begin(client, next="/cart/"), sub="amara"))
    assert response["Location"] == "/cart/"
    assert is_signed_in(client)
    assert User.objects.get().name == "Amara Okafor"


def test_a_canceled_sign_in_comes_back_with_a_message(client: Client, mock: str) -> None:
    response = client.get(visit(begin(client), action="deny"))
    assert response.status_code == 403
    assert "You stopped at Keycloak." in response.content.decode()


def test_an_unverified_address_is_refused(client: Client, mock: str) -> None:
    response = client.get(visit(begin(client), sub="somebody@new.example"))
    assert response.status_code == 403
    assert not is_signed_in(client)
