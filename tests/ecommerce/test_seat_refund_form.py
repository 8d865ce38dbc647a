"""Refunds of seats on the order's desk: the form, the plan with people's names, and the books afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from courses.models import Enrollment
from ecommerce.models import DiscountCode, Order, Refund
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.users.models import User
from tests.ecommerce.desk import desk_url, submit_refund
from tests.ecommerce.tills import Till, install_till
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user("finance@example.test", is_staff=True, is_superuser=True))
    return client


def make_group_order(*, seats: int = 40) -> Order:
    order = make_paid_order(make_product(price="100"), make_product(price="50"), seats=seats)
    order.attempts.update(gateway="till")
    return order


def field_of(order: Order, number: int = 0) -> str:
    return f"seats_{list(order.lines.order_by('pk'))[number].pk}"


def redeem(order: Order, number: int = 0, *, name: str = "Ben Sato") -> User:
    line = list(order.lines.order_by("pk"))[number]
    code = DiscountCode.objects.filter(discount__seat_sale__order_line=line, uses=0).order_by("pk")[0]
    learner = make_user(name=name)
    redeem_registration_code(text=code.text, user_id=learner.pk, now=NOON)
    return learner


def test_the_form_says_what_is_left_and_what_a_seat_costs(till: Till, desk: Client) -> None:
    order = make_group_order()
    for number in (0, 0, 1):
        redeem(order, number)
    text = read(desk.get(desk_url(order, "refund/"))).text
    assert "40 of 40 can be refunded; no one has redeemed 38 of them. One seat: $100.00." in text
    assert "40 of 40 can be refunded; no one has redeemed 39 of them. One seat: $50.00." in text
    assert "Registration codes: 2 used, 38 free, 0 off" in read(desk.get(desk_url(order))).text


def test_twelve_seats_of_forty(till: Till, desk: Client) -> None:
    order = make_group_order()
    learner = redeem(order)
    options = {"scope": "seats", field_of(order): "12", field_of(order, 1): "3"}
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    fields = {**form, "reason": "phone", "enrollment_after": "remove", **options}
    plan = read(desk.post(desk_url(order, "refund/"), fields))
    assert "Refund $1,350.00" in plan.text
    assert "12 seats" in plan.text
    assert "the registration codes of 12 seats are switched off." in plan.text
    assert "Ben Sato" not in plan.text
    submit_refund(desk, order, **options)
    assert [line.seats_refunded for line in order.lines.order_by("pk")] == [12, 3]
    assert Enrollment.objects.active().filter(user=learner).exists()
    text = read(desk.get(desk_url(order))).text
    assert "Registration codes: 1 used, 27 free, 12 off" in text
    assert "(12 seats)" in text


def test_redeemed_seats_need_the_box_and_are_named(till: Till, desk: Client) -> None:
    order = make_group_order(seats=2)
    learner = redeem(order)
    options = {"scope": "seats", field_of(order): "2"}
    refused = submit_refund(desk, order, **options)
    assert refused.status_code == 422
    assert "only 1 seat hasn’t been redeemed" in read(refused).text
    assert not Refund.objects.exists()
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    fields = {**form, "reason": "phone", "enrollment_after": "remove", "takes_redeemed": "on", **options}
    plan = read(desk.post(desk_url(order, "refund/"), fields))
    assert "1 of them was redeemed: Ben Sato." in plan.text
    submit_refund(desk, order, takes_redeemed="on", **options)
    assert not Enrollment.objects.active().filter(user=learner).exists()


def test_seats_refunded_meanwhile_are_no_longer_offered(till: Till, desk: Client) -> None:
    order = make_group_order()
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    fields = {**form, "reason": "phone", "enrollment_after": "remove", "scope": "seats", field_of(order): "30"}
    plan = read(desk.post(desk_url(order, "refund/"), fields))
    submit_refund(desk, order, scope="seats", **{field_of(order): "30"})
    answer = desk.post(desk_url(order, "refund/"), {**form_data(plan), "confirmed": "1"})
    assert answer.status_code == 422
    text = read(answer).text
    assert "10 of 40 can be refunded" in text
    assert "Up to $3,000.00 can be refunded" in text
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scope": "seats"}, "Enter how many seats are refunded."),
        ({"scope": "seats", "number": "41"}, "At most 40 can be refunded."),
        ({"scope": "seats", "number": "0"}, "Enter at least 1 seat."),
        ({"scope": "seats", "number": "many"}, "Enter a whole number of seats."),
        ({"scope": "seats", "number": "1", "amount": "5"}, "You chose to refund seats."),
        ({"scope": "all", "number": "1"}, "You entered seats, but chose otherwise."),
        ({"scope": "amount", "amount": "5", "number": "1"}, "You entered seats, but chose otherwise."),
    ],
)
def test_contradictions_are_refused_at_the_field(
    till: Till, desk: Client, changes: dict[str, str], sentence: str
) -> None:
    order = make_group_order()
    fields = {field_of(order) if name == "number" else name: value for name, value in changes.items()}
    refused = submit_refund(desk, order, **fields)
    assert refused.status_code == 422
    assert sentence in read(refused).text
    assert not Refund.objects.exists()


def test_an_order_without_a_group_has_no_such_fields(till: Till, desk: Client) -> None:
    order = make_paid_order(make_product(), make_product())
    page = read(desk.get(desk_url(order, "refund/")))
    assert "seats" not in page.text.lower()


def test_free_seats_are_undone(till: Till, desk: Client) -> None:
    order = make_paid_order(make_product(price="0"), seats=3)
    redeem(order)
    page = read(desk.get(desk_url(order, "undo/")))
    assert "The registration codes of a group’s seats are switched off." in page.text
    form = form_data(page)
    refused = desk.post(desk_url(order, "undo/"), {**form, "reason": "x"})
    assert refused.status_code == 422
    assert "only 2 seats haven’t been redeemed" in read(refused).text
    desk.post(desk_url(order, "undo/"), {**form, "reason": "x", "takes_redeemed": "on"})
    assert order.lines.get().seats_refunded == 3
