"""Keycloak's admin API with the service account of the realm file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from social_django.models import UserSocialAuth

from b2b.errors.organizations import KeycloakAddDenied, KeycloakPersonUnknown, KeycloakReadDenied, KeycloakSecretWrong
from b2b.gateways.keycloak import KeycloakGateway, read_organization
from b2b.models import KeycloakJoin, KeycloakOrganization, KeycloakSync, OrganizationPage
from b2b.services.organizations.keycloak_joins import ask_for_joins
from b2b.services.seats.redemption import redeem_enrollment_code
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from tests.factories import codes_of, make_contract, make_contract_run, make_user
from tests.support.keycloak import LARKFIELD, LEA, NORTHGATE, REALM, SAM, Keycloak, needs_keycloak

pytestmark = [*needs_keycloak, pytest.mark.django_db(transaction=True)]


def synchronize(*options: str) -> list[dict[str, Any]]:
    call_command("configure_wagtail", verbosity=0)
    output = StringIO()
    call_command("sync_keycloak_orgs", "--format", "json", *options, stdout=output, stderr=StringIO())
    found: list[dict[str, Any]] = json.loads(output.getvalue())
    return found


def test_the_service_account_of_the_realm_file_may_list_organizations(keycloak: Keycloak) -> None:
    found = [read_organization(raw) for raw in KeycloakGateway.from_settings().organizations()]
    assert {each.alias: str(each.keycloak_id) for each in found} == {
        alias: keycloak.organization_id(alias) for alias in (LARKFIELD, NORTHGATE)
    }
    assert {each.name for each in found} == {"Larkfield University", "Northgate Health"}
    assert all(each.enabled and each.description for each in found)


def test_more_organizations_than_one_page_of_answers(keycloak: Keycloak) -> None:
    made = [
        keycloak.admin.create_organization({"name": f"Org {number}", "alias": f"org-{number}"}) for number in range(101)
    ]
    try:
        assert len(KeycloakGateway.from_settings().organizations()) == 103
    finally:
        for each in made:
            assert each is not None
            keycloak.admin.delete_organization(each)


def test_synchronizing_makes_pages_and_follows_names(keycloak: Keycloak) -> None:
    rows = synchronize("--dry-run")
    assert [(row["outcome"], row["alias"], row["key"]) for row in rows] == [
        ("created", LARKFIELD, LARKFIELD),
        ("created", NORTHGATE, NORTHGATE),
    ]
    assert not OrganizationPage.objects.exists()
    assert [row["outcome"] for row in synchronize()] == ["created", "created"]
    assert [row["outcome"] for row in synchronize()] == ["unchanged", "unchanged"]

    larkfield = keycloak.organization_id(LARKFIELD)
    before = keycloak.admin.get_organization(larkfield)
    keycloak.admin.update_organization(larkfield, before | {"name": "Larkfield", "enabled": True})
    try:
        assert [row["outcome"] for row in synchronize()] == ["updated", "unchanged"]
        page = OrganizationPage.objects.get(org_key=LARKFIELD)
        assert (page.name, page.title, page.description) == (
            "Larkfield",
            "Larkfield",
            f"<p>{before['description']}</p>",
        )
        keycloak.admin.update_organization(larkfield, before | {"enabled": False})
        assert [row["outcome"] for row in synchronize()] == ["disabled", "unchanged"]
    finally:
        keycloak.admin.update_organization(larkfield, before)
    assert KeycloakSync.objects.count() == 4


def test_gone_from_keycloak(keycloak: Keycloak) -> None:
    made = keycloak.admin.create_organization({"name": "Shortlived", "alias": "shortlived"})
    assert made is not None
    synchronize()
    keycloak.admin.delete_organization(made)
    assert {row["alias"]: row["outcome"] for row in synchronize()}["shortlived"] == "gone"
    assert OrganizationPage.objects.get(org_key="shortlived").live


def test_a_wrong_secret_is_reported_in_one_sentence(keycloak: Keycloak, settings: Any) -> None:
    settings.KEYCLOAK_CLIENT_SECRET = "wrong"
    with pytest.raises(CommandError, match=r"doesn’t accept the client “storefront-sync” .* KEYCLOAK_CLIENT_SECRET"):
        synchronize()
    assert KeycloakSync.objects.get().problems


def test_a_client_without_a_service_account_is_reported(keycloak: Keycloak, settings: Any) -> None:
    settings.KEYCLOAK_CLIENT_ID, settings.KEYCLOAK_CLIENT_SECRET = "storefront", "storefront-demo-secret"
    with pytest.raises(KeycloakSecretWrong):
        KeycloakGateway.from_settings().organizations()


@pytest.mark.parametrize(("setting", "value"), [("KEYCLOAK_URL", "http://127.0.0.1:9"), ("KEYCLOAK_REALM", "nowhere")])
def test_an_unreachable_keycloak_is_reported(keycloak: Keycloak, settings: Any, setting: str, value: str) -> None:
    setattr(settings, setting, value)
    with pytest.raises(CommandError, match="Keycloak didn’t answer as expected"):
        synchronize()


def test_keycloak_is_never_asked_in_a_transaction(keycloak: Keycloak) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        KeycloakGateway.from_settings().organizations()


def test_members_are_added_once_and_strangers_never(keycloak: Keycloak) -> None:
    gateway = KeycloakGateway.from_settings()
    larkfield = KeycloakOrganization(keycloak_id=keycloak.organization_id(LARKFIELD)).keycloak_id
    try:
        assert gateway.add_member(organization_id=larkfield, subject=keycloak.user_id(LEA))
        assert not gateway.add_member(organization_id=larkfield, subject=keycloak.user_id(LEA))
        assert keycloak.members(LARKFIELD) == {SAM, LEA}
    finally:
        keycloak.remove_member(LARKFIELD, LEA)
    with pytest.raises(KeycloakPersonUnknown):
        gateway.add_member(organization_id=larkfield, subject="nobody")


# --- Roles ----------------------------------------------------------------------------------------------------------

NEWER = [
    # (roles, may list, may add)
    ((), False, False),
    (("view-organizations",), True, False),
    (("manage-organizations",), True, False),
    (("manage-users",), False, False),
    (("manage-realm",), True, False),
    (("view-organizations", "manage-users"), True, False),
    (("manage-organizations", "manage-users"), True, True),
]
OLDER = [((), False, False), (("manage-users",), False, False), (("manage-realm",), True, True)]


@pytest.fixture
def roles(keycloak: Keycloak) -> Iterator[Callable[..., None]]:
    """Give the service account these roles until the test ends."""
    yield keycloak.set_roles
    keycloak.set_roles("manage-organizations", "manage-users")
    keycloak.give_roles_of_its_time()


def test_each_missing_role_is_named_in_the_refusal(keycloak: Keycloak, roles: Callable[..., None]) -> None:
    larkfield, lea = UUID(keycloak.organization_id(LARKFIELD)), keycloak.user_id(LEA)
    for names, may_list, may_add in NEWER if keycloak.has_organization_roles else OLDER:
        roles(*names)
        gateway = KeycloakGateway.from_settings()
        if may_list:
            assert len(gateway.organizations()) == 2, names
        else:
            with pytest.raises(KeycloakReadDenied, match=r"role view-organizations .* before .* manage-realm"):
                gateway.organizations()
        if may_add:
            gateway.check_adding(organization_id=larkfield)
            assert keycloak.members(LARKFIELD) == {SAM}
            assert gateway.add_member(organization_id=larkfield, subject=lea)
            keycloak.remove_member(LARKFIELD, LEA)
            continue
        for ask in (
            lambda: gateway.check_adding(organization_id=larkfield),  # noqa: B023 – called at once
            lambda: gateway.add_member(organization_id=larkfield, subject=lea),  # noqa: B023
        ):
            with pytest.raises(KeycloakAddDenied, match="roles manage-organizations and manage-users"):
                ask()


def test_a_role_that_only_queries_makes_nothing_gone(keycloak: Keycloak, roles: Callable[..., None]) -> None:
    if not keycloak.has_organization_roles:
        return  # there is no such role
    synchronize()
    roles("query-organizations")
    with pytest.raises(CommandError, match=r"shows none of the 2 organizations .* role view-organizations"):
        synchronize()
    assert not KeycloakOrganization.objects.filter(gone_since__isnull=False).exists()


def test_a_realm_without_organizations_is_reported(keycloak: Keycloak) -> None:
    keycloak.admin.update_realm(REALM, {"organizationsEnabled": False})
    try:
        with pytest.raises(CommandError, match=r"Organizations are off in realm “tessera”\. Turn them on"):
            synchronize()
    finally:
        keycloak.admin.update_realm(REALM, {"organizationsEnabled": True})


def test_members_by_code_are_added_by_the_worker(keycloak: Keycloak, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = keycloak.issuer
    synchronize()
    organization = OrganizationPage.objects.get(org_key=NORTHGATE)
    organization.add_code_learners_to_sso = True
    organization.save_revision().publish()
    lea, now = make_user(LEA), clock.now()
    run = make_contract_run(make_contract(organization), codes=1)
    redeem_enrollment_code(text=codes_of(run)[0].text, user_id=lea.pk, now=now)
    UserSocialAuth.objects.create(user=lea, provider="keycloak", uid=f"{keycloak.issuer}#{keycloak.user_id(LEA)}")
    assert ask_for_joins(now=now) == 1
    delivery = Delivery.objects.get(payload__join_id=KeycloakJoin.objects.get().pk)

    settings.KEYCLOAK_URL = "http://127.0.0.1:9"
    run_delivery(delivery_id=delivery.pk, now=clock.now())
    assert LEA not in keycloak.members(NORTHGATE)
    delivery.refresh_from_db()
    assert delivery.state == "pending"

    settings.KEYCLOAK_URL = keycloak.url
    try:
        run_delivery(delivery_id=delivery.pk, now=delivery.next_attempt_at)
        assert LEA in keycloak.members(NORTHGATE)
        assert KeycloakJoin.objects.get().state == "done"
    finally:
        keycloak.remove_member(NORTHGATE, LEA)
