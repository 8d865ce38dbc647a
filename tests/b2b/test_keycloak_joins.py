"""Members who joined by code are added to their organization in Keycloak, where its page asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from social_django.models import UserSocialAuth

from b2b.enums import JoinState, MembershipSource, MembershipState
from b2b.errors.organizations import (
    KeycloakAddDenied,
    KeycloakPersonUnknown,
    KeycloakSecretWrong,
    KeycloakUnavailable,
)
from b2b.events import KeycloakJoinRequested
from b2b.models import (
    ContractMembership,
    ContractPage,
    KeycloakJoin,
    KeycloakOrganization,
    OrganizationMembership,
    OrganizationPage,
)
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.keycloak_joins import (
    ASK_REFUSED_AFTER,
    STUCK_AFTER,
    ask_again_for,
    ask_for_joins,
    join_in_keycloak,
)
from b2b.services.organizations.sign_in import follow_claim
from b2b.services.seats.redemption import redeem_enrollment_code
from b2b.tasks import sweep_keycloak_joins
from mitxonline.coordinator.models import Delivery
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_organization, make_user

ISSUER = "https://id.example/realms/tessera"


class Keycloak:
    """A fake gateway: records who was added where, or raises the error a test sets."""

    def __init__(self, answer: Exception | bool = True) -> None:
        self.answer = answer
        self.added: list[tuple[UUID, str]] = []

    def add_member(self, *, organization_id: UUID, subject: str) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.added.append((organization_id, subject))
        return self.answer


@pytest.fixture(autouse=True)
def _issuer(settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = ISSUER
    settings.KEYCLOAK_URL = "https://id.example"


def switched_on(*, on: bool = True, **facts: Any) -> tuple[OrganizationPage, UUID]:
    """Make an organization whose members by code are added in Keycloak; return its id there."""
    organization, keycloak_id = make_organization(f"Acme {uuid4()}"), uuid4()
    OrganizationPage.objects.filter(pk=organization.pk).update(add_code_learners_to_sso=on)
    KeycloakOrganization.objects.create(
        organization=organization, keycloak_id=keycloak_id, alias="acme", seen_at=NOON, **facts
    )
    return organization, keycloak_id


def come_by_code(organization: OrganizationPage, user: User | None = None) -> User:
    user = user or make_user()
    run = make_contract_run(make_contract(organization), codes=1)
    redeem_enrollment_code(text=codes_of(run)[0].text, user_id=user.pk, now=NOON)
    return user


def sign_in_before(user: User) -> str:
    """Connect the user to Keycloak and return their `sub`."""
    subject = str(uuid4())
    UserSocialAuth.objects.create(user=user, provider="keycloak", uid=f"{ISSUER}#{subject}")
    return subject


def join_of(user: User) -> KeycloakJoin:
    return KeycloakJoin.objects.get(user=user)


def asked() -> list[int]:
    deliveries = Delivery.objects.filter(event_type=KeycloakJoinRequested.type_name()).order_by("pk")
    return [each.payload["join_id"] for each in deliveries]


# --- Who is asked for -----------------------------------------------------------------------------------------------


def test_a_member_by_code_is_added_in_keycloak_once() -> None:
    organization, _keycloak_id = switched_on()
    sam = come_by_code(organization)
    come_by_code(organization, sam)
    assert ask_for_joins(now=NOON) == 1
    assert (join_of(sam).state, join_of(sam).organization_id) == (JoinState.WAITING, organization.pk)
    assert asked() == [join_of(sam).pk]
    assert ask_for_joins(now=NOON) == 0


def test_also_those_who_came_before_it_was_switched_on() -> None:
    organization, _keycloak_id = switched_on(on=False)
    sam = come_by_code(organization)
    assert ask_for_joins(now=NOON) == 0
    OrganizationPage.objects.update(add_code_learners_to_sso=True)
    assert ask_for_joins(now=NOON) == 1
    assert join_of(sam).state == JoinState.WAITING


def held(organization: OrganizationPage, user: User) -> None:
    come_by_code(organization, user)
    ContractMembership.objects.filter(user=user).delete()


def by_staff(organization: OrganizationPage, user: User) -> None:
    OrganizationMembership.objects.create(organization=organization, user=user, source="staff", since=NOON)
    ContractMembership.objects.create(contract=make_contract(organization), user=user, source="staff", since=NOON)


def known_already(organization: OrganizationPage, user: User) -> None:
    come_by_code(organization, user)
    follow_claim(user_id=user.pk, claim=parse_claim(["acme"]), now=NOON)


def gone_from_here(organization: OrganizationPage, user: User) -> None:
    come_by_code(organization, user)
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("life", [held, by_staff, known_already, gone_from_here])
def test_others_are_not(life: Callable[[OrganizationPage, User], None]) -> None:
    organization, _keycloak_id = switched_on()
    life(organization, make_user())
    assert ask_for_joins(now=NOON) == 0


@pytest.mark.parametrize("facts", [{"on": False}, {"enabled": False}, {"gone_since": NOON}])
def test_only_where_the_switch_is_on_and_keycloak_has_the_organization(facts: dict[str, Any]) -> None:
    organization, _keycloak_id = switched_on(**facts)
    come_by_code(organization)
    assert ask_for_joins(now=NOON) == 0


def test_an_organization_without_an_id_of_keycloak_is_skipped() -> None:
    organization, _keycloak_id = switched_on()
    come_by_code(organization)
    KeycloakOrganization.objects.all().delete()
    assert ask_for_joins(now=NOON) == 0


@pytest.mark.parametrize("count", [1, 6])
def test_asking_costs_the_same_but_for_the_deliveries(
    django_assert_num_queries: Callable[[int], Any], count: int
) -> None:
    organization, _keycloak_id = switched_on()
    for _each in range(count):
        come_by_code(organization)
    with django_assert_num_queries(6 + count):
        assert ask_for_joins(now=NOON) == count


def test_the_sweep_asks(db: None) -> None:
    organization, _keycloak_id = switched_on()
    sam = come_by_code(organization)
    sweep_keycloak_joins()
    assert asked() == [join_of(sam).pk]


# --- Asking Keycloak ------------------------------------------------------------------------------------------------


def waiting(*, linked: bool = True) -> tuple[KeycloakJoin, UUID, str]:
    """Make a waiting join; return it with the organization’s id and the user's in Keycloak."""
    organization, keycloak_id = switched_on()
    sam = come_by_code(organization)
    subject = sign_in_before(sam) if linked else ""
    ask_for_joins(now=NOON)
    return join_of(sam), keycloak_id, subject


