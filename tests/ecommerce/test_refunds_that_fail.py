"""A refund that comes back after it succeeded: ledger, order, courses, buyer and finance follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.test import Client
from wagtail.models import Site

from b2b.enums import MembershipState
from b2b.models import ContractMembership
from b2b.seats import claim_seat, lock_terms
from courses.models import Enrollment
from ecommerce.enums import (
    AfterFailedRefund,
    AlertKind,
    AttemptState,
    EnrollmentAfter,
    OrderState,
    RefundState,
    ReviewCause,
    UseState,
)
from ecommerce.events import RefundFailed
from ecommerce.models import CodeUse, MoneyAlert, Order, Refund, ShopSettings
from ecommerce.receivers import email_refund_failed
from ecommerce.selectors.receipts import receipt_for
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.refunds.ledger import mark_for_refund
from ecommerce.services.refunds.refunds import follow_refund, refund_order, refund_second_payment
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.money import Money
from tests.ecommerce.tills import Till, install_till, make_refund_notice
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
from tests.factories.orders import make_paid_order, make_payment
from tests.support.reading import read

pytestmark = pytest.mark.django_db

SOON, LATER = NOON + timedelta(minutes=5), NOON + timedelta(days=3)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def give_back(order: Order, **options: Any) -> Refund:
    now = options.pop("now", SOON)
    choice = RefundChoice(reason="asked by phone", **options)
    return refund_order(order_id=order.pk, choice=choice, now=now, by_id=None)


def comes_back(refund: Refund, *, state: RefundState = RefundState.FAILED) -> None:
    follow_refund(
        make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=state), gateway_name="till", now=LATER
    )


def runs_of(order: Order) -> dict[int, str]:
    return dict(Enrollment.objects.active().of(order.purchaser_id).values_list("run_id", "mode"))


def keep_closed() -> None:
    shop = ShopSettings.for_site(Site.objects.get(is_default_site=True))
    shop.after_failed_refund = AfterFailedRefund.STAY_CLOSED
    shop.save()


def receipt_page(order: Order) -> str:
    client = Client()
    client.force_login(order.purchaser)
    return read(client.get(f"/checkout/receipt/?order_number={order.number}")).text


@pytest.mark.parametrize("after", [EnrollmentAfter.REMOVE, EnrollmentAfter.AUDIT, EnrollmentAfter.KEEP])
def test_the_order_is_paid_again_and_its_courses_open(till: Till, after: EnrollmentAfter) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    before = runs_of(order)
    refund = give_back(order, enrollment_after=after)
    for _twice in range(2):
        comes_back(refund)
    order = fresh(order)
    assert (order.state, order.fulfilled_at, order.closed_at) == (OrderState.FULFILLED, NOON, None)
    assert runs_of(order) == before
    assert set(before.values()) == {"verified"}
    assert order.attempts.get().refundable == Money("398", "USD")
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_refund_failed").count() == 1
    assert list(MoneyAlert.objects.values_list("order", "kind")) == [(order.pk, AlertKind.REFUND_FAILED)]


def test_only_what_this_refund_took_is_given_back(till: Till) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    first, second = order.lines.all()
    give_back(order, line_ids=(first.pk,), now=NOON + timedelta(minutes=1))
    other = give_back(order, line_ids=(second.pk,))
    assert fresh(order).state == OrderState.REFUNDED
    comes_back(other)
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert set(runs_of(order)) == {second.product.course_run_id}
    assert [line.refunded for line in order.lines.all()] == [249, 0]


def test_where_the_shop_says_so_courses_stay_closed_and_staff_decide(till: Till) -> None:
    keep_closed()
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    first, second = order.lines.all()
    give_back(order, line_ids=(first.pk,))
    comes_back(give_back(order, line_ids=(second.pk,)))
    order = fresh(order)
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.REFUND_FAILED)
    assert runs_of(order) == {}
    page = receipt_page(order)
    assert "Your refund didn’t reach you" in page
    assert "Your payment arrived" not in page
    fulfill_from_review(order_id=order.pk, reason="they want the course after all", by_id=None, now=LATER)
    assert set(runs_of(order)) == {second.product.course_run_id}  # the first one's price did go back


def test_a_course_that_stays_open_keeps_the_order_out_of_review(till: Till) -> None:
    keep_closed()
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    first, second = order.lines.all()
    comes_back(give_back(order, line_ids=(first.pk,)))
    assert fresh(order).state == OrderState.FULFILLED
    assert set(runs_of(order)) == {second.product.course_run_id}


def test_an_order_that_was_never_fulfilled_goes_back_to_review(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till", state=OrderState.REVIEW)
    comes_back(give_back(order))
    assert (fresh(order).state, runs_of(order)) == (OrderState.REVIEW, {})


def test_code_and_seat_come_back_with_the_course(till: Till) -> None:
    contract = make_contract(price="49", seats=1)
    run = make_contract_run(contract, codes=1)
    (code,) = codes_of(run)
    assert run.product is not None
    order = make_paid_order(run.product, gateway="till", code=code)
    (terms,) = lock_terms([contract.pk]).values()
    claim_seat(
        terms=terms,
        user_id=order.purchaser_id,
        state=MembershipState.ACTIVE,
        source="code",
        code_use_id=CodeUse.objects.get().pk,
        now=NOON,
    )
    refund = give_back(order, frees_codes=True)
    assert not ContractMembership.objects.filter(user=order.purchaser).exists()
    comes_back(refund)
    assert fresh(order).state == OrderState.FULFILLED
    assert CodeUse.objects.live().get().order_id == order.pk
    assert ContractMembership.objects.get().user == order.purchaser


def test_a_code_used_by_another_meanwhile_keeps_the_course_closed(till: Till) -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), gateway="till", code=code, discount="24.90")
    refund = give_back(order, frees_codes=True)
    code.refresh_from_db()
    make_paid_order(make_product(), gateway="till", code=code, discount="24.90", buyer=make_user())
    comes_back(refund)
    order = fresh(order)
    assert (order.state, order.review_cause, runs_of(order)) == (OrderState.REVIEW, ReviewCause.REFUND_FAILED, {})
    assert CodeUse.objects.filter(state=UseState.CONFIRMED).count() == 1


@pytest.mark.parametrize("is_restored", [True, False])
def test_a_failed_refund_is_e_mailed_and_the_receipt_corrected(
    till: Till, mailoutbox: list[EmailMultiAlternatives], is_restored: bool
) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    first, _second = order.lines.all()
    give_back(order, amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund = give_back(order, line_ids=(first.pk,), amount=Money("200", "USD"))
    comes_back(refund)
    email_refund_failed(RefundFailed(refund_id=refund.pk, order_id=order.pk, is_restored=is_restored))
    (mail,) = mailoutbox
    assert mail.to == [order.purchaser.email]
    for body in (str(mail.body), str(mail.alternatives[0][0])):
        assert "Your refund of $200.00 didn’t reach you" in body
        assert first.title in body
        assert ("you have access to this course again" in body) == is_restored
    page = receipt_page(order)
    assert "We refunded $10.00" in page
    assert "Your refund of $200.00 didn’t reach you" in page
    give_back(order, line_ids=(first.pk,))
    assert "didn’t reach you" not in receipt_page(order)
    receipt = receipt_for(user_id=order.purchaser_id, number=order.number)
    assert receipt.failed_refunds == ()


def test_a_refund_that_was_refused_at_once_is_no_news_to_the_buyer(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["no"]
    give_back(order)
    assert fresh(order).state == OrderState.FULFILLED
    assert not Delivery.objects.filter(handler="ecommerce.receivers.email_refund_failed").exists()
    assert MoneyAlert.objects.get().kind == AlertKind.REFUND_FAILED


def test_a_second_payment_whose_refund_fails_waits_for_a_decision_again(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    second = make_payment(order, gateway="till")
    with transaction.atomic():
        marked = mark_for_refund(attempt_id=second.pk, reason="the order had been paid before", now=NOON)
    refund = refund_second_payment(refund_id=marked.pk, now=SOON, by_id=None)
    comes_back(refund)
    again = Refund.objects.get(state=RefundState.MARKED)
    assert (again.attempt, again.amount) == (second, 249)
    assert refund_second_payment(refund_id=again.pk, now=LATER, by_id=None).state == RefundState.SUCCEEDED
    assert fresh(order).state == OrderState.FULFILLED
    assert order.attempts.filter(state=AttemptState.PAID, refunded=249).count() == 1
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_paid_twice").count() == 1


def test_courses_refunded_in_review_are_not_opened_by_fulfilling() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), state=OrderState.REVIEW)
    first, second = order.lines.all()
    give_back(order, line_ids=(first.pk,))
    fulfill_from_review(order_id=order.pk, reason="the other one", by_id=None, now=LATER)
    assert set(runs_of(order)) == {second.product.course_run_id}
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
