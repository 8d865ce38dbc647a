"""Baskets by the API: the same as on the cart's page, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from ecommerce.enums import OrderState
from ecommerce.models import BasketItem, Order, Product
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import make_code, make_discount, make_product, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

BASKETS = "/api/v0/baskets/"


@pytest.fixture
def learner() -> User:
    return make_user("lena@people.example")


@pytest.fixture
def client(learner: User) -> ApiClient:
    return ApiClient(learner)


@pytest.fixture
def products() -> list[Product]:
    return [make_product(price="249.00"), make_product(price="99.00")]


def add(client: ApiClient, product: Product, code: str = "") -> Any:
    return client.send("post", f"{BASKETS}create_from_product/{product.pk}/{f'{code}/' if code else ''}")


def test_products_are_added_once_and_totals_are_numbers(client: ApiClient, products: list[Product]) -> None:
    for product in (*products, products[0]):
        basket = add(client, product).json()
    assert [each["product"]["id"] for each in basket["basket_items"]] == [product.pk for product in products]
    assert (basket["total_price"], basket["discounted_price"], basket["discounts"]) == (348.0, 348.0, [])
    assert client.get(BASKETS).json() == [basket]
    assert client.get(f"{BASKETS}{basket['id']}/").json() == basket


def test_the_better_of_two_codes_counts(client: ApiClient, products: list[Product]) -> None:
    make_code(make_discount(amount="10"), text="SPRING10")
    make_code(make_discount(amount="20"), text="AUTUMN20")
    add(client, products[0])
    first = client.send("post", f"{BASKETS}add_discount/?discount_code=spring10").json()
    assert (first["total_price"], first["discounted_price"]) == (249.0, 224.1)
    second = client.send("post", f"{BASKETS}add_discount/?discount_code=AUTUMN20").json()
    assert second["discounted_price"] == 199.2
    assert [each["redeemed_discount"]["discount_code"] for each in second["discounts"]] == ["AUTUMN20"]
    assert second["discounts"][0]["redeemed_discount"]["discount_type"] == "percent-off"


def test_a_code_that_doesnt_work_is_refused_or_left_out(client: ApiClient, products: list[Product]) -> None:
    assert add(client, products[0], "NO-SUCH-CODE").json()["discounts"] == []
    refused = client.send("post", f"{BASKETS}add_discount/?discount_code=NO-SUCH-CODE")
    assert (refused.status_code, refused.json()["code"]) == (409, "code_unknown")


def test_wrong_codes_are_counted_by_every_operation(client: ApiClient, products: list[Product], settings: Any) -> None:
    settings.RATE_LIMITS = {
        **settings.RATE_LIMITS,
        "codes": {"user": (2, 600), "session": (2, 600), "address": (99, 9)},
    }
    add(client, products[0], "WRONG-ONE")
    client.send("post", f"{BASKETS}add_discount/?discount_code=WRONG-TWO")
    refused = add(client, products[1], "WRONG-THREE")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_codes")
    assert BasketItem.objects.filter(product=products[1]).count() == 0


def test_an_unknown_product_changes_nothing(client: ApiClient, products: list[Product]) -> None:
    add(client, products[0])
    ids = [{"product_id": products[1].pk, "quantity": 1}, {"product_id": 987654321, "quantity": 2}]
    refused = client.send("post", f"{BASKETS}create_with_products/", {"product_ids": ids})
    assert (refused.status_code, refused.json()["code"]) == (404, "product_unknown")
    assert BasketItem.objects.count() == 1


def test_more_than_one_of_a_course_is_for_a_group(client: ApiClient, products: list[Product]) -> None:
    ids = [{"product_id": products[0].pk, "quantity": 3}, {"product_id": products[1].pk, "quantity": 1}]
    body = {"system_slug": "shop", "checkout": False, "product_ids": ids, "discount_code": "NOTHING-HERE"}
    basket = client.send("post", f"{BASKETS}create_with_products/", body).json()
    assert sorted(each["quantity"] for each in basket["basket_items"]) == [1, 3]
    assert basket["total_price"] == 846.0


def test_items_come_change_and_go(client: ApiClient, products: list[Product]) -> None:
    basket = add(client, products[0]).json()
    items = f"{BASKETS}{basket['id']}/items/"
    (item,) = client.get(items).json()
    assert item == {"basket": basket["id"], "product": products[0].pk, "id": basket["basket_items"][0]["id"]}
    changed = client.send("put", f"{items}{item['id']}/", {"product": products[1].pk}).json()
    assert changed["product"] == products[1].pk
    assert [each["id"] for each in client.get(items).json()] == [changed["id"]]
    assert client.send("post", items, {"product": products[0].pk}).status_code == 201
    assert client.send("delete", f"{items}{changed['id']}/").status_code == 204
    assert [each["product"] for each in client.get(items).json()] == [products[0].pk]


def test_a_basket_of_someone_else_is_like_an_unknown_one(client: ApiClient, products: list[Product]) -> None:
    mine = add(client, products[0]).json()
    stranger = ApiClient(make_user("sam@people.example"))
    add(stranger, products[0])
    for end in ("", "items/", f"items/{mine['basket_items'][0]['id']}/"):
        theirs, unknown = stranger.get(f"{BASKETS}{mine['id']}/{end}"), stranger.get(f"{BASKETS}987654321/{end}")
        assert (theirs.status_code, theirs.json()) == (404, unknown.json())
    own = stranger.get(BASKETS).json()[0]["id"]
    assert stranger.send("delete", f"{BASKETS}{own}/items/{mine['basket_items'][0]['id']}/").status_code == 404
    assert BasketItem.objects.count() == 2


def test_a_visitor_has_a_basket_too(products: list[Product]) -> None:
    visitor = ApiClient()
    basket = add(visitor, products[0]).json()
    assert basket["user"] is None
    assert basket["anonymous_id"]
    assert visitor.send("delete", f"{BASKETS}clear/").status_code == 204
    assert BasketItem.objects.count() == 0


def test_checkout_leads_to_payment_once(client: ApiClient, products: list[Product]) -> None:
    add(client, products[0])
    answers = [client.get(f"{BASKETS}checkout/").json() for _again in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["no_checkout"], answers[0]["method"], answers[0]["error"]) == (False, "GET", None)
    assert answers[0]["url"].startswith("http")
    assert Order.objects.get().state == OrderState.PENDING


def test_a_free_order_is_complete_at_once_and_empties_the_basket(client: ApiClient, products: list[Product]) -> None:
    make_code(make_discount(amount="100"), text="GIFT-1234")
    add(client, products[0], "GIFT-1234")
    answer = client.get(f"{BASKETS}checkout/").json()
    order = Order.objects.get()
    assert (answer["no_checkout"], answer["order_id"], order.state) == (True, order.pk, OrderState.FULFILLED)
    again = client.get(f"{BASKETS}checkout/")
    assert (again.status_code, again.json()["error"]) == (400, "basket-empty")


def test_a_course_that_the_buyer_has_is_named_as_the_reason(client: ApiClient, products: list[Product]) -> None:
    make_code(make_discount(amount="100"), text="GIFT-1234")
    add(client, products[0], "GIFT-1234")
    client.get(f"{BASKETS}checkout/")
    basket = add(client, products[0]).json()
    assert basket["basket_items"][0]["unavailable"].startswith("You already have")
    assert basket["total_price"] == 0
    refused = client.get(f"{BASKETS}checkout/")
    assert (refused.status_code, refused.json()["error"]) == (400, "enroll-duplicated")


def test_a_link_on_another_site_places_no_order(client: ApiClient, products: list[Product]) -> None:
    add(client, products[0])
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
    assert client.get(f"{BASKETS}checkout/", headers=headers).status_code == 403
    assert Order.objects.count() == 0


@pytest.mark.parametrize("number", [1, 4])
def test_a_basket_takes_the_same_queries_whatever_its_size(client: ApiClient, number: int) -> None:
    make_code(make_discount(amount="10"), text="SPRING10")
    made = [make_product() for _each in range(number)]
    for product in made:
        add(client, product, "SPRING10")
    client.get(BASKETS)
    with queries(11):
        client.get(BASKETS)
    with queries(15):
        add(client, made[0])
    with queries(25):
        client.get(f"{BASKETS}checkout/")