def carry(join: KeycloakJoin, keycloak: Keycloak) -> JoinState | None:
    return join_in_keycloak(join_id=join.pk, keycloak=keycloak, now=NOON)


@pytest.mark.parametrize("was_new", [True, False], ids=["added", "was in it already"])
def test_the_person_is_added_by_their_id_there(was_new: bool) -> None:
    join, keycloak_id, subject = waiting()
    keycloak = Keycloak(was_new)
    assert carry(join, keycloak) == JoinState.DONE
    assert keycloak.added == [(keycloak_id, subject)]
    assert carry(join, keycloak) is None
    assert len(keycloak.added) == 1
    join.refresh_from_db()
    assert join.settled_at == NOON


@pytest.mark.parametrize("answer", [KeycloakUnavailable(), KeycloakSecretWrong(client_id="sync", realm="tessera")])
def test_no_answer_is_tried_again(answer: Exception) -> None:
    join, _keycloak_id, _subject = waiting()
    with pytest.raises(type(answer)):
        carry(join, Keycloak(answer))
    join.refresh_from_db()
    assert join.state == JoinState.WAITING
    assert carry(join, Keycloak()) == JoinState.DONE


def refuse(*joins: KeycloakJoin) -> None:
    for join in joins:
        assert carry(join, Keycloak(KeycloakAddDenied(client_id="sync", realm="tessera"))) == JoinState.REFUSED


def test_missing_roles_are_reported_and_not_retried(caplog: pytest.LogCaptureFixture, admin_client: Client) -> None:
    join, _keycloak_id, _subject = waiting()
    refuse(join)
    join.refresh_from_db()
    assert (join.state, join.settled_at) == (JoinState.REFUSED, NOON)
    assert [record.reason for record in caplog.records if record.levelname == "ERROR"] == ["keycloak_add_denied"]  # type: ignore[attr-defined]
    assert carry(join, Keycloak()) is None
    assert "Refused: roles missing" in admin_client.get("/admin/b2b/keycloakjoin/").text


def test_a_refused_join_is_retried_the_next_day() -> None:
    join, keycloak_id, subject = waiting()
    refuse(join)
    assert ask_for_joins(now=NOON + ASK_REFUSED_AFTER) == 0
    later = NOON + ASK_REFUSED_AFTER + timedelta(minutes=1)
    assert ask_for_joins(now=later) == 1
    assert asked() == [join.pk, join.pk]
    keycloak = Keycloak()
    assert carry(join, keycloak) == JoinState.DONE
    assert keycloak.added == [(keycloak_id, subject)]
    assert ask_for_joins(now=later + 2 * ASK_REFUSED_AFTER) == 0


