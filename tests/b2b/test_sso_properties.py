"""Properties that hold for any claim, any member and any order of sign-ins."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2b.enums import MembershipSource
from b2b.models import (
    ContractMembership,
    ContractPage,
    KeycloakOrganization,
    OrganizationMembership,
    OrganizationPage,
    SignInFact,
    Withdrawal,
)
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.sign_in import ClaimChanges, follow_claim
from mitxonline.users.models import User
from tests.factories import NOON, make_contract, make_organization, make_user

STRANGER = UUID("00000000-0000-4000-8000-00000000000f")
IDS = {name: UUID(f"00000000-0000-4000-8000-00000000000{number}") for number, name in enumerate("abd", start=1)}

sources = st.sampled_from(MembershipSource.values)
# What Keycloak may say of each organization: nothing, its alias, its id, another id.
words = st.sampled_from(["", "alias", "id", "other id"])


@dataclass(frozen=True)
class World:
    """Organizations with and without Keycloak's id, published or not, and contracts of every kind."""

    organizations: tuple[OrganizationPage, ...]
    contracts: tuple[ContractPage, ...]
    me: User
    others: tuple[User, User]

    @property
    def people(self) -> tuple[User, ...]:
        return (self.me, *self.others)


@dataclass(frozen=True)
class Before:
    """A user's memberships before they sign in."""

    organizations: dict[int, tuple[str, bool]]
    seats: dict[int, str]
    withdrawn: frozenset[int]


ORGANIZATIONS, CONTRACTS = 4, 8
places = st.integers(0, ORGANIZATIONS - 1)
seats = st.integers(0, CONTRACTS - 1)
lives = st.builds(
    Before,
    organizations=st.dictionaries(places, st.tuples(sources, st.booleans())),
    seats=st.dictionaries(seats, sources),
    withdrawn=st.frozensets(seats, max_size=2),
)
claims = st.tuples(*[words] * (ORGANIZATIONS + 1))


def make_world() -> World:
    a, b, c, d = (make_organization(name.upper(), org_key=name) for name in "abcd")
    for name, organization in (("a", a), ("b", b), ("d", d)):
        KeycloakOrganization.objects.create(organization=organization, keycloak_id=IDS[name], alias=name, seen_at=NOON)
    OrganizationPage.objects.filter(pk=d.pk).update(live=False)
    terms: list[tuple[OrganizationPage, dict[str, Any]]] = [
        (a, {"integration_type": "sso"}),
        (a, {"integration_type": "sso", "seats": 1}),
        (a, {"integration_type": "sso", "price": "9.00"}),
        (a, {"integration_type": "non-sso", "seats": 2}),
        (b, {"integration_type": "sso", "seats": 2}),
        (b, {"integration_type": "sso", "active": False}),
        (c, {"integration_type": "sso"}),
        (d, {"integration_type": "sso"}),
    ]
    contracts = tuple(make_contract(of, **each) for of, each in terms)
    return World((a, b, c, d), contracts, make_user(), (make_user(), make_user()))


@contextmanager
def living(world: World, *lives_before: Before) -> Iterator[None]:
    """Give everyone their earlier memberships, and roll everything back afterwards."""
    with transaction.atomic():
        for user, before in zip(world.people, lives_before, strict=True):
            OrganizationMembership.objects.bulk_create(
                OrganizationMembership(
                    organization=world.organizations[at], user=user, source=source, seen_in_claim=seen, since=NOON
                )
                for at, (source, seen) in before.organizations.items()
            )
            ContractMembership.objects.bulk_create(
                ContractMembership(contract=world.contracts[at], user=user, source=source, since=NOON)
                for at, source in before.seats.items()
            )
            Withdrawal.objects.bulk_create(
                Withdrawal(contract=world.contracts[at], user=user, at=NOON) for at in before.withdrawn
            )
        yield
        transaction.set_rollback(True)


