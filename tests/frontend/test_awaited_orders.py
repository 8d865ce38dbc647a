"""While a payment is pending or in review, pages say so and don't sell the course again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from ecommerce.enums import AttemptState, OrderState, ReviewCause
from ecommerce.models import Order, Product
from frontend.pages.buy_panel import PanelState, buy_panel
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import make_course, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page, make_program, make_program_page
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def at_the_bank(buyer: User, title: str = "Statistics") -> Order:
    course = make_course(title=title)
    order = make_paid_order(make_product(make_run(course, title=title)), buyer=buyer, state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING, settled_at=None)
    return order


def in_review(buyer: User) -> Order:
    order = at_the_bank(buyer)
    order.attempts.update(state=AttemptState.PAID)
    order.move(OrderState.REVIEW, at=clock.now(), cause=ReviewCause.AMOUNT_DIFFERS)
    return order


def test_the_dashboard_says_where_the_payment_is(learners_client: Client, learner: User) -> None:
    order, other = at_the_bank(learner), at_the_bank(make_user(), title="Another's")
    page = read(learners_client.get("/dashboard/"))
    assert f"Your payment for order {order.number} is on its way" in page.text
    assert "Statistics. Your bank hasn’t confirmed it yet." in page.text
    assert page.links()["See that order"] == f"/checkout/receipt/?order_number={order.number}"
    assert "No courses yet" not in page.text
    assert other.number not in page.text


def test_the_dashboard_says_that_an_order_is_checked(learners_client: Client, learner: User) -> None:
    order = in_review(learner)
    page = read(learners_client.get("/dashboard/"))
    assert f"We’re checking order {order.number}" in page.text
    assert "is on its way" not in page.text


@pytest.mark.parametrize("state", [OrderState.CANCELED, OrderState.DECLINED])
def test_an_order_that_ended_is_not_awaited(learners_client: Client, learner: User, state: OrderState) -> None:
    order = at_the_bank(learner)
    order.attempts.update(state=AttemptState.DECLINED)
    order.move(state, at=clock.now())
    page = read(learners_client.get("/dashboard/"))
    assert "No courses yet" in page.text
    assert order.number not in page.text


def test_the_course_page_sells_it_no_second_time(learners_client: Client, learner: User) -> None:
    order = at_the_bank(learner)
    course = order.lines.get().product.course_run.course  # type: ignore[union-attr]
    page = read(learners_client.get(make_course_page(course).url))
    assert f"Your payment for order {order.number} is on its way. Your bank hasn’t confirmed it yet." in page.text
    assert "Enroll for" not in page.text
    assert page.links()["See that order"] == f"/checkout/receipt/?order_number={order.number}"


def test_a_course_of_a_program_that_is_being_paid(learner: User) -> None:
    first, second, other = make_course(), make_course(), make_course()
    for course in (first, second, other):
        make_product(make_run(course), price="249")
    program = make_program(courses=[first, second])
    product = Product.objects.create(program=program, sku="program", price=Decimal(400), currency="USD")
    order = make_paid_order(product, buyer=learner, state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING, settled_at=None)
    states = [buy_panel(each, user_id=learner.pk, now=clock.now()).state for each in (first, second, other)]
    assert states == [PanelState.AWAITED, PanelState.AWAITED, PanelState.BUY]
    assert buy_panel(first, user_id=make_user().pk, now=clock.now()).state == PanelState.BUY


def test_a_programs_page_does_not_sell_an_awaited_program_again(learners_client: Client, learner: User) -> None:
    program = make_program(courses=[make_product(make_run()).course_run.course])  # type: ignore[union-attr]
    product = Product.objects.create(program=program, sku="program", price=Decimal(400), currency="USD")
    url = make_program_page(program).url
    assert "Enroll for $400" in read(learners_client.get(url)).text
    order = make_paid_order(product, buyer=learner, state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING, settled_at=None)
    page = read(learners_client.get(url))
    assert f"Your payment for order {order.number} is on its way." in page.text
    assert "Enroll for $400" not in page.text
    assert page.links()["See that order"] == f"/checkout/receipt/?order_number={order.number}"


def test_awaited_orders_are_listed_latest_first(learners_client: Client, learner: User) -> None:
    first, second = at_the_bank(learner), at_the_bank(learner, title="Infection")
    text = read(learners_client.get("/dashboard/")).text
    assert text.index(second.number) < text.index(first.number)
