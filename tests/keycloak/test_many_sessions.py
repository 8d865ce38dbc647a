"""Several Keycloak sessions of one person, and a realm that stops sending organizations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import expect

from b2b.models import ContractMembership, OrganizationMembership
from mitxonline.users.models import ProviderSession
from tests.browser.conftest import OpenVisitor, Visitor
from tests.keycloak.conftest import make_campus, sign_in
from tests.support.broker import until
from tests.support.keycloak import CLIENT, REALM, SAM, Keycloak, needs_keycloak

pytestmark = [*needs_keycloak, pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


def is_signed_in(visitor: Visitor) -> bool:
    visitor.opens("/dashboard/")
    return not visitor.page.url.startswith(f"{visitor.base}/login/")


def test_one_of_several_sessions_ends_alone_and_the_rest_together(
    open_visitor: OpenVisitor, site: str, keycloak: Keycloak
) -> None:
    make_campus()
    visitors = [open_visitor() for _number in range(3)]
    for visitor in visitors:
        sign_in(visitor, SAM)
        expect(visitor.page).to_have_url(f"{site}/dashboard/")
    sids = list(ProviderSession.objects.order_by("started_at", "pk").values_list("sid", flat=True))
    assert len(set(sids)) == 3

    keycloak.admin.connection.raw_delete(f"admin/realms/{REALM}/sessions/{sids[0]}")
    until(lambda: not is_signed_in(visitors[0]))
    assert all(is_signed_in(visitor) for visitor in visitors[1:])

    # One at a time: asked to end all of someone's sessions at once, Keycloak names the first alone (its issue 22914).
    for sid in sids[1:]:
        keycloak.admin.connection.raw_delete(f"admin/realms/{REALM}/sessions/{sid}")
    until(lambda: not any(is_signed_in(visitor) for visitor in visitors))
    assert not ProviderSession.objects.exists()


@contextmanager
def organizations_off(keycloak: Keycloak) -> Iterator[None]:
    keycloak.admin.update_realm(REALM, {"organizationsEnabled": False})
    try:
        yield
    finally:
        keycloak.admin.update_realm(REALM, {"organizationsEnabled": True})


@contextmanager
def scope_by_default(keycloak: Keycloak) -> Iterator[None]:
    admin = keycloak.admin
    client = admin.get_client_id(CLIENT)
    assert client is not None
    scope = next(each["id"] for each in admin.get_client_scopes() if each["name"] == "organization")
    admin.delete_client_optional_client_scope(client, scope)
    admin.add_client_default_client_scope(client, scope, {})
    try:
        yield
    finally:
        admin.delete_client_default_client_scope(client, scope)
        admin.add_client_optional_client_scope(client, scope, {})


def test_a_default_scope_removes_no_one(open_visitor: OpenVisitor, site: str, keycloak: Keycloak) -> None:
    make_campus()
    sign_in(open_visitor(), SAM)
    assert ContractMembership.objects.count() == 1
    with scope_by_default(keycloak):
        sign_in(open_visitor(), SAM)
        until(lambda: ProviderSession.objects.count() == 2)
        assert ContractMembership.objects.count() == 1
        assert OrganizationMembership.objects.get().seen_in_claim


@pytest.mark.parametrize("may_ask", [True, False])
def test_organizations_switched_off_in_the_realm(
    open_visitor: OpenVisitor, site: str, keycloak: Keycloak, settings: Any, may_ask: bool
) -> None:
    """Keycloak 26.7 answers then as for someone in no organization; older ones go on naming organizations."""
    make_campus()
    sign_in(open_visitor(), SAM)
    if not may_ask:
        settings.KEYCLOAK_CLIENT_SECRET = ""
    with organizations_off(keycloak):
        sign_in(open_visitor(), SAM)
        until(lambda: ProviderSession.objects.count() == 2)
        assert ContractMembership.objects.count() == (1 if may_ask or not keycloak.has_organization_roles else 0)
    sign_in(open_visitor(), SAM)
    until(lambda: ProviderSession.objects.count() == 3)
    assert ContractMembership.objects.count() == 1
