"""Disconnecting ends what came with a connection, and reconnecting restores it: one person at Keycloak has one seat."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from social_django.models import UserSocialAuth

from b2b import receivers
from b2b.enums import MembershipSource, SignInChange
from b2b.models import (
    ContractMembership,
    ContractPage,
    ContractTerms,
    OrganizationMembership,
    OrganizationPage,
    SignInFact,
)
from b2b.services.organizations import sign_in as organization_sign_in
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.managers import set_manager
from mitxonline.kernel import clock
from mitxonline.users.models import GivenRight, User
from mitxonline.users.sso import accounts, connections, pipeline, rights
from tests.factories import make_contract, make_organization
from tests.support.oidc import FakeProvider
from tests.users.conftest import PASSWORD
from tests.users.sso.conftest import is_signed_in, sign_in

pytestmark = pytest.mark.django_db

EMAIL = "amara@northgate.example"
ADMIN = "/admin/social_django/usersocialauth/"
BACKEND = "mitxonline.users.backends.EmailBackend"


@pytest.fixture
def campus(provider: FakeProvider, settings: Any) -> dict[str, ContractPage]:
    """Two organizations with a single sign-on contract each, the first with two; Keycloak names both."""
    quarry, orchard = (make_organization(name, org_key=name) for name in ("Quarry", "Orchard"))
    contracts = {
        name: make_contract(organization, name=name, integration_type="sso", seats=1)
        for name, organization in (("Free", quarry), ("Lab", quarry), ("Fruit", orchard))
    }
    provider.claims["organization"] = {"Quarry": {}, "Orchard": {}}
    return contracts


def account(email: str = EMAIL) -> User:
    return User.objects.create_user(email, PASSWORD, email_verified_at=clock.now())


def connected(client: Client, provider: FakeProvider, email: str = EMAIL) -> User:
    """Return a user with a password who signed in through the provider."""
    user = account(email)
    client.force_login(user, backend=BACKEND)
    sign_in(client, provider, connect="1")
    return user


def seats_of(user: User) -> set[tuple[str, str]]:
    return set(ContractMembership.objects.filter(user=user).values_list("contract__name", "source"))


def organizations_of(user: User) -> set[tuple[str, str, bool]]:
    rows = OrganizationMembership.objects.filter(user=user)
    return set(rows.values_list("organization__name", "source", "seen_in_claim"))


def disconnect(client: Client) -> None:
    connection = UserSocialAuth.objects.get(user_id=client.session["_auth_user_id"])
    assert client.post(f"/account/connections/{connection.pk}/disconnect/").status_code == HTTPStatus.FOUND


def operator_deletes(admin: Client, ways: Iterable[UserSocialAuth], *, bulk: bool) -> None:
    pks = [each.pk for each in ways]
    if bulk:
        admin.post(ADMIN, {"action": "delete_selected", "_selected_action": pks, "post": "yes"})
    else:
        for pk in pks:
            admin.post(f"{ADMIN}{pk}/delete/", {"post": "yes"})


EVERYTHING = {("Free", "sso"), ("Lab", "sso"), ("Fruit", "sso")}


def test_disconnecting_shows_its_plan_and_reconnecting_restores_the_seats(
    client: Client, provider: FakeProvider, campus: Any
) -> None:
    user = connected(client, provider)
    assert seats_of(user) == EVERYTHING
    page = f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/"
    assert f'href="{page}"' in client.get("/account/").content.decode()
    said = " ".join(client.get(page).content.decode().split())
    assert "You’ll leave Orchard and give up your seat in “Fruit”." in said
    assert "You’ll leave Quarry and give up your seat in “Free” and “Lab”." in said
    assert "You keep the courses you’re enrolled in." in said
    assert UserSocialAuth.objects.exists(), "looking undoes nothing"

    disconnect(client)
    assert (seats_of(user), organizations_of(user)) == (set(), set())
    left = SignInFact.objects.filter(change__in=[SignInChange.LEFT_CONTRACT, SignInChange.LEFT_ORGANIZATION])
    assert left.count() == 5
    assert is_signed_in(client)

    sign_in(client, provider, connect="1")
    assert seats_of(user) == EVERYTHING
    assert organizations_of(user) == {("Quarry", "sso", True), ("Orchard", "sso", True)}


def test_seats_from_another_source_stay(client: Client, provider: FakeProvider, campus: Any) -> None:
    user = connected(client, provider)
    ContractMembership.objects.filter(contract=campus["Lab"]).update(source=MembershipSource.CODE)
    quarry, orchard = OrganizationPage.objects.order_by("pk")
    OrganizationMembership.objects.filter(organization=quarry).update(source=MembershipSource.CODE)
    set_manager(organization_id=orchard.pk, user_id=user.pk, is_manager=True, by_id=None, now=clock.now())
    page = f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/"
    said = client.get(page).content.decode()
    assert "You’ll give up your seat in “Free” of Quarry." in said
    assert "You’ll give up your seat in “Fruit” of Orchard." in said
    assert "leave" not in said.partition("<main")[2].lower()
    disconnect(client)
    assert seats_of(user) == {("Lab", "code")}
    assert organizations_of(user) == {("Quarry", "code", False), ("Orchard", "staff", False)}
    assert OrganizationMembership.objects.get(organization=orchard).is_manager, "staff appointed them"


def test_without_consequences_the_page_lists_none(client: Client, provider: FakeProvider) -> None:
    connected(client, provider)
    page = f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/"
    assert "You keep the courses" not in client.get(page).content.decode()


def test_the_plan_names_rights_that_end(client: Client, provider: FakeProvider) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    connected(client, provider)
    page = f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/"
    assert "You’ll lose the rights that your roles there gave you." in client.get(page).content.decode()


def test_the_last_way_in_and_others_ways_have_no_such_page(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    page = f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/"
    assert "This is your only way to sign in." in client.get(page, follow=True).content.decode()
    other = Client()
    other.force_login(account("other@mail.example"), backend=BACKEND)
    assert other.get(page)["Location"] == "/account/"


@pytest.mark.parametrize("way", ["page", "single", "bulk"])
def test_one_person_there_has_one_seat_here(
    provider: FakeProvider, campus: Any, admin_client: Client, way: str
) -> None:
    """The same identity with one account after the other: each contract has one seat, and it is theirs."""
    for number in range(3):
        client = Client()
        user = connected(client, provider, f"account{number}@mail.example")
        assert seats_of(user) == EVERYTHING
        assert ContractMembership.objects.count() == 3
        if way == "page":
            disconnect(client)
        else:
            operator_deletes(admin_client, UserSocialAuth.objects.all(), bulk=way == "bulk")
    assert not ContractMembership.objects.exists()
    assert not OrganizationMembership.objects.exists()


def test_many_are_deleted_at_once(provider: FakeProvider, campus: Any, admin_client: Client) -> None:
    ContractPage.objects.update(max_learners=None)
    people = []
    for name in ("one", "two"):
        provider.claims |= {"sub": name, "email": f"{name}@mail.example"}
        people.append(connected(Client(), provider, f"{name}@mail.example"))
    kept = UserSocialAuth.objects.create(user=people[1], provider="edx-oauth2", uid="https://lms.example#7")
    operator_deletes(admin_client, UserSocialAuth.objects.filter(provider="keycloak"), bulk=True)
    assert list(UserSocialAuth.objects.all()) == [kept]
    assert not ContractMembership.objects.exists()


@pytest.mark.parametrize("bulk", [True, False])
def test_operators_see_the_plan_before_disconnecting(
    provider: FakeProvider, campus: Any, admin_client: Client, bulk: bool
) -> None:
    ContractTerms.objects.update(max_learners=None)
    for name in ("one", "two"):
        provider.claims |= {"sub": name, "email": f"{name}@mail.example"}
        connected(Client(), provider, f"{name}@mail.example")
        provider.claims["organization"] = {"Orchard": {}}
    first, second = UserSocialAuth.objects.order_by("pk")
    pages = (
        [admin_client.post(ADMIN, {"action": "delete_selected", "_selected_action": [first.pk, second.pk]})]
        if bulk
        else [admin_client.get(f"{ADMIN}{each.pk}/delete/") for each in (first, second)]
    )
    said = " ".join(" ".join(page.text for page in pages).split())
    assert said.count("You’ll leave Orchard and give up your seat in “Fruit”.") == 2
    assert said.count("You’ll leave Quarry and give up your seat in “Free” and “Lab”.") == 1
    assert "What one@mail.example loses, in the words they would read:" in said
    assert UserSocialAuth.objects.count() == 2, "looking deletes nothing"


@pytest.mark.parametrize("by", ["owner", "operator"])
def test_sessions_it_opened_end_with_it(
    client: Client, provider: FakeProvider, campus: Any, admin_client: Client, by: str
) -> None:
    """Two sessions by the connection, one by password, one of someone else: whoever was let in wrongly is out."""
    user, other = connected(client, provider), Client()
    sign_in(other, provider)
    by_password, stranger = Client(), Client()
    by_password.force_login(user, backend=BACKEND)
    provider.claims |= {"sub": "somebody-else", "email": "lea@mail.example"}
    sign_in(stranger, provider)
    connection = UserSocialAuth.objects.get(user=user)
    if by == "owner":
        disconnect(by_password)
    else:
        operator_deletes(admin_client, [connection], bulk=False)
    assert [is_signed_in(each) for each in (client, other, by_password, stranger)] == [False, False, True, True]


def test_an_account_switched_off_keeps_its_seat_and_its_person_takes_no_second_one(
    client: Client, provider: FakeProvider, campus: Any, admin_client: Client
) -> None:
    user = connected(client, provider)
    User.objects.filter(pk=user.pk).update(is_active=False)
    account("other@mail.example")
    provider.claims["email"] = "other@mail.example"
    assert sign_in(Client(), provider).status_code == HTTPStatus.FORBIDDEN
    assert ContractMembership.objects.exclude(user=user).count() == 0
    operator_deletes(admin_client, UserSocialAuth.objects.all(), bulk=False)
    sign_in(Client(), provider)
    assert ContractMembership.objects.filter(user__email="other@mail.example").count() == 3
    assert ContractMembership.objects.count() == 3


def test_an_account_with_a_seat_is_not_deleted(
    client: Client, provider: FakeProvider, campus: Any, admin_client: Client
) -> None:
    """Nor does the seat stay when the account may go: the connection has to be undone first."""
    user = connected(client, provider)
    admin_client.post(f"/admin/users/user/{user.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()
    assert len(seats_of(user)) == 3


def test_the_other_providers_connection_takes_no_seats_along(
    client: Client, provider: FakeProvider, campus: Any
) -> None:
    user = connected(client, provider)
    for issuer, name in (("https://lms.example", "edx-oauth2"), ("https://old.example/realms/x", "keycloak")):
        other = UserSocialAuth.objects.create(user=user, provider=name, uid=f"{issuer}#7")
        connections.undo_connection(other, now=clock.now())
    assert seats_of(user) == EVERYTHING


def test_an_account_taken_over_by_its_owner_keeps_no_seat_of_its_makers_identity(
    client: Client, provider: FakeProvider, campus: Any
) -> None:
    """Someone registered with another's address, and came by their own identity of a realm of former days."""
    maker = User.objects.create_user(EMAIL, PASSWORD)
    UserSocialAuth.objects.create(user=maker, provider="keycloak", uid="https://old.example/realms/x#maker")
    organization_sign_in.follow_claim(user_id=maker.pk, claim=parse_claim(["Quarry"]), now=clock.now())
    provider.claims["organization"] = {"Orchard": {}}
    sign_in(client, provider)
    assert seats_of(maker) == {("Fruit", "sso")}


@pytest.mark.parametrize("guarded", [True, False])
def test_a_sign_in_during_the_undo_leaves_no_seat(
    client: Client,
    provider: FakeProvider,
    campus: Any,
    monkeypatch: pytest.MonkeyPatch,
    guarded: bool,
) -> None:
    """The connection is undone when the sign-in knows who it is, and before it takes a seat; then the control."""
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    user = connected(client, provider)
    real_know = accounts.find_or_create_account

    def know_then_undo(*args: Any, **kwargs: Any) -> Any:
        known = real_know(*args, **kwargs)
        connections.undo_connection(known.connection, now=clock.now())
        return known

    monkeypatch.setattr(accounts, "find_or_create_account", know_then_undo)
    if not guarded:
        for owner, name, real in (
            (receivers, "follow_claim", organization_sign_in.follow_claim),
            (pipeline, "follow_roles", rights.follow_roles),
        ):
            monkeypatch.setattr(owner, name, _without_its_guard(real))
    sign_in(Client(), provider)
    assert not UserSocialAuth.objects.exists()
    assert bool(seats_of(user)) == (not guarded)
    assert GivenRight.objects.exists() == (not guarded)


def _without_its_guard(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **kwargs: real(**{**kwargs, "connection_id": None})
