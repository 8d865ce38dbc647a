"""Cases that need two of something: two codes, two orders, a second check under the lock."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ecommerce.enums import AttemptState, DiscountType, OrderState, RefundState, UseState
from ecommerce.errors.checkout import PaymentUnavailable, PaymentUnderWay
from ecommerce.errors.refunds import RefundTooMuch
from ecommerce.gateways.base import PaymentOutcome
from ecommerce.gateways.registry import gateways
from ecommerce.models import CodeUse, Order, OrderLine, PaymentAttempt
from ecommerce.pricing import Item, Offer, price_item
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.refund_plan import RefundChoice, plan_refund
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout import checkout
from ecommerce.services.checkout.checkout import release_lapsed_orders
from ecommerce.services.discounts.codes import restore_uses
from ecommerce.services.orders.fulfillment import close_order
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.payment.sessions import begin_session, make_session
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel.money import Money
from tests.ecommerce.paying import check_out, latest_attempt, place_order
from tests.ecommerce.tills import Till, install_till
from tests.factories import NOON, make_code, make_discount, make_product, make_user
from tests.factories.orders import make_code_use, make_paid_order, make_payment
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=2)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_older_of_two_equal_discounts_is_used(reverse: bool) -> None:
    offers = [
        Offer(
            discount_id=discount_id,
            discount_type=DiscountType.PERCENT_OFF,
            amount=Decimal(10),
            currency="",
            products=None,
            code_id=code_id,
        )
        for discount_id, code_id in [(3, 40), (7, 5)]
    ]
    price = price_item(Item(product_id=1, listed=Money("100", "USD")), reversed(offers) if reverse else offers)
    assert price.offer is not None
    assert price.offer.discount_id == 3


def test_refunding_one_line_frees_only_the_code_of_that_line(till: Till) -> None:
    buyer, products = make_user(), [make_product(), make_product()]
    codes = [make_code(make_discount(products=[product]), max_uses=1) for product in products]
    order = make_paid_order(*products, buyer=buyer, gateway="till")
    for line, code in zip(order.lines.order_by("pk"), codes, strict=True):
        OrderLine.objects.filter(pk=line.pk).update(code=code, discount=code.discount)
        make_code_use(code, order)
    first = order.lines.order_by("pk")[0]

    refund_order(
        order_id=order.pk,
        choice=RefundChoice(reason="Wrong course", frees_codes=True, line_ids=(first.pk,)),
        now=LATER,
        by_id=None,
    )

    states = {use.code_id: use.state for use in CodeUse.objects.filter(order=order)}
    assert states == {codes[0].pk: UseState.RELEASED, codes[1].pk: UseState.CONFIRMED}
    for code, uses in zip(codes, (0, 1), strict=True):
        code.refresh_from_db()
        assert code.uses == uses


def test_a_use_that_was_never_paid_for_is_not_restored() -> None:
    product, buyer = make_product(requires_code=True), make_user()
    discount = make_discount(products=[], unlocks=product)
    paid = make_paid_order(buyer=buyer, state=OrderState.FULFILLED)
    unpaid = make_paid_order(buyer=buyer, state=OrderState.CANCELED)
    uses = {order.pk: make_code_use(make_code(discount, max_uses=1), order) for order in (paid, unpaid)}
    CodeUse.objects.update(state=UseState.RETIRED)

    assert restore_uses(user_id=buyer.pk, product_ids=[product.pk], now=LATER) == 1

    for order_id, state in [(paid.pk, UseState.CONFIRMED), (unpaid.pk, UseState.RETIRED)]:
        uses[order_id].refresh_from_db()
        assert uses[order_id].state == state


def test_money_that_arrives_between_the_look_and_the_lock_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [place_order() for _ in range(2)]
    Order.objects.update(hold_until=NOON)

    def close_while_the_other_is_paid(*, order: Order, **rest: Any) -> None:
        (other,) = {each.pk for each in orders} - {order.pk}
        PaymentAttempt.objects.filter(order_id=other).update(state=AttemptState.PROCESSING)
        close_order(order=order, **rest)

    monkeypatch.setattr(checkout, "close_order", close_while_the_other_is_paid)
    assert release_lapsed_orders(now=LATER) == 1
    assert {Order.objects.get(pk=order.pk).state for order in orders} == {OrderState.CANCELED, OrderState.PENDING}


@pytest.mark.parametrize("is_refund_under_way", [False, True])
def test_an_order_in_review_blocks_its_course_until_its_money_goes_back(till: Till, is_refund_under_way: bool) -> None:
    product, buyer = make_product(), make_user()
    order = make_paid_order(product, buyer=buyer, gateway="till", state=OrderState.REVIEW)
    if is_refund_under_way:
        till.says = [RefundState.PENDING]
        refund_order(order_id=order.pk, choice=RefundChoice(reason="Too late"), now=LATER, by_id=None)
    order.refresh_from_db()
    assert order.state == OrderState.REVIEW
    add_products(owner=BasketOwner(user_id=buyer.pk), product_ids=[product.pk], now=LATER)
    if is_refund_under_way:
        assert check_out(buyer, now=LATER).pay_url
    else:
        with pytest.raises(PaymentUnderWay):
            check_out(buyer, now=LATER)


def test_an_order_in_review_blocks_its_course_though_an_older_order_waits_to_be_paid(till: Till) -> None:
    product, buyer = make_product(), make_user()
    add_products(owner=BasketOwner(user_id=buyer.pk), product_ids=[product.pk], now=NOON)
    waiting = check_out(buyer, now=NOON).order
    paid = make_paid_order(product, buyer=buyer, gateway="till", state=OrderState.REVIEW)
    assert paid.pk > waiting.pk
    with pytest.raises(PaymentUnderWay):
        check_out(buyer, now=NOON)


def test_a_paid_notice_that_comes_again_changes_nothing_on_an_order_in_review(stripe_api: StripeServer) -> None:
    order = place_order()
    attempt = latest_attempt(order)
    stripe_api.pay(attempt.session_id, amount_total=100)
    confirm_attempt(attempt_id=attempt.pk, now=NOON)
    before = (Order.objects.values().get(pk=order.pk), PaymentAttempt.objects.values().get(pk=attempt.pk))
    assert before[0]["state"] == OrderState.REVIEW

    confirm_attempt(attempt_id=attempt.pk, now=LATER)

    assert (Order.objects.values().get(pk=order.pk), PaymentAttempt.objects.values().get(pk=attempt.pk)) == before


def test_a_page_made_late_is_not_opened_while_another_payment_is_on_its_way(stripe_api: StripeServer) -> None:
    order = place_order()
    paying = latest_attempt(order)
    PaymentAttempt.objects.filter(pk=paying.pk).update(state=AttemptState.PROCESSING)
    late = make_payment(order, gateway="stripe")
    PaymentAttempt.objects.filter(pk=late.pk).update(
        state=AttemptState.FAILED, session_id="", payment_id="", settled_at=NOON
    )
    late.refresh_from_db()

    with pytest.raises(PaymentUnavailable):
        begin_session(late, now=NOON)

    late.refresh_from_db()
    assert late.state == AttemptState.CLOSING


def test_a_page_of_another_hosts_account_is_not_used_again(stripe_api: StripeServer, settings: Any) -> None:
    settings.STRIPE_ACCOUNTS = {
        **settings.STRIPE_ACCOUNTS,
        "other.example": {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]},
    }
    buyer = make_user()
    order = place_order(buyer)
    first = latest_attempt(order)

    checkout = check_out(buyer, now=NOON, host="other.example")

    assert checkout.order.pk == order.pk
    second = latest_attempt(order)
    assert (second.account, second.pay_url) == ("other.example", checkout.pay_url)
    assert second.pk != first.pk


@pytest.mark.parametrize(
    ("payment_status", "outcome"),
    [
        ("processing", PaymentOutcome.PROCESSING),
        ("requires_payment_method", PaymentOutcome.DECLINED),
        ("canceled", PaymentOutcome.DECLINED),
    ],
)
def test_an_unpaid_bank_debit_is_awaited_only_while_the_bank_works_on_it(
    stripe_api: StripeServer, payment_status: str, outcome: PaymentOutcome
) -> None:
    order = place_order()
    session = stripe_api.pay_later(latest_attempt(order).session_id)
    intent = stripe_api.payments[session["payment_intent"]]
    intent["status"] = payment_status
    assert gateways()["stripe"].look_up(make_session(latest_attempt(order))).outcome == outcome


def test_no_more_than_is_left_of_the_payment_is_refunded_when_courses_are_chosen(till: Till) -> None:
    order = make_paid_order(make_product(price="30"), make_product(price="40"), gateway="till", paid="45")
    lines = tuple(order.lines.values_list("pk", flat=True))

    with pytest.raises(RefundTooMuch) as refused:
        plan_refund(order_id=order.pk, choice=RefundChoice(reason="Wrong", line_ids=lines, amount=Money("60", "USD")))

    assert "$45" in str(refused.value)
