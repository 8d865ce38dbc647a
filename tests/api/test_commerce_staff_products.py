"""Products and prices as staff manage them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from ecommerce.models import PriceChange, Product
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import make_contract, make_contract_run, make_product, make_run, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v0/products/all/"


@pytest.fixture
def finance() -> User:
    ensure_group(RIGHTS[FINANCE], pages=())
    user = make_user("fay@staff.example", is_staff=True)
    user.groups.add(Group.objects.get(name=FINANCE))
    return user


@pytest.fixture
def client(finance: User) -> ApiClient:
    return ApiClient(finance)


def test_all_but_contracts_products_are_listed_and_found_by_words(client: ApiClient) -> None:
    first, second = make_product(is_active=False), make_product(description="The spring start")
    hidden = make_contract_run(make_contract()).product
    assert hidden is not None
    assert [each["id"] for each in client.get(PRODUCTS).json()["results"]] == [first.pk, second.pk]
    found = client.get(f"{PRODUCTS}?search=spring+START").json()["results"]
    assert [each["id"] for each in found] == [second.pk]
    assert second.course_run is not None
    found = client.get(f"{PRODUCTS}?search={second.course_run.courseware_id[-12:]}".replace("+", "%2B")).json()
    assert second.pk in [each["id"] for each in found["results"]]
    assert client.get(f"{PRODUCTS}{first.pk}/").json()["is_active"] is False
    assert client.get(f"{PRODUCTS}{hidden.pk}/").status_code == 404


def test_a_run_is_put_on_sale_once(client: ApiClient, finance: User) -> None:
    run = make_run()
    body = {"readable_id": run.courseware_id, "price": "249.00", "description": "The spring start"}
    response = client.send("post", PRODUCTS, body)
    assert (response.status_code, response.json()["price"]) == (201, "249.00")
    product = Product.objects.get()
    assert (product.course_run_id, product.currency, product.is_active) == (run.pk, "USD", True)
    assert PriceChange.objects.get().changed_by == finance
    again = client.send("post", PRODUCTS, {**body, "price": "1.00"})
    assert (again.status_code, next(iter(again.json()))) == (400, "readable_id")
    product.refresh_from_db()
    assert product.price == 249


def test_a_change_leaves_what_it_doesnt_name(client: ApiClient, finance: User) -> None:
    product, other = make_product(price="249.00", description="Spring"), make_product(price="249.00")
    changed = client.send("patch", f"{PRODUCTS}{product.pk}/", {"price": "199.50"}).json()
    assert (changed["price"], changed["description"], changed["is_active"]) == ("199.50", "Spring", True)
    change = PriceChange.objects.get()
    assert (change.old_price, change.new_price, change.changed_by) == (249, change.new_price, finance)
    changed = client.send("put", f"{PRODUCTS}{product.pk}/", {"price": 150, "description": "Summer"}).json()
    assert (changed["price"], changed["description"], changed["is_active"]) == ("150.00", "Summer", True)
    assert client.delete(f"{PRODUCTS}{product.pk}/").status_code == 204
    product.refresh_from_db()
    other.refresh_from_db()
    assert (product.is_active, other.is_active, other.price) == (False, True, 249)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": "-1"}, "price"),
        ({"price": "1e999999"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "1.005"}, "price"),
        ({"price": "100000000"}, "price"),
        ({"price": "x"}, "price"),
        ({"description": ""}, "description"),
        ({"description": "x" * 256}, "description"),
        ({"is_active": "perhaps"}, "is_active"),
    ],
)
def test_a_wrong_change_is_refused_at_its_field(client: ApiClient, body: dict[str, Any], field: str) -> None:
    product = make_product(price="249.00", description="Spring")
    response = client.send("patch", f"{PRODUCTS}{product.pk}/", body)
    assert (response.status_code, next(iter(response.json()))) == (400, field)
    product.refresh_from_db()
    assert (product.price, product.description, product.is_active) == (249, "Spring", True)
    assert not PriceChange.objects.exists()


def test_contracts_products_are_not_changed(client: ApiClient) -> None:
    contract_run = make_contract_run(make_contract())
    product = contract_run.product
    assert product is not None
    assert client.send("patch", f"{PRODUCTS}{product.pk}/", {"price": "1.00"}).status_code == 404
    assert client.delete(f"{PRODUCTS}{product.pk}/").status_code == 404
    run = contract_run.course_run
    body = {"readable_id": run.courseware_id, "price": "1.00", "description": "Mine"}
    assert client.send("post", PRODUCTS, body).status_code == 400
    product.refresh_from_db()
    assert product.is_active


@pytest.mark.parametrize("number", [1, 5])
def test_a_list_takes_the_same_queries_whatever_its_size(client: ApiClient, number: int) -> None:
    for _each in range(number):
        make_product()
    with queries(7):
        client.get(PRODUCTS)
