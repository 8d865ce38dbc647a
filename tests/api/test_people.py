"""People: oneself, and whom staff find."""

from __future__ import annotations

import pytest

from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def admin() -> User:
    return make_user("root@staff.example", is_staff=True, is_superuser=True)


def test_staff_find_people_by_every_word() -> None:
    make_user("ada@one.example", name="Ada Lovelace")
    make_user("ada@two.example", name="Ada King")
    client = ApiClient(admin())
    found = client.get("/api/v0/user_search/?search=ada+king").json()
    assert [each["email"] for each in found["results"]] == ["ada@two.example"]
    assert (found["count"], found["next"], found["previous"]) == (1, None, None)


@pytest.mark.parametrize("size", [2, 9])
def test_finding_people_takes_the_same_queries_for_many(size: int) -> None:
    client = ApiClient(admin())
    for number in range(size):
        make_user(f"ada{number}@one.example", name="Ada")
    with queries(4):
        assert len(client.get("/api/v0/user_search/?search=ada").json()["results"]) == size


def test_a_part_of_the_list_leads_to_the_next() -> None:
    client = ApiClient(admin())
    for number in range(5):
        make_user(f"ada{number}@one.example", name="Ada")
    first = client.get("/api/v0/user_search/?search=ada&l=2").json()
    second = client.get(first["next"].removeprefix("http://testserver")).json()
    assert [each["email"][:4] for each in second["results"]] == ["ada2", "ada3"]
    assert client.get(second["previous"].removeprefix("http://testserver")).json()["results"] == first["results"]


@pytest.mark.parametrize("query", ["l=0", "l=x", "o=-1", "o=99999999999999999999", "search=%00", f"search={'x' * 201}"])
def test_a_wrong_parameter_is_refused_with_a_sentence(query: str) -> None:
    response = ApiClient(admin()).get(f"/api/v0/user_search/?{query}")
    assert response.status_code == 400
    assert response.json()["detail"]


def test_more_than_the_largest_size_gives_the_largest() -> None:
    assert ApiClient(admin()).get("/api/v0/user_search/?l=100000").status_code == 200


@pytest.mark.parametrize("pk", ["0", "99999999999999999999", "x", "-1"])
def test_a_person_who_isnt_there_is_not_found(pk: str) -> None:
    client = ApiClient(admin())
    assert client.get(f"/api/v0/users/{pk}/").status_code == 404
    assert client.get(f"/api/v0/user_search/{pk}/").status_code == 404
