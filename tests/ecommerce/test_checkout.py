"""From basket to order to enrollment: everything or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import DatabaseError, IntegrityError, transaction

from courses.enums import EnrollmentSource
from courses.errors import EnrollmentClosed, EnrollmentRefused, RunUnknown
from courses.models import CourseRun, Enrollment, EnrollmentGrant, ProgramRequirement
from ecommerce.enums import AttemptState, OrderState, RedemptionType, RefundState, ReviewCause, UseState
from ecommerce.errors.checkout import (
    AlreadyEnrolled,
    BasketEmpty,
    CodeNeeded,
    NotForSale,
    NoWayToPay,
    OrderUnknown,
    PaymentUnderWay,
    TotalChanged,
)
from ecommerce.errors.codes import CodeRefused, CodeUsed
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.models import (
    Basket,
    BasketItem,
    CodeUse,
    Discount,
    DiscountCode,
    Order,
    OrderLine,
    OrderLineCourse,
    PaymentAttempt,
    Product,
)
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.receipts import orders_of, receipt_for
from ecommerce.services.baskets.baskets import add_products, apply_code, remove_product
from ecommerce.services.checkout.checkout import begin_checkout, release_lapsed_orders
from ecommerce.services.checkout.free_enrollment import enroll_free
from ecommerce.services.discounts.codes import release_uses
from ecommerce.services.orders import fulfillment
from ecommerce.services.orders.fulfillment import fulfill_or_review, fulfill_order
from ecommerce.services.payment import payments
from ecommerce.services.payment.payments import finish_interrupted, settle_notice
from ecommerce.services.payment.sandbox import answer_sandbox
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
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order

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
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_receipt").count() == 1


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
    assert receipt.totals.due.is_zero


def test_foreign_orders_are_refused_like_missing_ones(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], now=NOON)
    number = buy(owner).order.number
    for user_id, wanted in [(make_user().pk, number), (owner.user_id or 0, "TS-2026-00000000")]:
        with pytest.raises(OrderUnknown):
            receipt_for(user_id=user_id, number=wanted)


def test_a_changed_total_stops_checkout(owner: BasketOwner) -> None:
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


def test_without_the_contract_rule_contract_runs_are_refused(owner: BasketOwner, learner: User, settings) -> None:  # type: ignore[no-untyped-def]
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
    assert one.pay_url == other.pay_url
    assert [a.state for a in PaymentAttempt.objects.all()] == [AttemptState.STARTED]


def test_an_old_payment_page_is_replaced_by_a_fresh_one(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    one, other = buy(owner), buy(owner, now=NOON + timedelta(minutes=11))
    assert one.order == other.order
    assert one.pay_url != other.pay_url
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
    receivers = Delivery.objects.order_by("handler").values_list("handler", flat=True)
    assert list(receivers) == ["courses.receivers.tell_course_site", "ecommerce.receivers.email_receipt"]


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


def test_late_money_goes_to_review_when_the_seat_is_taken(owner: BasketOwner) -> None:
    order, code = lapsed_priced_order(owner)
    DiscountCode.objects.filter(pk=code.pk).update(uses=1)
    after = pay(order, "accept", now=NOON + timedelta(hours=2))
    assert after.state == OrderState.REVIEW
    assert after.review_cause == ReviewCause.CODE_GONE
    assert not Enrollment.objects.exists()
    assert order.attempts.get().state == AttemptState.PAID


def test_a_total_changed_in_another_window_stops_checkout(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    buy(owner)
    with pytest.raises(TotalChanged):
        buy(owner, expected_total=Money("60", "USD"))


def test_a_discount_that_ends_during_the_hold_still_counts_for_the_order(owner: BasketOwner, learner: User) -> None:
    code = make_code(make_discount(amount="50", expires_at=NOON + timedelta(minutes=5)), max_uses=1)
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    order = buy(owner).order
    pay(order, "decline")
    assert buy(owner, now=NOON + timedelta(minutes=10)).order == order
    later = buy(owner, now=NOON + timedelta(hours=2)).order
    assert (later.discount_total, later.total) == (0, 100)


def test_trying_again_holds_as_long_as_the_new_payment_session_lives(owner: BasketOwner, learner: User) -> None:
    code = make_code(make_discount(amount="50"), max_uses=1)
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    order = buy(owner).order
    again = NOON + timedelta(minutes=40)
    assert buy(owner, now=again).order == order
    session_ends = order.attempts.get(state=AttemptState.STARTED).expires_at
    order.refresh_from_db()
    assert order.hold_until == CodeUse.objects.get().held_until == session_ends + timedelta(minutes=15)
    assert release_lapsed_orders(now=NOON + timedelta(minutes=46)) == 0


def test_without_a_way_to_pay_nothing_is_held(owner: BasketOwner, learner: User, settings) -> None:  # type: ignore[no-untyped-def]
    settings.PAYMENT_GATEWAYS = []
    code = make_code(make_discount(amount="50"), max_uses=1)
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    with pytest.raises(NoWayToPay):
        buy(owner)
    assert not Order.objects.exists()
    assert not CodeUse.objects.exists()


def test_a_refusal_of_the_course_leads_back_to_the_cart(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    CourseRun.objects.update(enrollment_end=NOON - timedelta(seconds=1))
    with pytest.raises(EnrollmentClosed) as refused:
        buy(owner)
    assert refused.value.retry_url == "/cart/"


def test_a_notice_that_comes_again_after_a_crash_finishes_what_was_paid(
    owner: BasketOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    order = buy(owner).order
    with monkeypatch.context() as broken:
        broken.setattr(payments, "fulfill_or_review", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            pay(order, "accept")
    assert release_lapsed_orders(now=NOON + timedelta(days=1)) == 0
    assert pay(order, "accept", now=NOON + timedelta(days=1)).state == OrderState.FULFILLED
    assert Enrollment.objects.count() == 1


def test_a_paid_order_is_finished_without_another_notice(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    order = buy(owner).order
    order.attempts.update(state=AttemptState.PAID, settled_at=NOON)
    assert finish_interrupted(now=NOON + timedelta(seconds=30)) == 0  # whoever noted it may still be at it
    assert finish_interrupted(now=NOON + timedelta(minutes=3)) == 1
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert finish_interrupted(now=NOON + timedelta(minutes=4)) == 0


def test_one_order_that_cannot_be_released_does_not_block_others(
    owner: BasketOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (owner, BasketOwner(user_id=make_user().pk)):
        add_products(owner=each, product_ids=[make_product(price="100").pk], now=NOON)
        buy(each)
    first = Order.objects.order_by("pk").first()

    def release(*, order_id: int, now: datetime) -> list[int]:
        if first is not None and order_id == first.pk:
            raise DatabaseError
        return release_uses(order_id=order_id, now=now)

    monkeypatch.setattr(fulfillment, "release_uses", release)
    assert release_lapsed_orders(now=NOON + timedelta(hours=1)) == 1
    assert set(Order.objects.values_list("state", flat=True)) == {OrderState.PENDING, OrderState.CANCELED}


@pytest.mark.parametrize("state", [AttemptState.PROCESSING, AttemptState.PAID])
def test_while_a_payment_is_under_way_nothing_is_paid_twice(owner: BasketOwner, state: AttemptState) -> None:
    product = make_product(price="100")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    order = buy(owner).order
    order.attempts.update(state=state)
    with pytest.raises(PaymentUnderWay, match=order.number):
        buy(owner)
    add_products(owner=owner, product_ids=[make_product(price="30").pk], now=NOON)
    with pytest.raises(PaymentUnderWay):
        buy(owner)
    remove_product(owner=owner, product_id=product.pk, now=NOON)
    assert buy(owner).order.total == 30
    order.refresh_from_db()
    assert order.state == OrderState.PENDING
    assert order.attempts.count() == 1


def test_money_for_an_order_that_was_replaced_and_bought_goes_to_review(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    first = buy(owner).order
    add_products(owner=owner, product_ids=[make_product(price="30").pk], now=NOON)
    assert pay(buy(owner).order, "accept").state == OrderState.FULFILLED
    cache.clear()  # as if the first one's payment page had stayed open
    after = pay(first, "accept")
    assert after.state == OrderState.REVIEW
    assert after.review_cause == ReviewCause.HAS_COURSE


def test_a_second_payment_of_a_refunded_order_is_noted(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="100").pk], now=NOON)
    buy(owner)
    order = buy(owner, now=NOON + timedelta(minutes=11)).order
    older, _newer = order.attempts.order_by("pk")
    pay(order, "accept")
    Order.objects.get().move(OrderState.REFUNDED, at=NOON)
    cache.clear()  # as if the first window's payment page had stayed open
    answer_sandbox(reference=older.reference, user_id=order.purchaser_id, answer="accept", now=NOON)
    older.refresh_from_db()
    assert (older.state, older.is_surplus) == (AttemptState.PAID, True)
    assert older.refunds.get().state == RefundState.MARKED


def test_in_review_nothing_is_held_any_more(owner: BasketOwner) -> None:
    contract = make_contract(seats=1, price="49")
    run = make_contract_run(contract, codes=1)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=owner.user_id, now=NOON)
    order = buy(owner).order
    gateway = SandboxGateway()
    too_little = gateway.notice_body(
        reference=order.attempts.get().reference, answer="accept", total=Money("48", "USD")
    )
    settle_notice(notice=gateway.read_notice(too_little, account=""), gateway_name=gateway.name, now=NOON)
    order.refresh_from_db()
    assert (order.state, order.hold_until) == (OrderState.REVIEW, None)
    assert DiscountCode.objects.get().uses == 0
    assert not contract.memberships.exists()
    assert fulfill_order(order_id=order.pk, now=NOON).is_fulfilled  # staff may still give both
    assert (DiscountCode.objects.get().uses, contract.memberships.get().state) == (1, "active")


def test_a_limited_code_is_a_learners_once(owner: BasketOwner, learner: User) -> None:
    code = make_code(make_discount(amount="100", redemption_type=RedemptionType.ONE_TIME), max_uses=1)
    add_products(owner=owner, product_ids=[make_product().pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    buy(owner)
    add_products(owner=owner, product_ids=[make_product().pk], now=NOON)
    with pytest.raises(CodeUsed):
        apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)


@pytest.mark.parametrize("ended", [{"is_active": False}, {"expires_at": NOON - timedelta(seconds=1)}])
def test_a_discount_that_is_over_is_over_for_those_who_used_it(
    owner: BasketOwner, learner: User, ended: dict[str, object]
) -> None:
    code = make_code(make_discount(amount="100"))
    for _each in range(2):  # without limit: as often as one likes
        add_products(owner=owner, product_ids=[make_product().pk], now=NOON)
        apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
        buy(owner)
    Discount.objects.update(**ended)
    add_products(owner=owner, product_ids=[make_product().pk], now=NOON)
    with pytest.raises(CodeRefused):
        apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)


def test_a_contracts_run_is_not_sold_by_a_product_that_needs_no_code(owner: BasketOwner) -> None:
    run = make_contract_run(make_contract(seats=1))
    other = make_product(price="0")
    add_products(owner=owner, product_ids=[other.pk], now=NOON)
    Product.objects.filter(pk=other.pk).update(course_run=run.course_run, mode="audit")
    with pytest.raises(NotForSale):
        add_products(owner=owner, product_ids=[other.pk], now=NOON)
    with pytest.raises(NotForSale):
        buy(owner)


def test_a_program_gives_a_run_of_each_course_and_never_a_source(owner: BasketOwner) -> None:
    run = make_run()
    make_run(run.course, tag="SOURCE", start_date=NOON - timedelta(days=900))
    add_products(owner=owner, product_ids=[make_program_product(run.course, price="0").pk], now=NOON)
    buy(owner)
    assert Enrollment.objects.get().run == run


def test_a_program_that_could_give_nothing_is_not_sold(owner: BasketOwner) -> None:
    run = make_run()
    product = make_program_product(run.course, price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    CourseRun.objects.filter(pk=run.pk).update(enrollment_end=NOON - timedelta(days=1))
    with pytest.raises(NotForSale):
        add_products(owner=owner, product_ids=[product.pk], now=NOON)
    with pytest.raises(NotForSale):
        buy(owner)
    assert not Order.objects.exists()


def test_a_program_gives_the_runs_that_were_open_when_it_was_sold(owner: BasketOwner) -> None:
    run = make_run(enrollment_end=NOON + timedelta(days=1))
    add_products(owner=owner, product_ids=[make_program_product(run.course, price="249").pk], now=NOON)
    order = buy(owner).order
    fulfill_order(order_id=order.pk, now=NOON + timedelta(days=3))  # a bank that took its time
    assert list(Enrollment.objects.values_list("run_id", flat=True)) == [run.pk]


def test_a_program_gives_what_was_sold_although_it_changed(owner: BasketOwner) -> None:
    run = make_run()
    add_products(owner=owner, product_ids=[make_program_product(run.course, price="249").pk], now=NOON)
    order = buy(owner).order
    ProgramRequirement.objects.all().delete()
    assert fulfill_or_review(order_id=order.pk, now=NOON).state == OrderState.FULFILLED
    assert list(Enrollment.objects.values_list("run_id", flat=True)) == [run.pk]


def test_money_for_a_program_that_gives_nothing_anymore_goes_to_review(owner: BasketOwner) -> None:
    """Only an order from before its starts were stored can be one."""
    run = make_run()
    add_products(owner=owner, product_ids=[make_program_product(run.course, price="249").pk], now=NOON)
    order = buy(owner).order
    OrderLineCourse.objects.all().delete()
    ProgramRequirement.objects.all().delete()
    order = fulfill_or_review(order_id=order.pk, now=NOON)
    assert order.state == OrderState.REVIEW
    assert order.review_cause == ReviewCause.REFUSED


def test_a_program_one_has_is_not_sold_again(owner: BasketOwner) -> None:
    product = make_program_product(make_run().course, make_run().course, price="0")
    for _time in range(2):
        add_products(owner=owner, product_ids=[product.pk], now=NOON)
        if not Order.objects.exists():
            buy(owner)
    with pytest.raises(AlreadyEnrolled):
        buy(owner)


@pytest.mark.parametrize("is_active", [True, False])
def test_a_priced_run_cannot_be_joined_for_free(learner: User, is_active: bool) -> None:
    product = make_product(price="100", is_active=is_active)
    with pytest.raises(EnrollmentRefused):
        enroll_free(user_id=learner.pk, run_id=product.course_run_id or 0, now=NOON)


def test_a_source_run_cannot_be_joined(learner: User) -> None:
    with pytest.raises(RunUnknown):
        enroll_free(user_id=learner.pk, run_id=make_run(tag="SOURCE").pk, now=NOON)


def test_orders_of_a_buyer_cost_the_same_for_any_number(owner: BasketOwner, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for wanted in (1, 4):
        while Order.objects.count() < wanted:
            add_products(owner=owner, product_ids=[make_product(price="0").pk], now=NOON)
            buy(owner)
        with django_assert_num_queries(3):
            assert len(list(orders_of(owner.user_id or 0))) == wanted


def test_zero_value_checkout_keeps_its_budget(
    owner: BasketOwner,
    learner: User,
    django_assert_num_queries: Any,
) -> None:
    run = make_contract_run(make_contract(seats=5), codes=5)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
    with django_assert_num_queries(40):
        buy(owner)
    assert len(mail.outbox) == 0  # mail is the worker's


def test_a_number_that_is_taken_is_drawn_again(owner: BasketOwner, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_paid_order(make_product(price="49"))
    numbers = iter([first.number, first.number, "TS-2026-AAAAAAAA"])
    monkeypatch.setattr("ecommerce.services.checkout.checkout.new_order_number", lambda **_on: next(numbers))
    add_products(owner=owner, product_ids=[make_product(price="10").pk], now=NOON)
    begun = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert begun.order.number == "TS-2026-AAAAAAAA"
