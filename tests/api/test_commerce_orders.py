"""A buyer's own orders: the history, the receipt, the state, and a refund request."""

from __future__ import annotations

from typing import Any

import pytest

from ecommerce.enums import OrderState, RefundWhy
from ecommerce.models import Order, OrderLine, RefundRequest, ShopSettings
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import make_code, make_discount, make_product, make_program_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.factories.sites import default_site, make_second_site
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

ORDERS = "/api/v0/orders/"
REFUND = f"{ORDERS}refund-requests/"


@pytest.fixture
def buyer() -> User:
    return make_user("lena@people.example", name="Lena Learner")


@pytest.fixture
def client(buyer: User) -> ApiClient:
    return ApiClient(buyer)


@pytest.fixture
def order(buyer: User) -> Order:
    """An order of today, beside one of somebody else."""
    order = make_paid_order(make_product(price="249.00"), make_product(price="99.00"), buyer=buyer)
    make_paid_order(make_product(), buyer=make_user())
    Order.objects.update(placed_at=clock.now(), fulfilled_at=clock.now())
    return order


def test_the_history_has_what_was_fulfilled_newest_first(client: ApiClient, buyer: User, order: Order) -> None:
    later = make_paid_order(make_product(), buyer=buyer, state=OrderState.REVIEW)
    Order.objects.filter(pk=later.pk).update(state=OrderState.REFUNDED, review_cause="", placed_at=clock.now())
    make_paid_order(make_product(), buyer=buyer, state=OrderState.PENDING)
    listed = client.get(f"{ORDERS}history/").json()
    assert [each["id"] for each in listed["results"]] == [later.pk, order.pk]
    assert [each["refund_eligible"] for each in listed["results"]] == [False, True]
    drawn = listed["results"][1]
    assert (drawn["reference_number"], drawn["total_price_paid"]) == (order.number, "348.00")
    assert drawn["titles"] == [line["item_description"] for line in drawn["lines"]]
    assert [line["total_price"] for line in drawn["lines"]] == ["249.00", "99.00"]
    assert drawn["purchaser"]["name"] == "Lena Learner"
    assert client.get(f"{ORDERS}history/{order.pk}/").json() == drawn


def test_a_receipt_says_what_came_off_and_how_it_was_paid(client: ApiClient, buyer: User) -> None:
    code = make_code(make_discount(amount="10"), text="SPRING10")
    order = make_paid_order(make_product(price="249.00"), buyer=buyer, code=code, discount="24.90", seats=2)
    order.attempts.update(paid_with="Visa ending 4242")
    drawn = client.get(f"{ORDERS}receipt/{order.pk}/").json()
    (line,) = drawn["lines"]
    assert (line["quantity"], line["price"], line["discount"], line["total_paid"]) == (2, "249.00", "24.90", "473.10")
    assert drawn["discounts"][0]["redeemed_discount"]["discount_code"] == "SPRING10"
    assert drawn["transactions"]["payment_method"] == "Visa ending 4242"
    assert (drawn["purchaser"]["first_name"], drawn["purchaser"]["email"]) == ("Lena Learner", "lena@people.example")
    assert drawn["state"] == "fulfilled"


def test_a_program_and_an_automatic_discount_are_on_a_receipt(client: ApiClient, buyer: User) -> None:
    order = make_paid_order(make_program_product(make_run().course, make_run().course), buyer=buyer, discount="69")
    automatic = make_discount(name="Summer", automatic=True)
    OrderLine.objects.filter(order=order).update(discount=automatic)
    drawn = client.get(f"{ORDERS}receipt/{order.pk}/").json()
    assert (drawn["lines"][0]["content_type"], drawn["lines"][0]["start_date"]) == ("program", None)
    redeemed = drawn["discounts"][0]["redeemed_discount"]
    assert (redeemed["id"], redeemed["discount_code"], redeemed["automatic"]) == (-automatic.pk, "Summer", True)


