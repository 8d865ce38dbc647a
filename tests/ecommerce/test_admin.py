"""Orders and refunds in the Django admin: read-only, except for the named actions."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from ecommerce.enums import EnrollmentAfter, OrderState
from ecommerce.events import ReceiptWanted
from ecommerce.models import Order, Refund, RefundRequest
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel.money import Money
from tests.ecommerce.desk import make_dispute
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.events import deliveries_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(finance: Any) -> Client:
    client = Client()
    client.force_login(finance)
    return client


def refunded() -> Order:
    order = make_paid_order(make_product())
    choice = RefundChoice(reason="wrong course", amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    make_dispute(order)
    RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    return order


def test_everything_about_an_order_is_seen_and_nothing_can_be_written(staff: Client) -> None:
    order = refunded()
    address = f"/admin/ecommerce/order/{order.pk}/change/"
    page = staff.get(address)
    for words in (order.number, "wrong course", "Needs a response", "Refunded"):
        assert words in page.text
    assert 'name="_save"' not in page.text
    assert staff.post(address, {"state": "refunded"}).status_code == 403
    assert f"/cms/orders/{order.pk}/" in staff.get("/admin/ecommerce/order/").text


@pytest.mark.parametrize("model", ["refund", "refundrequest", "dispute"])
def test_the_other_lists_open(staff: Client, model: str) -> None:
    order = refunded()
    listed = staff.get(f"/admin/ecommerce/{model}/", {"q": order.number})
    assert order.number in listed.text
    row = {"refund": order.refunds, "refundrequest": order.refund_requests, "dispute": order.disputes}[model].get()
    assert staff.get(f"/admin/ecommerce/{model}/{row.pk}/change/").status_code == 200
    assert staff.get(f"/admin/ecommerce/{model}/add/").status_code == 403


def act(client: Client, name: str, *orders: Order) -> Any:
    chosen = {"action": name, "_selected_action": [order.pk for order in orders]}
    return client.post("/admin/ecommerce/order/", chosen, follow=True)


def test_the_named_actions(staff: Client) -> None:
    done, waiting = make_paid_order(make_product()), make_paid_order(make_product(), state=OrderState.REVIEW)
    page = act(staff, "send_receipt_again", done, waiting).text
    assert f"{done.number}: on its way to the buyer" in page
    assert "no receipt to send" in page
    assert deliveries_of(ReceiptWanted).count() == 1
    assert f"{done.number}: Fulfilled" in act(staff, "check_with_gateway", done).text


def test_the_named_actions_are_for_finance() -> None:
    looker = make_user(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(looker)
    order = make_paid_order(make_product())
    assert "send_receipt_again" not in client.get("/admin/ecommerce/order/").text
    act(client, "send_receipt_again", order)
    assert not deliveries_of(ReceiptWanted).exists()
    assert not Refund.objects.exists()
