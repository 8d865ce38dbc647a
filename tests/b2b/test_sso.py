"""Signing in through Keycloak: people join and leave organizations as the claim says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from b2b.enums import MembershipSource, MembershipState, SignInChange
from b2b.models import (
    ContractMembership,
    ContractPage,
    KeycloakOrganization,
    OrganizationMembership,
    OrganizationPage,
    SignInFact,
    Withdrawal,
)
from b2b.services.organizations.claims import UNKNOWN, Claim, ClaimedOrganization, parse_claim
from b2b.services.organizations.sign_in import ClaimChanges, follow_claim
from b2b.services.seats.membership import add_member
from courses.models import Enrollment
from ecommerce.models import Order
from mitxonline.users.models import User
from tests.factories import NOON, make_contract, make_contract_run, make_organization, make_user

CODE, SSO, STAFF, API = (
    MembershipSource.CODE,
    MembershipSource.SSO,
    MembershipSource.STAFF,
    MembershipSource.API,
)


def in_keycloak(organization: OrganizationPage, *, alias: str = "", **facts: Any) -> UUID:
    """Link the organization to Keycloak and return its id there."""
    keycloak_id = uuid4()
    KeycloakOrganization.objects.create(
        organization=organization,
        keycloak_id=keycloak_id,
        alias=alias or organization.org_key,
        seen_at=NOON,
        **facts,
    )
    return keycloak_id


def claim(*organizations: str | tuple[str, UUID], complete: bool = True) -> Claim:
    entries = (
        ClaimedOrganization(each) if isinstance(each, str) else ClaimedOrganization(*each) for each in organizations
    )
    return Claim(organizations=frozenset(entries), complete=complete)


def follow(user: User, *organizations: str | tuple[str, UUID], complete: bool = True) -> ClaimChanges:
    return follow_claim(user_id=user.pk, claim=claim(*organizations, complete=complete), now=NOON)


def organizations_of(user: User) -> set[int]:
    return set(OrganizationMembership.objects.filter(user=user).values_list("organization_id", flat=True))


def contracts_of(user: User) -> dict[int, str]:
    return dict(ContractMembership.objects.filter(user=user).values_list("contract_id", "source"))


def facts_of(user: User) -> list[tuple[str, int | None, int | None]]:
    return list(
        SignInFact.objects.filter(user=user).order_by("pk").values_list("change", "organization_id", "contract_id")
    )


def sso_contract(of: OrganizationPage | None = None, **terms: Any) -> ContractPage:
    return make_contract(of, integration_type="sso", **terms)


def join(user: User, organization: OrganizationPage, source: str = SSO, *, seen: bool = True) -> OrganizationMembership:
    return OrganizationMembership.objects.create(
        user=user, organization=organization, source=source, seen_in_claim=seen, since=NOON
    )


def seat(user: User, contract: ContractPage, source: str = SSO) -> ContractMembership:
    return ContractMembership.objects.create(user=user, contract=contract, source=source, since=NOON)


# --- Coming in ------------------------------------------------------------------------------------------------------


def test_signing_in_attaches_to_the_organization_and_its_contracts() -> None:
    organization, sam = make_organization(), make_user()
    first, second = sso_contract(organization), sso_contract(organization, seats=1)
    keycloak_id = in_keycloak(organization)

    followed = follow(sam, ("anything", keycloak_id))

    assert followed == ClaimChanges(joined_organizations=(organization.pk,), joined_contracts=(first.pk, second.pk))
    membership = OrganizationMembership.objects.get(user=sam)
    assert (membership.source, membership.seen_in_claim, membership.is_manager) == (SSO, True, False)
    assert contracts_of(sam) == {first.pk: SSO, second.pk: SSO}
    assert facts_of(sam) == [
        (SignInChange.JOINED_ORGANIZATION, organization.pk, None),
        (SignInChange.JOINED_CONTRACT, None, first.pk),
        (SignInChange.JOINED_CONTRACT, None, second.pk),
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {"integration_type": "non-sso"},
        {"price": "49.00"},
        {"active": False},
        {"start": date(2026, 3, 3)},
        {"end": date(2026, 3, 1)},
    ],
    ids=["by code", "priced", "inactive", "not begun", "over"],
)
def test_only_valid_free_contracts_open_by_signing_in(terms: dict[str, Any]) -> None:
    organization, sam = make_organization(), make_user()
    make_contract(organization, **{"integration_type": "sso"} | terms)
    keycloak_id = in_keycloak(organization)
    assert follow(sam, ("acme", keycloak_id)) == ClaimChanges(joined_organizations=(organization.pk,))
    assert contracts_of(sam) == {}


@pytest.mark.parametrize("day", [{"start": date(2026, 3, 2)}, {"end": date(2026, 3, 2)}], ids=["first", "last"])
def test_both_ends_of_a_contract_are_included(day: dict[str, Any]) -> None:
    contract, sam = sso_contract(**day), make_user()
    follow(sam, OrganizationPage.objects.get().org_key)
    assert contracts_of(sam) == {contract.pk: SSO}


def test_a_contract_that_opens_later_is_joined_at_the_next_sign_in() -> None:
    organization, sam = make_organization(), make_user()
    follow(sam, organization.org_key)
    contract = sso_contract(organization)
    assert follow(sam, organization.org_key) == ClaimChanges(joined_contracts=(contract.pk,))


def test_an_unpublished_organization_is_neither_joined_nor_left() -> None:
    organization, sam, lea = make_organization(), make_user(), make_user()
    contract = sso_contract(organization)
    follow(sam, organization.org_key)
    OrganizationPage.objects.update(live=False)
    assert follow(lea, organization.org_key) == ClaimChanges()
    assert follow(sam, organization.org_key) == ClaimChanges()
    assert contracts_of(sam) == {contract.pk: SSO}


def test_a_full_contract_is_reported_once_and_not_overfilled() -> None:
    contract, sam = sso_contract(seats=1), make_user()
    other = seat(make_user(), contract)
    organization = OrganizationPage.objects.get()

    first, second = follow(sam, organization.org_key), follow(sam, organization.org_key)

    assert first == ClaimChanges(joined_organizations=(organization.pk,), full_contracts=(contract.pk,))
    assert second == ClaimChanges(full_contracts=(contract.pk,))
    full = (SignInChange.CONTRACT_FULL, None, contract.pk)
    assert facts_of(sam) == [(SignInChange.JOINED_ORGANIZATION, organization.pk, None), full]

    other.delete()
    assert follow(sam, organization.org_key) == ClaimChanges(joined_contracts=(contract.pk,))
    assert facts_of(sam)[2:] == [(SignInChange.JOINED_CONTRACT, None, contract.pk)]


def test_a_cap_below_the_member_count_admits_no_one() -> None:
    contract, sam = sso_contract(seats=1), make_user()
    for _each in range(3):
        seat(make_user(), contract)
    assert follow(sam, OrganizationPage.objects.get().org_key).full_contracts == (contract.pk,)
    assert ContractMembership.objects.count() == 3


def test_withdrawn_people_are_not_readmitted() -> None:
    contract, sam = sso_contract(), make_user()
    organization = OrganizationPage.objects.get()
    withdrawal = Withdrawal.objects.create(contract=contract, user=sam, at=NOON, reason="left")

    first, second = follow(sam, organization.org_key), follow(sam, organization.org_key)

    assert first == ClaimChanges(joined_organizations=(organization.pk,), withdrawn_contracts=(contract.pk,))
    assert second == ClaimChanges(withdrawn_contracts=(contract.pk,))
    assert contracts_of(sam) == {}
    assert len(facts_of(sam)) == 2

    Withdrawal.objects.filter(pk=withdrawal.pk).update(lifted_at=NOON)
    assert follow(sam, organization.org_key).joined_contracts == (contract.pk,)


def test_a_seat_held_for_an_own_order_becomes_theirs_and_is_not_counted_twice() -> None:
    contract, sam = sso_contract(seats=1), make_user()
    order = Order.objects.create(
        number="TS-1", purchaser=sam, currency="USD", list_total=0, discount_total=0, total=0, fingerprint="x",
        placed_at=NOON,
    )  # fmt: skip
    ContractMembership.objects.create(
        contract=contract, user=sam, state=MembershipState.HELD, source=CODE, order=order, since=NOON
    )
    assert follow(sam, OrganizationPage.objects.get().org_key).joined_contracts == (contract.pk,)
    membership = ContractMembership.objects.get()
    assert (membership.state, membership.source, membership.order_id) == (MembershipState.ACTIVE, SSO, None)


def test_members_from_another_source_keep_their_seat_without_a_lock() -> None:
    contract, sam = sso_contract(seats=1), make_user()
    add_member(contract_id=contract.pk, user_id=sam.pk, now=NOON)
    with CaptureQueriesContext(connection) as queries:
        assert follow(sam, OrganizationPage.objects.get().org_key) == ClaimChanges()
    assert contracts_of(sam) == {contract.pk: STAFF}
    membership = OrganizationMembership.objects.get()
    assert (membership.source, membership.seen_in_claim) == (STAFF, True)
    assert not any("count(" in each["sql"] for each in queries)


# --- Whom a name means ----------------------------------------------------------------------------------------------


def test_ids_decide_and_differing_ids_never_match() -> None:
    acme, other = make_organization("Acme", org_key="acme"), make_organization("Other", org_key="other")
    acme_id, other_id = in_keycloak(acme), in_keycloak(other)
    sam = make_user()
    assert follow(sam, ("acme", uuid4())) == ClaimChanges()
    assert follow(sam, ("acme", other_id)).joined_organizations == (other.pk,)
    assert follow(sam, ("other", acme_id), ("x", other_id)).joined_organizations == (acme.pk,)


def test_the_alias_is_the_key_where_the_page_has_no_id() -> None:
    acme, sam = make_organization("Acme", org_key="acme"), make_user()
    assert follow(sam, ("acme", uuid4())).joined_organizations == (acme.pk,)
    assert follow(sam, "acme") == ClaimChanges()


def test_the_alias_counts_where_the_claim_carries_no_id() -> None:
    acme, sam = make_organization("Acme", org_key="acme"), make_user()
    in_keycloak(acme)
    assert follow(sam, "acme").joined_organizations == (acme.pk,)


def test_keycloaks_own_alias_counts_before_the_key() -> None:
    ours, sam = make_organization("Ours", org_key="acme"), make_user()
    in_keycloak(ours, alias="ours-in-keycloak")
    assert follow(sam, "acme") == ClaimChanges()
    assert follow(sam, "ours-in-keycloak").joined_organizations == (ours.pk,)


def test_one_name_means_one_organization() -> None:
    by_id, by_key, sam = make_organization("A", org_key="a"), make_organization("B", org_key="acme"), make_user()
    keycloak_id = in_keycloak(by_id)
    assert follow(sam, ("acme", keycloak_id)).joined_organizations == (by_id.pk,)
    assert by_key.pk not in organizations_of(sam)


def test_of_two_organizations_with_one_alias_the_existing_one_counts() -> None:
    old, new, sam = make_organization("Old", org_key="old"), make_organization("New", org_key="new"), make_user()
    in_keycloak(new, alias="acme")
    in_keycloak(old, alias="acme", gone_since=NOON)
    assert follow(sam, "acme").joined_organizations == (new.pk,)


def test_unknown_organizations_are_ignored() -> None:
    make_organization("Acme", org_key="acme")
    assert follow(make_user(), "globex", ("initech", uuid4()), "ACME") == ClaimChanges()


# --- Going ----------------------------------------------------------------------------------------------------------


def test_leaving_gives_the_seats_back_and_keeps_enrollments() -> None:
    organization, sam = make_organization(), make_user()
    contract = sso_contract(organization, seats=1)
    run = make_contract_run(contract)
    follow(sam, organization.org_key)
    Enrollment.objects.create(user=sam, run_id=run.course_run_id, mode="verified", active=True, enrolled_at=NOON)

    assert follow(sam) == ClaimChanges(left_organizations=(organization.pk,), left_contracts=(contract.pk,))

    assert organizations_of(sam) == set()
    assert contracts_of(sam) == {}
    assert Enrollment.objects.get().active
    assert facts_of(sam)[2:] == [
        (SignInChange.LEFT_ORGANIZATION, organization.pk, None),
        (SignInChange.LEFT_CONTRACT, None, contract.pk),
    ]
    assert follow(make_user(), organization.org_key).joined_contracts == (contract.pk,)


def test_a_manager_who_is_gone_from_keycloak_manages_no_more() -> None:
    organization, sam = make_organization(), make_user()
    join(sam, organization)
    OrganizationMembership.objects.update(is_manager=True)
    assert follow(sam).left_organizations == (organization.pk,)
    assert organizations_of(sam) == set()


@pytest.mark.parametrize("source", [CODE, STAFF, API])
def test_leaving_the_claim_ends_only_sso_seats(source: str) -> None:
    organization, sam = make_organization(), make_user()
    own, by_sso = make_contract(organization), sso_contract(organization)
    join(sam, organization, source)
    seat(sam, own, source)
    seat(sam, by_sso)

    assert follow(sam) == ClaimChanges(left_contracts=(by_sso.pk,))

    assert organizations_of(sam) == {organization.pk}
    assert contracts_of(sam) == {own.pk: source}
    assert follow(sam) == ClaimChanges()


@pytest.mark.parametrize("source", [CODE, STAFF, API, SSO])
def test_members_unknown_to_keycloak_keep_their_seats(source: str) -> None:
    organization, sam = make_organization(), make_user()
    contract = sso_contract(organization)
    join(sam, organization, source, seen=False)
    seat(sam, contract, source)

    assert follow(sam) == ClaimChanges()
    assert contracts_of(sam) == {contract.pk: source}

    assert not follow(sam, organization.org_key).has_changes
    assert OrganizationMembership.objects.get().seen_in_claim
    assert follow(sam).has_changes == (source == SSO)


def test_unknown_touches_nothing_and_asks_nothing(django_assert_num_queries: Callable[[int], Any]) -> None:
    organization, sam = make_organization(), make_user()
    join(sam, organization)
    with django_assert_num_queries(0):
        assert follow_claim(user_id=sam.pk, claim=UNKNOWN, now=NOON) == ClaimChanges()
    assert organizations_of(sam) == {organization.pk}


def test_an_unreadable_claim_removes_no_one() -> None:
    organization, other, sam = make_organization("A", org_key="a"), make_organization("B", org_key="b"), make_user()
    join(sam, organization)
    assert follow_claim(user_id=sam.pk, claim=parse_claim(["b", 7]), now=NOON).joined_organizations == (other.pk,)
    assert organizations_of(sam) == {organization.pk, other.pk}


def test_an_organization_recreated_in_keycloak_removes_no_one_before_it_is_linked() -> None:
    contract, sam = sso_contract(), make_user()
    acme = contract.terms.organization
    acme_id = in_keycloak(acme, alias="acme")
    follow(sam, ("acme", acme_id))
    anew = uuid4()
    assert follow(sam, ("acme", anew)) == ClaimChanges()
    assert contracts_of(sam) == {contract.pk: SSO}
    assert follow(make_user(), ("acme", anew)) == ClaimChanges(), "and lets no one in"
    KeycloakOrganization.objects.update(keycloak_id=anew)
    assert follow(sam, ("acme", anew)) == ClaimChanges()
    assert follow(sam).left_organizations == (acme.pk,)


def test_two_people_are_two_people() -> None:
    organization, sam, lea = make_organization(), make_user(), make_user()
    contract = sso_contract(organization)
    for each in (sam, lea):
        follow(each, organization.org_key)
    follow(sam)
    assert organizations_of(lea) == {organization.pk}
    assert contracts_of(lea) == {contract.pk: SSO}


# --- What it costs --------------------------------------------------------------------------------------------------


def many(count: int) -> list[OrganizationPage]:
    """Organizations with an open contract, a full one and one that the person was withdrawn from."""
    made = [make_organization(f"Org {number}") for number in range(count)]
    for organization in made:
        sso_contract(organization)
        seat(make_user(), sso_contract(organization, seats=1))
        in_keycloak(organization)
    return made


def keys(organizations: Iterable[OrganizationPage]) -> list[str]:
    return [each.org_key for each in organizations]


@pytest.mark.parametrize("count", [1, 9])
def test_queries_do_not_grow_with_organizations(django_assert_num_queries: Callable[[int], Any], count: int) -> None:
    organizations, others, sam = many(count), many(count), make_user()
    # Savepoint and its release, the person's lock, names, memberships; joining and remembering; the contracts' locks,
    # counting, seats; what was last said, the record.
    with django_assert_num_queries(12):
        assert len(follow(sam, *keys(organizations)).joined_contracts) == count
    # Nothing to do but to look whether there is room now.
    with django_assert_num_queries(8):
        assert len(follow(sam, *keys(organizations)).full_contracts) == count
    # Others instead: as the first time, without the seats; and who left: seats found and freed, left, forgotten.
    with django_assert_num_queries(17):
        assert len(follow(sam, *keys(others)).left_contracts) == count


def test_contracts_are_locked_before_seats_are_counted_in_the_order_of_their_keys() -> None:
    organizations, sam = many(2), make_user()
    with CaptureQueriesContext(connection) as queries:
        follow(sam, *keys(organizations[::-1]))
    sql = [each["sql"] for each in queries]
    (lock,) = [number for number, each in enumerate(sql) if 'FOR NO KEY UPDATE OF "b2b_contractterms"' in each]
    assert 'ORDER BY "b2b_contractterms"."page_id" ASC' in sql[lock]
    (count,) = [number for number, each in enumerate(sql) if "count(" in each]
    (seats,) = [number for number, each in enumerate(sql) if each.startswith('INSERT INTO "b2b_contractmembership"')]
    assert lock < count < seats
    # Whoever adds a member by another door locks the contract and writes both; the other way
    # round each would wait for the other.
    (joined,) = [
        number for number, each in enumerate(sql) if each.startswith('INSERT INTO "b2b_organizationmembership"')
    ]
    assert lock < joined


# --- The record, for the operator -----------------------------------------------------------------------------------


def test_the_operator_sees_who_found_a_contract_full(admin_client: Client) -> None:
    contract, sam = sso_contract(seats=1, name="Campus"), make_user(name="Sam Taylor")
    seat(make_user(), contract)
    follow(sam, OrganizationPage.objects.get().org_key)

    page = admin_client.get("/admin/b2b/signinfact/", {"change": SignInChange.CONTRACT_FULL})

    assert page.status_code == 200
    assert "No seat: the contract is full" in page.text
    assert "Campus · Northgate Health" in page.text
    assert sam.email in page.text
    assert "Joined the organization</td>" not in page.text


def test_keycloaks_side_can_be_looked_at(admin_client: Client) -> None:
    organization = make_organization()
    keycloak_id = in_keycloak(organization)
    page = admin_client.get(f"/admin/b2b/organizationpage/{organization.pk}/change/")
    assert str(keycloak_id) in page.text
    for name in ("keycloaksync", "keycloakjoin"):
        assert admin_client.get(f"/admin/b2b/{name}/").status_code == 200
        assert admin_client.get(f"/admin/b2b/{name}/add/").status_code == 403


def test_pages_do_not_carry_what_the_synchronization_knows() -> None:
    """Publishing an old draft writes every column of a page (ADR 0007)."""
    call_command("configure_wagtail", verbosity=0)
    organization = make_organization()
    draft = organization.save_revision()
    keycloak_id = in_keycloak(organization)
    draft.publish()
    assert KeycloakOrganization.objects.get(organization=organization).keycloak_id == keycloak_id
