"""From basket to order to course: everything or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from courses.enums import EnrollmentSource
from courses.errors import EnrollmentClosed
from courses.models import Enrollment, EnrollmentGrant
from ecommerce.enums import AttemptState, OrderState, UseState
from ecommerce.errors import AlreadyEnrolled, BasketEmpty, CodeNeeded, NotForSale, OrderUnknown, TotalChanged
from ecommerce.models import Basket, BasketItem, CodeUse, DiscountCode, Order, OrderLine, PaymentAttempt, Product
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.receipts import orders_of, receipt_for
from ecommerce.services.baskets import add_products, apply_code
from ecommerce.services.checkout import begin_checkout, release_lapsed_orders
from ecommerce.services.payments import answer_sandbox
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def learner() -> User:
    return make_user()


@pytest.fixture
def owner(learner: User) -> BasketOwner:
    return BasketOwner(user_id=learner.pk)


def buy(owner: BasketOwner, **options):  # type: ignore[no-untyped-def]
    return begin_checkout(owner=owner, user_id=owner.user_id or 0, now=options.pop("now", NOON), **options)


def test_nothing_to_pay_is_fulfilled_at_once(owner: BasketOwner, learner: User) -> None:
    product = make_product(price="100")
    code = make_code(make_discount(amount="100"), max_uses=1)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    checkout = buy(owner)
    assert checkout.pay_url is None
    assert checkout.order.state == OrderState.FULFILLED
    assert Enrollment.objects.get().run == product.course_run
    assert CodeUse.objects.get().state == UseState.CONFIRMED
    assert not BasketItem.objects.exists()
    assert not PaymentAttempt.objects.exists()
    assert Delivery.objects.filter(handler="ecommerce.handlers.email_receipt").count() == 1


def test_the_order_keeps_what_was_sold_though_everything_changes(owner: BasketOwner, learner: User) -> None:
    product = make_product(price="100")
    code = make_code(make_discount(amount="100", name="Scholarship"), text="SCHOLAR")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    number = buy(owner).order.number
    Product.objects.update(price=999, is_active=False)
    receipt = receipt_for(user_id=learner.pk, number=number)
    line = receipt.lines[0]
    assert (line.list_price, line.discount_amount, line.due) == (100, 100, 0)
    assert line.discount_label == "SCHOLAR"
    assert receipt.total.is_zero


def test_somebody_elses_order_is_as_unknown_as_none(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], now=NOON)
    number = buy(owner).order.number
    for user_id, wanted in [(make_user().pk, number), (owner.user_id or 0, "TS-2026-00000000")]:
        with pytest.raises(OrderUnknown):
            receipt_for(user_id=user_id, number=wanted)


def test_a_changed_total_is_said_and_nothing_happens(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    with pytest.raises(TotalChanged):
        buy(owner, expected_total=Money("10", "USD"))
    assert not Order.objects.exists()
    assert Basket.objects.get().items.count() == 1


def test_an_empty_basket_is_refused(owner: BasketOwner) -> None:
    with pytest.raises(BasketEmpty):
        buy(owner)


def test_a_contract_product_is_refused_without_its_code(owner: BasketOwner) -> None:
    run = make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    with pytest.raises(CodeNeeded):
        buy(owner)
    assert not Order.objects.exists()


def test_without_the_contracts_rule_nobody_gets_in(owner: BasketOwner, learner: User, settings) -> None:  # type: ignore[no-untyped-def]
    settings.CHECKOUT_RULES = ["ecommerce.rules.Sellable"]
    run = make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    with pytest.raises(NotForSale):
        buy(owner)
    assert not Enrollment.objects.exists()
    assert not CodeUse.objects.exists()


def test_the_database_refuses_a_contract_line_without_code_or_right(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], now=NOON)
    line = OrderLine.objects.get(order=buy(owner).order)
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk).update(requires_code=True)


def test_a_course_one_has_is_not_sold_again(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    buy(owner)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    with pytest.raises(AlreadyEnrolled):
        buy(owner)
    assert Order.objects.count() == 1


def test_a_course_that_closed_meanwhile_is_not_sold(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    product.course_run.enrollment_end = NOON - timedelta(seconds=1)  # type: ignore[union-attr]
    product.course_run.save()  # type: ignore[union-attr]
    with pytest.raises(EnrollmentClosed):
        buy(owner)
    assert not Order.objects.exists()


def test_pressing_twice_is_one_order(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    one, other = buy(owner), buy(owner)
    assert one.order == other.order
    assert [a.state for a in PaymentAttempt.objects.order_by("pk")] == [AttemptState.EXPIRED, AttemptState.STARTED]


def test_a_changed_basket_replaces_the_pending_order_and_frees_its_code(owner: BasketOwner, learner: User) -> None:
    code = make_code(make_discount(amount="50"), max_uses=1)
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    first = buy(owner).order
    add_products(owner=owner, product_ids=[make_product(price="30").pk], now=NOON)
    second = buy(owner).order
    first.refresh_from_db()
    code.refresh_from_db()
    assert (first.state, second.state) == (OrderState.CANCELED, OrderState.PENDING)
    assert code.uses == 1
    assert CodeUse.objects.live().get().order == second


def pay(order: Order, answer: str, *, now=NOON) -> Order:  # type: ignore[no-untyped-def]
    attempt = order.attempts.order_by("-pk")[0]
    return answer_sandbox(reference=attempt.reference, user_id=order.purchaser_id, answer=answer, now=now)


def test_paid_in_the_sandbox_is_fulfilled_once(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    checkout = buy(owner)
    assert checkout.pay_url is not None
    assert checkout.pay_url.startswith("/payment/sandbox/")
    assert not Enrollment.objects.exists()
    for _time in range(2):
        assert pay(checkout.order, "accept").state == OrderState.FULFILLED
    assert EnrollmentGrant.objects.get().source == EnrollmentSource.ORDER
    assert Delivery.objects.count() == 1


def test_declined_leaves_the_order_to_be_tried_again(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    order = buy(owner).order
    assert pay(order, "decline").state == OrderState.PENDING
    again = buy(owner).order
    assert again == order
    assert pay(again, "accept").state == OrderState.FULFILLED


def test_only_its_buyer_answers_a_sandbox_payment(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    order = buy(owner).order
    attempt = order.attempts.get()
    with pytest.raises(OrderUnknown):
        answer_sandbox(reference=attempt.reference, user_id=make_user().pk, answer="accept", now=NOON)
    order.refresh_from_db()
    assert order.state == OrderState.PENDING


def test_a_hold_that_lapsed_frees_code_and_seat(owner: BasketOwner, learner: User) -> None:
    contract = make_contract(seats=1, price="49")
    run = make_contract_run(contract, codes=1)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    order = buy(owner).order
    assert contract.memberships.get().state == "held"
    assert release_lapsed_orders(now=NOON + timedelta(minutes=44)) == 0
    assert release_lapsed_orders(now=NOON + timedelta(minutes=46)) == 1
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    assert not contract.memberships.exists()
    assert DiscountCode.objects.get().uses == 0


def lapsed_priced_order(owner: BasketOwner, seats: int = 1) -> tuple[Order, DiscountCode]:
    contract = make_contract(seats=seats, price="49")
    run = make_contract_run(contract, codes=1)
    code = codes_of(run)[0]
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    order = buy(owner).order
    release_lapsed_orders(now=NOON + timedelta(hours=1))
    return order, code


def test_money_after_the_hold_claims_code_and_seat_again(owner: BasketOwner) -> None:
    order, code = lapsed_priced_order(owner)
    assert pay(order, "accept", now=NOON + timedelta(hours=2)).state == OrderState.FULFILLED
    code.refresh_from_db()
    assert code.uses == 1


def test_money_after_the_hold_goes_to_review_where_somebody_was_faster(owner: BasketOwner) -> None:
    order, code = lapsed_priced_order(owner)
    DiscountCode.objects.filter(pk=code.pk).update(uses=1)
    after = pay(order, "accept", now=NOON + timedelta(hours=2))
    assert after.state == OrderState.REVIEW
    assert "code_used" in after.state_reason
    assert not Enrollment.objects.exists()
    assert order.attempts.get().state == AttemptState.PAID


def test_orders_of_a_buyer_cost_the_same_for_any_number(owner: BasketOwner, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for wanted in (1, 4):
        while Order.objects.count() < wanted:
            add_products(owner=owner, product_ids=[make_product(price="0").pk], now=NOON)
            buy(owner)
        with django_assert_num_queries(3):
            assert len(orders_of(owner.user_id or 0)) == wanted


def test_zero_value_checkout_keeps_its_budget(
    owner: BasketOwner,
    learner: User,
    django_assert_num_queries: Any,
) -> None:
    run = make_contract_run(make_contract(seats=5), codes=5)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    with django_assert_num_queries(34):
        buy(owner)
    assert len(mail.outbox) == 0  # mail is the worker's
