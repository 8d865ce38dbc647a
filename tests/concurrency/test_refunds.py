"""Refunds by two people and a gateway's notice at once: no cent goes back twice. Each race has its control."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from ecommerce.enums import AlertKind, EnrollmentAfter, OrderState, RefundState
from ecommerce.models import DiscountCode, MoneyAlert, Order, PaymentAttempt, Refund
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.checkout import review
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.orders.alerts import claim_alert_batch, raise_alert
from ecommerce.services.refunds import ledger, refunds
from ecommerce.services.refunds.refunds import follow_refund, refund_order, undo_free_order
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.db import LockableQuerySet
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
from tests.factories.orders import make_paid_order
from tests.support.together import PATIENCE, MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def giving_back(order: Order, amount: str | None = None, **options: Any) -> Callable[[], Refund]:
    money = Money(amount, "USD") if amount else None
    choice = RefundChoice(reason="x", amount=money, enrollment_after=EnrollmentAfter.KEEP, **options)
    return lambda: refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)


def kinds(answers: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in answers)


def test_of_eight_full_refunds_at_once_one_succeeds(together: Together, till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    answers = together(*[giving_back(order)] * 8)
    assert kinds(answers) == {"Refund": 1, "NothingToRefund": 7}
    assert len(till.given) == 1
    assert order.attempts.get().refunded == 249
    assert Order.objects.get(pk=order.pk).state == OrderState.REFUNDED
    assert sum("MoneyReturned" in row.event_type for row in Delivery.objects.all()) == 1


def test_amounts_given_back_at_once_never_pass_what_was_paid(together: Together, till: Till) -> None:
    order = make_paid_order(make_product(), make_product(price="51.00"), gateway="till")
    answers = together(*[giving_back(order, "70")] * 8)
    assert kinds(answers) == {"Refund": 4, "RefundTooMuch": 4}
    assert order.attempts.get().refunded == 280
    assert sum(line.refunded for line in order.lines.all()) == 280


def test_without_lock_and_conditional_write_the_harness_refunds_too_much(
    together: Together, till: Till, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_then_write(attempt_id: int, amount: Money) -> bool:
        attempt = look(attempt_id)
        if attempt.refundable < amount:
            return False
        PaymentAttempt.objects.filter(pk=attempt_id).update(refund_reserved=F("refund_reserved") + amount.amount)
        return True

    order = make_paid_order(make_product(), gateway="till")
    monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    monkeypatch.setattr(ledger, "reserve_money", look_then_write)
    monkeypatch.setattr(ledger, "_add_to_line", lambda line_id, amount, seats: False)  # the lines' own cap
    meeting = meet_at(__import__(__name__, fromlist=["look"]), "look", parties=4, patience=20.0)
    together(*[giving_back(order, "200")] * 4)
    assert meeting.happened
    assert len(till.given) > 1  # if this fails, the tests above prove nothing


def look(attempt_id: int) -> PaymentAttempt:
    return PaymentAttempt.objects.get(pk=attempt_id)


def test_one_form_posted_eight_times_at_once_is_one_refund(together: Together, till: Till) -> None:
    order, act = make_paid_order(make_product(), gateway="till"), uuid.uuid4()
    choice = RefundChoice(reason="x", amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    posting = lambda: refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None, reference=act)  # noqa: E731
    answers = together(*[posting] * 8)
    assert kinds(answers) == {"Refund": 8}
    assert (len(till.given), order.attempts.get().refunded) == (1, 10)


def test_our_answer_and_the_notice_of_it_at_once_are_counted_once(
    together: Together, till: Till, meet_at: MeetAt
) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["away"]
    refund = giving_back(order)()
    notices = [lambda: follow_refund(make_refund_notice(refund, refund_id="re_1"), gateway_name="till", now=NOON)] * 4
    asking = lambda: refunds.look_up_refund(refund_id=refund.pk, now=NOON)  # noqa: E731
    meet_at(refunds, "move_refund", parties=5, before=True)
    answers = together(*notices, asking)
    assert kinds(answers) == {"Refund": 5}
    row = Refund.objects.get()
    attempt = order.attempts.get()
    assert (row.state, row.gateway_refund_id) == (RefundState.SUCCEEDED, "re_1")
    assert (attempt.refunded, attempt.refund_reserved, order.lines.get().refunded) == (249, 0, 249)
    assert sum("MoneyReturned" in row.event_type for row in Delivery.objects.all()) == 1


def test_eight_notices_of_a_dashboard_refund_at_once_make_one_refund(together: Together, till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    notice = make_refund_notice(attempt=order.attempts.get())
    answers = together(*[lambda: follow_refund(notice, gateway_name="till", now=NOON)] * 8)
    assert kinds(answers) == {"Refund": 8}
    assert Refund.objects.count() == 1
    assert order.attempts.get().refunded == 249


def test_without_the_orders_lock_the_harness_writes_it_down_twice(
    together: Together, till: Till, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_paid_order(make_product(), gateway="till")
    notice = make_refund_notice(attempt=order.attempts.get())
    monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    meeting = meet_at(refunds, "_find_refund", parties=4, patience=20.0)
    answers = together(*[lambda: follow_refund(notice, gateway_name="till", now=NOON)] * 4)
    assert meeting.happened
    assert "IntegrityError" in kinds(answers)  # the database is the last guard; the lock is what keeps callers from it


def test_money_back_and_money_there_at_once(together: Together, till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    notice = make_refund_notice(attempt=order.attempts.get(), refund_id="re_elsewhere", amount="200")
    together(giving_back(order, "200"), lambda: follow_refund(notice, gateway_name="till", now=NOON))
    attempt = order.attempts.get()
    assert attempt.refunded in {200, 249}  # the gateway's word is kept, ours only if it fits
    assert attempt.refunded <= 249
    assert Refund.objects.get(gateway_refund_id="re_elsewhere").state == RefundState.SUCCEEDED


def test_the_terms_are_locked_before_the_codes_when_a_seat_is_given_back() -> None:
    run = make_contract_run(make_contract(seats=2, price="49"), codes=1)
    code = codes_of(run)[0]
    assert run.product is not None
    order = make_paid_order(run.product, code=code)
    with CaptureQueriesContext(connection) as captured:
        giving_back(order, frees_codes=True)()
    sent = [each["sql"] for each in captured.captured_queries]
    terms, codes = place(sent, 'FOR NO KEY UPDATE OF "b2b_contractterms"'), place(sent, "WITH released")
    assert place(sent, 'FOR NO KEY UPDATE OF "ecommerce_order"') < place(sent, 'FOR NO KEY UPDATE OF "ecommerce_pay')
    assert place(sent, 'FOR NO KEY UPDATE OF "ecommerce_pay') < terms < codes
    code.refresh_from_db()
    assert code.uses == 0


def place(statements: list[str], text: str) -> int:
    """Return the index of the first statement with this text."""
    return next(number for number, sql in enumerate(statements) if text in sql)


# What cost nothing, and what comes back


def free_order() -> tuple[Order, DiscountCode]:
    """Make a free order of two courses, with a code for two people."""
    code = make_code(make_discount(), max_uses=2)
    order = make_paid_order(make_product(), make_product(), code=code, discount="249")
    make_paid_order(make_product(), code=DiscountCode.objects.get(pk=code.pk), discount="249")
    return order, code


def undoing(order: Order) -> Callable[[], Order]:
    choice = RefundChoice(reason="x", frees_codes=True)
    return lambda: undo_free_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)


def test_of_eight_undos_of_a_free_order_one_succeeds(together: Together) -> None:
    order, code = free_order()
    answers = together(*[undoing(order)] * 8)
    assert kinds(answers) == {"Order": 1, "NothingToRefund": 7}
    code.refresh_from_db()
    assert code.uses == 1
    assert sum("FreeLinesUndone" in row.event_type for row in Delivery.objects.all()) == 1


def test_without_the_orders_lock_the_harness_undoes_it_twice(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _code = free_order()
    monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    meeting = meet_at(refunds, "find_free_lines", parties=4, patience=20.0)
    answers = together(*[undoing(order)] * 4)
    assert meeting.happened
    assert kinds(answers)["NothingToRefund"] < 3  # if this fails, the test above proves nothing


def test_eight_notices_of_a_returned_refund_at_once_undo_it_once(together: Together, till: Till) -> None:
    order = make_paid_order(make_product(), make_product(price="51.00"), gateway="till")
    refund = giving_back(order)()
    notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
    answers = together(*[lambda: follow_refund(notice, gateway_name="till", now=NOON)] * 8)
    assert kinds(answers) == {"Refund": 8}
    assert (order.attempts.get().refunded, Order.objects.get(pk=order.pk).state) == (0, OrderState.FULFILLED)
    assert sum("RefundFailed" in row.event_type for row in Delivery.objects.all()) == 1


def test_two_workers_mail_finance_once(together: Together) -> None:
    make_user("robin@staff.example").user_permissions.add(Permission.objects.get(codename="refund_order"))
    for number in range(20):
        raise_alert(make_paid_order(make_product()).pk, AlertKind.DISPUTE, about=f"dispute {number}", now=NOON)
    claims = together(*[lambda: claim_alert_batch(now=NOON)] * 4)
    taken = [alert.pk for claimed in claims for alert in claimed.alerts]
    assert sorted(taken) == sorted(MoneyAlert.objects.values_list("pk", flat=True))


def deciding(order: Order) -> list[Callable[[], Any]]:
    """A refund whose answer the gateway owes us, and others who fulfill the order meanwhile."""
    fulfilling = partial(fulfill_from_review, order_id=order.pk, reason="they want it", by_id=None, now=NOON)
    return [giving_back(order), fulfilling, fulfilling]


def test_of_a_refund_and_fulfilling_one_comes_first(together: Together, till: Till) -> None:
    till.says = ["pending"]
    order = make_paid_order(make_product(), gateway="till", state=OrderState.REVIEW)
    answers = together(*deciding(order))
    order.refresh_from_db()
    if order.state == OrderState.FULFILLED:  # then the refund knew the order as fulfilled
        assert kinds(answers) == {"Refund": 1, "Order": 1, "WrongOrderState": 1}
    else:
        assert kinds(answers) == {"Refund": 1, "RefundOnItsWay": 2}


@pytest.mark.parametrize("is_locked", [True, False])
def test_no_refund_begins_while_someone_fulfills(
    together: Together, till: Till, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """The control: without the lock a refund begins after fulfilling has looked for one, and both go through."""
    till.says = ["pending"]
    order = make_paid_order(make_product(), gateway="till", state=OrderState.REVIEW)
    if not is_locked:
        monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    look, begun = review._refuse_open_refund, []
    refunding, fulfilling, _again = deciding(order)
    with ThreadPoolExecutor(1) as pool:

        def refund_apart() -> None:
            try:
                refunding()
            finally:
                connections.close_all()

        def look_and_wait(order: Order) -> None:
            look(order)
            refund = pool.submit(refund_apart)
            begun.append(bool(wait([refund], 1 if is_locked else PATIENCE).done))

        monkeypatch.setattr(review, "_refuse_open_refund", look_and_wait)
        together(fulfilling)
    assert begun == [not is_locked]
