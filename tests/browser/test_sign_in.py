"""Signing in through a provider in a browser, under the content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from playwright.sync_api import expect

from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor
from tests.support.oidc import CLIENT, SECRET, FakeProvider, running_provider

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def provider(live_server: Any, settings: Any) -> Iterator[FakeProvider]:
    with running_provider() as running:
        settings.SITE_BASE_URL = live_server.url
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = running.issuer
        settings.SOCIAL_AUTH_KEYCLOAK_KEY, settings.SOCIAL_AUTH_KEYCLOAK_SECRET = CLIENT, SECRET
        settings.SOCIAL_AUTH_KEYCLOAK_NAME = "Northgate"
        settings.AUTHENTICATION_BACKENDS = [
            *settings.AUTHENTICATION_BACKENDS,
            "mitxonline.users.sso.keycloak.KeycloakBackend",
        ]
        policy = deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["form-action"].append(running.url)
        settings.CONTENT_SECURITY_POLICY = policy
        yield running
    KeycloakBackend.get_openid_configuration.invalidate()
    KeycloakBackend.get_jwks_keys_for_uri.invalidate()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_there_and_back_and_out_again(
    open_visitor: OpenVisitor, live_server: Any, provider: FakeProvider, scripts: bool
) -> None:
    visitor = open_visitor(scripts=scripts, width=390)
    page = visitor.page
    visitor.opens("/login/?next=/account/")
    expect(page.get_by_label("Email")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in")).to_have_count(1)
    if scripts:
        assert_accessible(page)
    page.get_by_role("button", name="Continue with Northgate").click()
    expect(page).to_have_url(f"{live_server.url}/account/")
    expect(page.get_by_text("Connected with Northgate")).to_be_visible()
    if scripts:
        assert_accessible(page)
    visitor.opens("/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{live_server.url}/")
    assert provider.asked[-1] != "logout", "the browser went there, no server of ours"
    visitor.opens("/account/")
    expect(page).to_have_url(f"{live_server.url}/login/?next=/account/")


def test_a_canceled_sign_in_is_explained_and_can_be_repeated(
    open_visitor: OpenVisitor, live_server: Any, provider: FakeProvider
) -> None:
    provider.denies = True
    visitor = open_visitor(width=390)
    page = visitor.page
    visitor.opens("/login/?next=/account/")
    page.get_by_role("button", name="Continue with Northgate").click()
    expect(page.get_by_role("heading", level=1, name="You aren’t signed in")).to_be_visible()
    assert_accessible(page)
    provider.denies = False
    page.get_by_role("button", name="Continue with Northgate").click()
    expect(page).to_have_url(f"{live_server.url}/account/")