def test_a_state_is_found_by_id_and_by_number(client: ApiClient, order: Order) -> None:
    by_id = client.get(f"{ORDERS}status/{order.pk}/").json()
    assert by_id == {
        "id": order.pk,
        "reference_number": order.number,
        "total_price_paid": "348.00",
        "state": "fulfilled",
    }
    assert client.get(f"{ORDERS}status/{order.number.lower()}/").json() == by_id


@pytest.mark.parametrize("name", ["0", "9" * 19, "9" * 5000, "٣", "%00", "TS-2026-NOTTHERE"])
def test_an_order_that_isnt_there_is_not_found(client: ApiClient, order: Order, name: str) -> None:
    assert client.get(f"{ORDERS}status/{name}/").status_code == 404


def test_orders_of_others_are_not_found(order: Order) -> None:
    other = ApiClient(make_user())
    for path in (f"history/{order.pk}", f"receipt/{order.pk}", f"status/{order.pk}", f"status/{order.number}"):
        assert other.get(f"{ORDERS}{path}/").status_code == 404
    assert other.get(f"{ORDERS}history/").json()["count"] == 0
    assert other.send("post", REFUND, {"order": order.pk, "consent_given": True}).status_code == 404
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize(
    ("reason", "text", "why", "kept"),
    [
        ("course_not_as_expected", "", RefundWhy.NOT_AS_DESCRIBED, ""),
        ("technical_difficulties", "Videos stop.", RefundWhy.OTHER, "I had technical difficulties. Videos stop."),
        ("enrolled_in_another_course", "", RefundWhy.OTHER, "I enrolled in another course."),
        ("other", "Ill.", RefundWhy.OTHER, "Ill."),
        ("", "", RefundWhy.OTHER, "The buyer gave no reason."),
    ],
)
def test_a_refund_request_keeps_the_reason(
    client: ApiClient, order: Order, reason: str, text: str, why: str, kept: str
) -> None:
    body = {"order": order.pk, "refund_reason": reason, "refund_reason_text": text, "consent_given": True}
    response = client.send("post", REFUND, body)
    assert (response.status_code, response.json()) == (201, body)
    request = RefundRequest.objects.get()
    assert (request.order_id, request.why, request.text) == (order.pk, why, kept)
    again = client.send("post", REFUND, body)
    assert (again.status_code, again.json()["code"]) == (409, "refund_asked_already")
    assert RefundRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"consent_given": False}, "consent_given"),
        ({"consent_given": None}, "consent_given"),
        ({"refund_reason": "bored"}, "refund_reason"),
        ({"refund_reason": "other", "refund_reason_text": "  "}, "refund_reason_text"),
        ({"refund_reason_text": "x" * 2001}, "refund_reason_text"),
        ({"order": "x"}, "order"),
    ],
)
def test_a_wrong_refund_request_is_refused_at_its_field(
    client: ApiClient, order: Order, changes: dict[str, Any], field: str
) -> None:
    response = client.send("post", REFUND, {"order": order.pk, "consent_given": True, **changes})
    assert response.status_code == 400
    assert any(name.startswith(field) for name in response.json())
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize("number", [1, 4])
def test_the_history_takes_the_same_queries_for_many(client: ApiClient, buyer: User, number: int) -> None:
    for _each in range(number):
        make_paid_order(make_product(), make_program_product(make_run().course), buyer=buyer)
    with queries(12):
        assert client.get(f"{ORDERS}history/").json()["count"] == number


def test_a_refund_can_be_asked_for_as_long_as_the_orders_own_site_says(client: ApiClient, order: Order) -> None:
    make_course_page()
    other = make_second_site(refund_window_days=0)
    assert client.get(f"{ORDERS}receipt/{order.pk}/").json()["refund_eligible"] is True
    ShopSettings.objects.update_or_create(site=default_site(), defaults={"refund_window_days": 0})
    ShopSettings.objects.filter(site=other).update(refund_window_days=30)
    assert client.get(f"{ORDERS}receipt/{order.pk}/").json()["refund_eligible"] is False
