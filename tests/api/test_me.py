"""The caller's own account."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from b2b.models import ContractMembership, OrganizationMembership
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import NOON, make_contract, make_organization, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

ME = "/api/v0/users/me"


def test_everyone_has_their_own_account() -> None:
    ada, bob = make_user("ada@one.example", name="Ada"), make_user("bob@one.example")
    found = ApiClient(ada).get(ME).json()
    assert (found["id"], found["name"], found["email"], found["grants"]) == (ada.pk, "Ada", "ada@one.example", [])
    assert (found["is_authenticated"], found["legal_address"], found["global_id"]) == (True, None, None)
    for path in ("/api/v0/users/current_user/", "/api/v0/userinfo/"):
        assert ApiClient(ada).get(path).json() == found
    assert ApiClient(bob).get(ME).json()["id"] == bob.pk


def member_of(*, joined: int, others: int) -> User:
    """Make someone with a seat in `joined` contracts of an organization that has `others` besides."""
    user, organization = make_user(), make_organization("Northgate Health")
    OrganizationMembership.objects.create(organization=organization, user=user, source="staff", since=NOON)
    for number in range(joined + others):
        contract = make_contract(organization, name=f"Contract {number}", seats=3)
        if number < joined:
            ContractMembership.objects.create(contract=contract, user=user, source="staff", since=NOON)
    make_contract(make_organization("Southgate"), seats=2)
    return user


def test_only_contracts_one_has_a_seat_in_are_shown() -> None:
    organizations = ApiClient(member_of(joined=2, others=1)).get(ME).json()["b2b_organizations"]
    assert [each["name"] for each in organizations] == ["Northgate Health"]
    assert [each["name"] for each in organizations[0]["contracts"]] == ["Contract 0", "Contract 1"]


@pytest.mark.parametrize("joined", [1, 4])
def test_an_account_takes_the_same_queries_for_many_contracts(joined: int) -> None:
    client = ApiClient(member_of(joined=joined, others=0))
    with queries(7):
        assert len(client.get(ME).json()["b2b_organizations"][0]["contracts"]) == joined


def test_a_name_is_changed_and_cleaned() -> None:
    ada = make_user(name="Ada")
    for path in (ME, "/api/v0/users/current_user/"):
        response = ApiClient(ada).send("patch", path, {"name": "  Ada   Lovelace ", "legal_address": {"country": "GB"}})
        assert (response.status_code, response.json()["name"]) == (200, "Ada Lovelace")
    ada.refresh_from_db()
    assert ada.name == "Ada Lovelace"


def test_what_isnt_sent_stays() -> None:
    ada = make_user(name="Ada")
    assert ApiClient(ada).send("patch", ME, {}).json()["name"] == "Ada"
    assert ApiClient(ada).send("patch", ME, {"email": ada.email, "is_active": True}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"name": "Win at evil.example/now"}, "name"),
        ({"name": "a\0b"}, ""),
        ({"email": "other@one.example"}, "email"),
        ({"password": "correct horse battery"}, "password"),
        ({"is_active": False}, "is_active"),
        ({"user_profile": {"gender": "q"}}, "user_profile.gender"),
        ([], ""),
    ],
)
def test_a_wrong_change_is_refused_with_a_sentence_and_changes_nothing(body: Any, field: str) -> None:
    ada = make_user("ada@one.example", name="Ada")
    response = ApiClient(ada).send("patch", ME, body)
    assert response.status_code == 400
    assert response.json()["detail"]
    assert not field or response.json()[field]
    ada.refresh_from_db()
    assert (ada.name, ada.email, ada.is_active) == ("Ada", "ada@one.example", True)


def test_a_browser_gets_its_token_and_has_to_send_it() -> None:
    ada = make_user(name="Ada")
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get(ME)
    token = client.cookies["csrftoken"].value
    refused = client.patch(ME, {"name": "Eve"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    sent = client.patch(ME, {"name": "Ada L."}, content_type="application/json", headers={"X-CSRFToken": token})
    assert (sent.status_code, sent.json()["name"]) == (200, "Ada L.")
