"""Orders after a partial refund: the rest can buy, be undone, and free codes and seats."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from courses.models import Enrollment
from ecommerce.enums import EnrollmentAfter, OrderState, RefundState, ReviewCause, UseState
from ecommerce.errors.admin import RefundOnItsWay
from ecommerce.models import CodeUse, Order, Refund
from ecommerce.selectors.audit import find_discrepancies
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.refunds.refunds import follow_refund, refund_order, undo_free_order
from mitxonline.kernel.money import Money
from tests.ecommerce.paying import latest_attempt, place_order
from tests.ecommerce.tills import Till, install_till, make_refund_notice
from tests.factories import NOON, make_code, make_discount, make_product
from tests.factories.orders import make_code_use, make_paid_order, make_payment
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

SOON, LATER = NOON + timedelta(minutes=5), NOON + timedelta(days=3)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def give_back(order: Order, *, amount: str = "", **options: Any) -> Refund:
    money = Money(amount, "USD") if amount else None
    choice = RefundChoice(reason="asked by phone", amount=money, **options)
    return refund_order(order_id=order.pk, choice=choice, now=SOON, by_id=None)


def comes_back(refund: Refund) -> None:
    notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
    follow_refund(notice, gateway_name="till", now=LATER)


def runs_of(order: Order) -> set[int]:
    return set(Enrollment.objects.active().of(order.purchaser_id).values_list("run_id", flat=True))


def all_is_well() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert list(find_discrepancies()) == []


def test_the_surplus_is_refunded_and_the_rest_buys_the_courses() -> None:
    order = make_paid_order(make_product(), make_product(), state=OrderState.REVIEW, paid="996.00")
    give_back(order, amount="498", enrollment_after=EnrollmentAfter.KEEP)
    after = fulfill_from_review(order_id=order.pk, reason="the excess went back", by_id=None, now=LATER)
    assert after.state == OrderState.PARTIALLY_REFUNDED
    assert len(runs_of(order)) == 2
    give_back(order)
    assert (fresh(order).state, runs_of(order)) == (OrderState.REFUNDED, set())


def test_a_free_course_of_a_refunded_order_can_be_undone() -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), make_product(), discount="0")
    paid, free = order.lines.all()
    free.discount_amount, free.due, free.code, free.takes_use = free.list_price, 0, code, True
    free.save()
    order.attempts.update(amount=paid.due)
    make_code_use(code, order)
    give_back(order, line_ids=(paid.pk,))
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {free.product.course_run_id}
    choice = RefundChoice(reason="asked by phone", frees_codes=True, line_ids=(free.pk,))
    undo_free_order(order_id=order.pk, choice=choice, now=LATER, by_id=None)
    code.refresh_from_db()
    assert (runs_of(order), code.uses, fresh(order).state) == (set(), 0, OrderState.REFUNDED)
    all_is_well()


@pytest.mark.parametrize("after", [EnrollmentAfter.KEEP, EnrollmentAfter.REMOVE])
def test_a_failed_refund_takes_its_code_back(till: Till, after: EnrollmentAfter) -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), gateway="till", code=code, discount="24.90")
    refund = give_back(order, frees_codes=True, enrollment_after=after)
    code.refresh_from_db()
    assert code.uses == 0
    all_is_well()
    comes_back(refund)
    code.refresh_from_db()
    assert (fresh(order).state, code.uses, len(runs_of(order))) == (OrderState.FULFILLED, 1, 1)
    assert CodeUse.objects.live().get().order_id == order.pk
    all_is_well()


def test_a_code_is_not_kept_for_an_order_in_review() -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), code=code, discount="24.90")
    stopped = make_paid_order(make_product(), buyer=order.purchaser, discount="24.90", state=OrderState.REVIEW)
    stopped.lines.update(code=code, takes_use=True)
    give_back(order, frees_codes=True)
    give_back(stopped)
    code.refresh_from_db()
    assert (code.uses, CodeUse.objects.live().count()) == (0, 0)
    assert CodeUse.objects.get().state == UseState.RELEASED
    all_is_well()


def test_new_money_for_a_refunded_order_goes_to_finance(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    attempt = latest_attempt(order)
    other = make_payment(order, paid="20.00")
    stripe_api.pay(attempt.session_id, amount_total=700)
    Order.objects.filter(pk=order.pk).update(state=OrderState.REFUNDED)
    other.refunded = other.paid_amount or 0
    other.save(update_fields=["refunded"])
    confirm_attempt(attempt_id=attempt.pk, now=NOON)
    marked = Refund.objects.get()
    assert (marked.state, marked.amount) == (RefundState.MARKED, 7)


def test_a_second_payment_of_a_fulfilled_order_goes_to_finance(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    attempt = latest_attempt(order)
    first = make_payment(order, paid="20.00")
    order.move(OrderState.REVIEW, at=NOON, cause=ReviewCause.AMOUNT_DIFFERS)
    fulfill_from_review(order_id=order.pk, reason="a discount", by_id=None, now=NOON)
    stripe_api.pay(attempt.session_id, amount_total=700)
    confirm_attempt(attempt_id=attempt.pk, now=LATER)
    assert Refund.objects.get().attempt_id == attempt.pk
    first.refresh_from_db()
    assert not first.is_surplus


@pytest.mark.parametrize("word", ["away", "pending"])
def test_an_order_is_not_fulfilled_while_its_refund_is_on_its_way(till: Till, word: str) -> None:
    till.says = [word]
    order = make_paid_order(make_product(), make_product(), state=OrderState.REVIEW, gateway="till")
    make_paid_order(make_product(), buyer=order.purchaser)
    owned = runs_of(order)
    refund = give_back(order)
    with pytest.raises(RefundOnItsWay, match=r"A refund of \$498.00 for order .* is on its way"):
        fulfill_from_review(order_id=order.pk, reason="they want it", by_id=None, now=LATER)
    assert (fresh(order).state, runs_of(order)) == (OrderState.REVIEW, owned)
    notice = make_refund_notice(refund, refund_id="re_1", state=RefundState.FAILED)
    follow_refund(notice, gateway_name="till", now=LATER)
    fulfill_from_review(order_id=order.pk, reason="they want it", by_id=None, now=LATER)
    assert len(runs_of(order)) == 3


def test_the_refund_of_a_second_payment_stops_no_one(till: Till) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW, gateway="till")
    second = make_payment(order, gateway="till")
    second.is_surplus = True
    second.save()
    till.says = ["pending"]
    give_back(order, attempt_id=second.pk)
    after = fulfill_from_review(order_id=order.pk, reason="the first is here", by_id=None, now=LATER)
    assert after.state == OrderState.FULFILLED