def said(claim: tuple[str, ...], shuffled: random.Random | None = None) -> list[Any]:
    """Return the claim as a list of aliases and maps, in a drawn order."""
    parts: list[Any] = []
    for name, word in zip("abcdz", claim, strict=True):
        if word == "alias":
            parts.append(name)
        elif word:
            parts.append({name: {"id": str(IDS.get(name, STRANGER) if word == "id" else STRANGER)}})
    if shuffled is not None:
        shuffled.shuffle(parts)
    return parts


def follow(world: World, claim: list[Any]) -> ClaimChanges:
    return follow_claim(user_id=world.me.pk, claim=parse_claim(claim), now=NOON)


def state_of(*people: User) -> tuple[list[Any], list[Any]]:
    ids = [user.pk for user in people]
    organizations = OrganizationMembership.objects.filter(user_id__in=ids).order_by("user_id", "organization_id")
    seats_taken = ContractMembership.objects.filter(user_id__in=ids).order_by("user_id", "contract_id")
    return (
        list(organizations.values_list("user_id", "organization_id", "source", "is_manager", "seen_in_claim")),
        list(seats_taken.values_list("user_id", "contract_id", "source", "state")),
    )


def seats_by_contract() -> dict[int, int]:
    found: dict[int, int] = {}
    for contract_id in ContractMembership.objects.values_list("contract_id", flat=True):
        found[contract_id] = found.get(contract_id, 0) + 1
    return found


property_test = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_twice_changes_nothing(db: None) -> None:
    world = make_world()

    @property_test
    @given(before=lives, other=lives, third=lives, claim=claims)
    def holds(before: Before, other: Before, third: Before, claim: tuple[str, ...]) -> None:
        with living(world, before, other, third):
            follow(world, said(claim))
            state, facts = state_of(*world.people), SignInFact.objects.count()
            again = follow(world, said(claim))
            assert not again.has_changes
            assert state_of(*world.people) == state
            assert SignInFact.objects.count() == facts

    holds()


def test_the_order_of_organizations_is_irrelevant(db: None) -> None:
    world = make_world()

    @property_test
    @given(before=lives, other=lives, third=lives, claim=claims, shuffled=st.randoms(use_true_random=False))
    def holds(before: Before, other: Before, third: Before, claim: tuple[str, ...], shuffled: random.Random) -> None:
        with living(world, before, other, third):
            first, state = follow(world, said(claim)), state_of(*world.people)
        with living(world, before, other, third):
            assert follow(world, said(claim, shuffled)) == first
            assert state_of(*world.people) == state

    holds()


def test_other_people_and_other_sources_are_untouched(db: None) -> None:
    world = make_world()

    @property_test
    @given(before=lives, other=lives, third=lives, claim=claims)
    def holds(before: Before, other: Before, third: Before, claim: tuple[str, ...]) -> None:
        with living(world, before, other, third):
            others = state_of(*world.others)
            organizations, seats_before = state_of(world.me)
            crowded = seats_by_contract()
            follow(world, said(claim))
            assert state_of(*world.others) == others
            organizations_after, seats_after = state_of(world.me)
            kept = {row[1:4] for row in organizations if row[2] != MembershipSource.SSO}
            assert kept <= {row[1:4] for row in organizations_after}
            assert {row for row in seats_before if row[2] != MembershipSource.SSO} <= set(seats_after)
            for contract in world.contracts:
                if contract.max_learners is not None:
                    most = max(contract.max_learners, crowded.get(contract.pk, 0))
                    assert seats_by_contract().get(contract.pk, 0) <= most
            withdrawn = {world.contracts[at].pk for at in before.withdrawn}
            assert not withdrawn & ({row[1] for row in seats_after} - {row[1] for row in seats_before})

    holds()


def test_unknown_touches_nothing(db: None) -> None:
    world = make_world()

    @property_test
    @given(before=lives, garbage=st.one_of(st.none(), st.booleans(), st.integers(), st.just(""), st.just([None])))
    def holds(before: Before, garbage: Any) -> None:
        with living(world, before, Before({}, {}, frozenset()), Before({}, {}, frozenset())):
            state = state_of(*world.people)
            assert follow(world, garbage) == ClaimChanges()
            assert state_of(*world.people) == state

    holds()
