"""Receipts and the list of orders: the buyer's own, in every state, and nobody else's."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from ecommerce.enums import AttemptState, OrderState
from ecommerce.events import OrderFulfilled
from ecommerce.handlers import email_receipt
from ecommerce.models import Order, OrderLine, PaymentAttempt, Product
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_user
from tests.frontend.conftest import SignIn
from tests.frontend.counting import queries
from tests.frontend.reading import read

pytestmark = pytest.mark.django_db


def make_order(
    buyer: User, *products: Product, state: str = OrderState.FULFILLED, number: str = "TS-2026-7K3M9X2Q"
) -> Order:
    total = sum(product.price for product in products)
    order = Order.objects.create(
        number=number,
        purchaser=buyer,
        state=state,
        currency="USD",
        list_total=total,
        discount_total=0,
        total=total,
        fingerprint="",
        placed_at=NOON,
        fulfilled_at=NOON if state == OrderState.FULFILLED else None,
        hold_until=NOON if state == OrderState.PENDING else None,
    )
    for product in products:
        OrderLine.objects.create(
            order=order,
            product=product,
            title=product.title,
            item_id=product.item_id,
            sku=product.sku,
            mode=product.mode,
            list_price=product.price,
            discount_amount=0,
            due=product.price,
            currency="USD",
            requires_code=False,
        )
    return order


def receipt(client: Client, order: Order) -> str:
    return f"/checkout/receipt/?order_number={order.number}"


def test_a_receipt_says_what_was_bought(learners_client: Client, learner: User) -> None:
    order = make_order(learner, make_product(), make_product(price="149.00"))
    page = read(learners_client.get(receipt(learners_client, order)))
    assert page.h1 == "You’re in, Amara"
    assert "Your courses are on your dashboard." in page.text
    assert "Paid on 2 March 2026, 12:00" in page.text
    assert "Billed to Amara Okafor" in page.text
    assert "Total paid $398.00" in page.text
    assert page.links()["Go to my dashboard"] == "/dashboard/"
    assert "Print" in page.buttons()


@pytest.mark.parametrize(
    ("state", "heading", "badge", "way"),
    [
        (OrderState.PENDING, "This order isn’t paid yet", "Waiting for payment", "Go to my cart"),
        (OrderState.REVIEW, "We’re checking your order", "Being checked", "Go to my dashboard"),
        (OrderState.DECLINED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.ERRORED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.CANCELED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.REFUNDED, "This order was refunded", "Refunded", "Go to my dashboard"),
        (OrderState.PARTIALLY_REFUNDED, "You’re in, Amara", "Partly refunded", "Go to my dashboard"),
    ],
)
def test_every_state_has_its_words(
    learners_client: Client, learner: User, state: str, heading: str, badge: str, way: str
) -> None:
    order = make_order(learner, make_product(), state=state)
    page = read(learners_client.get(receipt(learners_client, order)))
    assert page.h1 == heading
    assert f"Status {badge}" in page.text
    assert way in page.links()


def test_a_payment_on_its_way_needs_no_waiting(learners_client: Client, learner: User) -> None:
    order = make_order(learner, make_product(), state=OrderState.PENDING)
    PaymentAttempt.objects.create(
        order=order,
        gateway="sandbox",
        idempotency_key="1",
        amount=249,
        currency="USD",
        state=AttemptState.PROCESSING,
        started_at=NOON,
    )
    assert read(learners_client.get(receipt(learners_client, order))).h1 == "Your payment is on its way"


@pytest.mark.parametrize("query", ["", "?order_number=", "?order_number=TS-1", "?order_number=%00", "?x=" + "y" * 999])
def test_a_number_that_is_not_mine_gets_the_same_answer(learners_client: Client, query: str) -> None:
    others = make_order(make_user(), make_product())
    answers = {
        read(learners_client.get(address)).text
        for address in (f"/checkout/receipt/{query}", receipt(learners_client, others))
    }
    assert len(answers) == 1
    response = learners_client.get(f"/checkout/receipt/{query}")
    assert response.status_code == 404
    assert "We can't find this order among yours." in read(response).text
    assert read(response).links()


def test_signed_out_one_signs_in_and_comes_back(client: Client, learner: User) -> None:
    order = make_order(learner, make_product())
    response = client.get(receipt(client, order))
    assert response["Location"] == f"/login/?next=/checkout/receipt/%3Forder_number%3D{order.number}"
    assert client.get("/orders/history/")["Location"] == "/login/?next=/orders/history/"


def test_staff_see_no_more_than_others(sign_in: SignIn, learner: User) -> None:
    order = make_order(learner, make_product())
    staff = sign_in(make_user(is_staff=True, is_superuser=True))
    assert staff.get(receipt(staff, order)).status_code == 404
    assert "No orders yet." in read(staff.get("/orders/history/")).text


def test_the_list_names_every_order_of_mine(learners_client: Client, learner: User) -> None:
    assert "No orders yet." in read(learners_client.get("/orders/history/")).text
    mine = make_order(learner, make_product(), number="TS-2026-AAAAAAAA")
    make_order(learner, make_product(), number="TS-2026-BBBBBBBB", state=OrderState.REVIEW)
    make_order(make_user(), make_product(), number="TS-2026-CCCCCCCC")
    page = read(learners_client.get("/orders/history/"))
    assert "TS-2026-CCCCCCCC" not in page.text
    assert page.links()[f"Receipt {mine.number}"] == receipt(learners_client, mine)
    assert "Details TS-2026-BBBBBBBB" in page.links()


@pytest.mark.parametrize("page", ["", "2", "99", "abc", "-1", "0"])
def test_long_lists_have_pages(learners_client: Client, learner: User, page: str) -> None:
    product = make_product()
    for each in range(21):
        make_order(learner, product, number=f"TS-2026-{each:08}")
    response = learners_client.get("/orders/history/", {"page": page} if page else {})
    assert response.status_code == 200
    assert len(read(response).select("main .order-row")) in {20, 1}


@pytest.mark.parametrize("orders", [1, 5])
def test_the_list_costs_the_same_for_any_number(learners_client: Client, learner: User, orders: int) -> None:
    for each in range(orders):
        make_order(learner, make_product(), number=f"TS-2026-{each:08}")
    learners_client.get("/orders/history/")
    with queries(8):
        learners_client.get("/orders/history/")


@pytest.mark.parametrize("lines", [1, 5])
def test_a_receipt_costs_the_same_for_any_number_of_lines(learners_client: Client, learner: User, lines: int) -> None:
    order = make_order(learner, *(make_product() for _each in range(lines)))
    learners_client.get(receipt(learners_client, order))
    with queries(8):
        learners_client.get(receipt(learners_client, order))


def test_the_receipt_is_mailed_with_a_way_back(learner: User, mailoutbox: list[EmailMultiAlternatives]) -> None:
    order = make_order(learner, make_product(), make_product(price="149.00"))
    email_receipt(OrderFulfilled(order_id=order.pk, number=order.number, purchaser_id=learner.pk, at=NOON))
    (mail,) = mailoutbox
    html = str(mail.alternatives[0][0])
    assert mail.subject == f"Your receipt {order.number}"
    assert mail.to == [learner.email]
    for text in (str(mail.body), html):
        assert "You’re in, Amara" in text
        assert "Your courses are on your dashboard." in text
        assert "$398.00" in text
        assert f"http://testserver/checkout/receipt/?order_number={order.number}" in text