def test_an_operator_can_retry_a_refused_join(admin_client: Client) -> None:
    (first, *_), (second, *_), (third, *_) = waiting(), waiting(), waiting()
    refuse(first, second)

    def press(*joins: KeycloakJoin) -> str:
        form = {"action": "ask_again", "_selected_action": [join.pk for join in joins]}
        return admin_client.post("/admin/b2b/keycloakjoin/", form, follow=True).text

    assert "None of these was refused because of missing roles." in press(third)
    assert "Asking Keycloak again for 1 person." in press(first, third)
    states = dict(KeycloakJoin.objects.values_list("pk", "state"))
    assert states == {first.pk: JoinState.WAITING, second.pk: JoinState.REFUSED, third.pk: JoinState.WAITING}
    assert asked() == [first.pk, second.pk, third.pk, first.pk]


@pytest.mark.parametrize("right", ["view", "change"])
def test_looking_at_them_is_not_asking_again(client: Client, right: str) -> None:
    (first, *_), (second, *_) = waiting(), waiting()
    refuse(first, second)
    clerk = make_user()
    User.objects.filter(pk=clerk.pk).update(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename=f"{right}_keycloakjoin"))
    client.force_login(clerk, backend="mitxonline.users.backends.EmailBackend")
    page = "/admin/b2b/keycloakjoin/"
    assert ("Ask Keycloak again" in client.get(page).text) == (right == "change")
    client.post(page, {"action": "ask_again", "_selected_action": [first.pk]})
    expected = JoinState.WAITING if right == "change" else JoinState.REFUSED
    assert dict(KeycloakJoin.objects.values_list("pk", "state")) == {first.pk: expected, second.pk: JoinState.REFUSED}


def test_whom_keycloak_does_not_know_any_more_is_not_tried_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    join, _keycloak_id, _subject = waiting()
    with caplog.at_level(logging.WARNING):
        assert carry(join, Keycloak(KeycloakPersonUnknown())) == JoinState.IMPOSSIBLE
    records = [record for record in caplog.records if record.name == "b2b.services.organizations.keycloak_joins"]
    assert [record.join for record in records] == [join.pk]  # type: ignore[attr-defined]
    assert carry(join, Keycloak()) is None


def test_people_unknown_to_keycloak_are_added_at_their_first_sign_in() -> None:
    join, keycloak_id, _subject = waiting(linked=False)
    keycloak = Keycloak()
    assert carry(join, keycloak) == JoinState.UNLINKED
    assert keycloak.added == []
    assert ask_for_joins(now=NOON) == 0

    subject = sign_in_before(join.user)
    assert ask_again_for(user_id=join.user_id, now=NOON) == 1
    assert ask_again_for(user_id=join.user_id, now=NOON) == 0
    assert asked() == [join.pk, join.pk]
    assert carry(join, keycloak) == JoinState.DONE
    assert keycloak.added == [(keycloak_id, subject)]


def switch_off(join: KeycloakJoin) -> None:
    OrganizationPage.objects.update(add_code_learners_to_sso=False)


def give_seats_up(join: KeycloakJoin) -> None:
    ContractMembership.objects.all().delete()


def unlink(join: KeycloakJoin) -> None:
    KeycloakOrganization.objects.all().delete()


@pytest.mark.parametrize("change", [switch_off, give_seats_up, unlink])
def test_joins_no_longer_wanted_are_deleted(change: Callable[[KeycloakJoin], None]) -> None:
    join, _keycloak_id, _subject = waiting()
    change(join)
    keycloak = Keycloak()
    assert carry(join, keycloak) is None
    assert keycloak.added == []
    assert not KeycloakJoin.objects.exists()


def test_one_that_waited_for_days_is_asked_for_again() -> None:
    join, _keycloak_id, _subject = waiting()
    later = NOON + STUCK_AFTER + timedelta(minutes=1)
    assert ask_for_joins(now=later) == 1
    assert ask_for_joins(now=later) == 0
    assert asked() == [join.pk, join.pk]


# --- No one is thrown out meanwhile ---------------------------------------------------------------------------------


def test_members_by_code_stay_until_keycloak_names_them() -> None:
    organization, keycloak_id = switched_on()
    sam, by_sso = come_by_code(organization), make_contract(organization, integration_type="sso")
    mine = ContractPage.objects.get(memberships__user=sam)

    def sign_in(*claimed: Any) -> dict[int, str]:
        follow_claim(user_id=sam.pk, claim=parse_claim(list(claimed)), now=NOON)
        seats = ContractMembership.objects.filter(user=sam, state=MembershipState.ACTIVE)
        return dict(seats.values_list("contract_id", "source"))

    assert sign_in() == {mine.pk: MembershipSource.CODE}
    both = {mine.pk: MembershipSource.CODE, by_sso.pk: MembershipSource.SSO}
    assert sign_in({"acme": {"id": str(keycloak_id)}}) == both
    assert sign_in() == {mine.pk: MembershipSource.CODE}
    assert OrganizationMembership.objects.get(user=sam).source == MembershipSource.CODE
