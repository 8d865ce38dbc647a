"""`check_sso` against a real Keycloak, set up correctly and with every common mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from b2b.models import OrganizationPage
from tests.support.keycloak import CLIENT, CLIENT_SECRET, LARKFIELD, Keycloak, needs_keycloak

pytestmark = [*needs_keycloak, pytest.mark.django_db]

BASE = "http://shop.example"


@pytest.fixture
def site(keycloak: Keycloak, settings: Any) -> Keycloak:
    settings.SITE_BASE_URL = BASE
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = keycloak.issuer
    settings.SOCIAL_AUTH_KEYCLOAK_KEY, settings.SOCIAL_AUTH_KEYCLOAK_SECRET = CLIENT, CLIENT_SECRET
    settings.AUTHENTICATION_BACKENDS = ["mitxonline.users.sso.keycloak.KeycloakBackend"]
    keycloak.serve(BASE)
    for name in ("Editors", "Finance", "B2B managers"):
        Group.objects.get_or_create(name=name)
    return keycloak


def ask() -> tuple[dict[str, str], dict[str, str]]:
    """Return what `check_sso` found correct and what it misses."""
    out = StringIO()
    with suppress(CommandError):
        call_command("check_sso", "--format", "json", stdout=out, stderr=StringIO())
    rows = [row for row in json.loads(out.getvalue()) if row["provider"] == "keycloak"]
    return tuple(  # type: ignore[return-value]
        {row["subject"]: row["sentence"] for row in rows if row["state"] == state} for state in ("fine", "missing")
    )


@contextmanager
def changed_client(keycloak: Keycloak, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the storefront's client for as long as the block lasts."""
    internal_id = keycloak.admin.get_client_id(CLIENT)
    assert internal_id is not None
    before = keycloak.admin.get_client(internal_id)
    altered = json.loads(json.dumps(before))
    change(altered)
    keycloak.admin.update_client(internal_id, altered)
    try:
        yield
    finally:
        keycloak.admin.update_client(internal_id, before)


def test_the_realm_of_this_project_has_everything(site: Keycloak) -> None:
    fine, missing = ask()
    assert missing == {}
    assert {"discovery", "issuer", "keys", "PKCE", "organizations", "client", "redirect", "logout", "roles"} <= set(
        fine
    )


def test_a_wrong_secret_and_a_wrong_name(site: Keycloak, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SECRET = "wrong"
    assert "SOCIAL_AUTH_KEYCLOAK_SECRET is wrong" in ask()[1]["client"]
    settings.SOCIAL_AUTH_KEYCLOAK_KEY = "nobody"
    assert set(ask()[1]) >= {"client", "redirect"}


def test_another_realm_is_reported(site: Keycloak, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"{site.url}/realms/another"
    assert "answers with status 404. Is the realm’s name right?" in ask()[1]["discovery"]


def test_addresses_that_are_not_entered(site: Keycloak) -> None:
    def forget(client: dict[str, Any]) -> None:
        client["redirectUris"] = ["https://elsewhere.example/*"]
        client["attributes"]["post.logout.redirect.uris"] = "https://elsewhere.example/*"

    with changed_client(site, forget):
        _fine, missing = ask()
    assert f"Add {BASE}/complete/keycloak/ to the client’s valid redirect URIs." in missing["redirect"]
    assert missing["logout"] == f"Add {BASE}/logout/done/ to the client’s valid post logout redirect URIs."


def test_the_scope_of_organizations_not_given_to_the_client(site: Keycloak) -> None:
    internal_id = site.admin.get_client_id(CLIENT)
    assert internal_id is not None
    (scope,) = [each for each in site.admin.get_client_scopes() if each["name"] == "organization"]
    address = f"admin/realms/tessera/clients/{internal_id}/optional-client-scopes/{scope['id']}"
    site.admin.connection.raw_delete(address)
    try:
        _fine, missing = ask()
    finally:
        site.admin.connection.raw_put(address, data="{}")
    assert "Add the client scope “organization” to it as optional." in missing["redirect"]


def test_a_client_without_the_standard_flow(site: Keycloak) -> None:
    with changed_client(site, lambda client: client.update(standardFlowEnabled=False)):
        _fine, missing = ask()
    assert "redirect" in missing or "client" in missing


def test_a_client_that_is_off(site: Keycloak) -> None:
    with changed_client(site, lambda client: client.update(enabled=False)):
        _fine, missing = ask()
    assert {"client", "redirect"} <= set(missing)


# The service account


def switch_on_adding() -> None:
    call_command("configure_wagtail", verbosity=0)
    call_command("sync_keycloak_orgs", stdout=StringIO(), stderr=StringIO())
    OrganizationPage.objects.filter(org_key=LARKFIELD).update(add_code_learners_to_sso=True)


def test_the_service_account_of_the_realm_file_may_do_everything(site: Keycloak) -> None:
    fine, missing = ask()
    assert missing == {}
    assert "adding people" not in fine, "where no page wants it, it isn't asked"
    switch_on_adding()
    before = site.members(LARKFIELD)
    fine, missing = ask()
    assert missing == {}
    assert fine["service account"] == "Keycloak accepts KEYCLOAK_CLIENT_ID with its secret."
    assert fine["organizations list"] == "Can be read: 2. Known here: 2."
    assert fine["adding people"] == "People who came by code can be added."
    assert site.members(LARKFIELD) == before


def test_a_wrong_secret_of_the_service_account(site: Keycloak, settings: Any) -> None:
    settings.KEYCLOAK_CLIENT_SECRET = "wrong"
    _fine, missing = ask()
    assert list(missing) == ["service account"]
    assert "KEYCLOAK_CLIENT_SECRET" in missing["service account"]


def test_a_service_account_without_roles(site: Keycloak) -> None:
    switch_on_adding()
    try:
        site.set_roles()
        assert "role view-organizations" in ask()[1]["organizations list"]
        if site.has_organization_roles:
            site.set_roles("query-organizations")
            assert "shows none of the 2 organizations" in ask()[1]["organizations list"]
            for roles in (["view-organizations"], ["manage-realm"]):
                site.set_roles(*roles)
                _fine, missing = ask()
                assert list(missing) == ["adding people"]
                assert "roles manage-organizations and manage-users" in missing["adding people"]
    finally:
        site.set_roles("manage-organizations", "manage-users")
        site.give_roles_of_its_time()
