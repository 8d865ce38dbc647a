from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from mitxonline.users.sso import keycloak
from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.support.oidc import CLIENT, SECRET, FakeProvider, running_provider

EMAIL_BACKEND = "mitxonline.users.backends.EmailBackend"
KEYCLOAK_BACKEND = "mitxonline.users.sso.keycloak.KeycloakBackend"
EDX_BACKEND = "mitxonline.users.sso.edx.EdxBackend"


@pytest.fixture
def provider(settings: Any) -> Iterator[FakeProvider]:
    """A provider on loopback that the site is configured for."""
    with running_provider() as running:
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = running.issuer
        settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = running.issuer
        settings.SOCIAL_AUTH_KEYCLOAK_KEY = CLIENT
        settings.SOCIAL_AUTH_KEYCLOAK_SECRET = SECRET
        settings.SOCIAL_AUTH_KEYCLOAK_NAME = "Northgate"
        settings.AUTHENTICATION_BACKENDS = [EMAIL_BACKEND, KEYCLOAK_BACKEND]
        yield running
    KeycloakBackend.get_openid_configuration.invalidate()
    KeycloakBackend.get_jwks_keys_for_uri.invalidate()
    keycloak._refetched.clear()


def begin(client: Client, **form: str) -> str:
    """Press the sign-in button and return the provider's address."""
    response = client.post("/login/keycloak/", form)
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def sign_in(client: Client, provider: FakeProvider, **form: str) -> Any:
    """Sign in at the provider and return our site's last response."""
    return client.get(provider.visit(begin(client, **form)))


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session
