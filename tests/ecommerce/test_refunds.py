"""Refunds of orders, lines and amounts: recorded before the call, then following the gateway."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from wagtail.models import ModelLogEntry, Site

from courses.enums import EnrollmentSource
from courses.models import Course, Enrollment, EnrollmentGrant, Program, ProgramRequirement
from courses.services.enrollments import enroll
from ecommerce.enums import (
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RefundOrigin,
    RefundRequestState,
    RefundState,
    UseState,
)
from ecommerce.errors.admin import MoneyWasTaken
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.errors.refunds import (
    GatewayNotHere,
    NothingToRefund,
    RefundAmountNeeded,
    RefundDecided,
    RefundDisputed,
    RefundLinesUnknown,
    RefundTooMuch,
    RefundUnknown,
)
from ecommerce.events import MoneyReturned
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import CodeUse, Dispute, Order, PaymentAttempt, Refund, RefundRequest, ShopSettings
from ecommerce.selectors.refund_plan import RefundChoice, plan_refund
from ecommerce.services.checkout.review import cancel_from_review
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.ledger import mark_for_refund
from ecommerce.services.refunds.refunds import (
    approve_request,
    follow_refund,
    keep_second_payment,
    look_up_refund,
    refund_order,
    refund_second_payment,
    send_refund,
    sweep_refunds,
)
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.money import Money, spread
from tests.ecommerce.tills import Till, install_till, make_refund_notice
from tests.factories import (
    NOON,
    make_code,
    make_course,
    make_department,
    make_discount,
    make_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order, make_payment
from tests.support.events import deliveries_of

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=2)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def usd(amount: str) -> Money:
    return Money(amount, "USD")


def choice(**options: Any) -> RefundChoice:
    return RefundChoice(reason=options.pop("reason", "asked by phone"), **options)


def give_back(order: Order, **options: Any) -> Refund:
    by_id = options.pop("by_id", None)
    reference = options.pop("reference", None)
    return refund_order(order_id=order.pk, choice=choice(**options), now=NOON, by_id=by_id, reference=reference)


def runs_of(order: Order) -> dict[int, str]:
    return dict(Enrollment.objects.active().of(order.purchaser_id).values_list("run_id", "mode"))


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


# What is given back


def test_the_whole_order_goes_back_and_its_courses_go() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    refund = give_back(order)
    assert (refund.state, refund.amount, refund.gateway) == (RefundState.SUCCEEDED, 398, "sandbox")
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {}
    attempt = order.attempts.get()
    assert (attempt.refunded, attempt.refund_reserved) == (398, 0)
    assert [line.refunded for line in order.lines.all()] == [249, 149]


def test_one_line_goes_back_and_the_other_stays() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    first, second = order.lines.all()
    refund = give_back(order, line_ids=(first.pk,))
    assert refund.amount == 249
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert set(runs_of(order)) == {second.product.course_run_id}
    give_back(order, line_ids=(second.pk,))
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {}


def test_an_amount_is_divided_among_the_lines_and_takes_no_course() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    refund = give_back(order, amount=usd("39.80"), enrollment_after=EnrollmentAfter.KEEP)
    assert [part.amount for part in refund.lines.all()] == [Decimal("24.90"), Decimal("14.90")]
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert len(runs_of(order)) == 2
    assert plan_refund(order_id=order.pk, choice=choice()).amount == usd("358.20")


def test_two_equal_amounts_are_two_refunds_and_one_form_posted_twice_is_one() -> None:
    order = make_paid_order(make_product())
    act = uuid.uuid4()
    for _twice in range(2):
        give_back(order, amount=usd("10"), reference=act)
    give_back(order, amount=usd("10"))
    assert order.refunds.count() == 2
    assert order.attempts.get().refunded == 20


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"amount": usd("249.01")}, RefundTooMuch),
        ({"amount": usd("0")}, RefundAmountNeeded),
        ({"amount": usd("-1")}, RefundAmountNeeded),
        ({"amount": Money("1", "EUR")}, RefundAmountNeeded),
        ({"line_ids": ()}, RefundLinesUnknown),
        ({"line_ids": (987654,)}, RefundLinesUnknown),
        ({"reason": "  "}, ValueError),
        ({"attempt_id": 987654}, NothingToRefund),
    ],
)
def test_impossible_refunds_are_refused_and_nothing_is_written(options: dict[str, Any], refusal: type) -> None:
    order = make_paid_order(make_product())
    with pytest.raises(refusal):
        give_back(order, **options)
    assert not Refund.objects.exists()
    assert order.attempts.get().refund_reserved == 0


def test_no_more_than_was_paid_goes_back_however_it_is_asked() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    first, _second = order.lines.all()
    give_back(order, line_ids=(first.pk,), amount=usd("200"))
    with pytest.raises(RefundTooMuch, match=r"at most \$49.00"):
        give_back(order, line_ids=(first.pk,), amount=usd("50"))
    with pytest.raises(RefundTooMuch, match=r"at most \$198.00"):
        give_back(order, amount=usd("199"))
    give_back(order)
    with pytest.raises(NothingToRefund):
        give_back(order)
    assert order.attempts.get().refunded == 398


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.DECLINED, OrderState.ERRORED, OrderState.CANCELED])
def test_an_order_that_came_to_nothing_has_nothing_to_give_back(state: str) -> None:
    order = make_paid_order(make_product(), state=state)
    with pytest.raises(NothingToRefund):
        give_back(order)


def test_a_free_order_has_nothing_to_give_back() -> None:
    order = make_paid_order(make_product(), discount="249")
    with pytest.raises(NothingToRefund):
        give_back(order)
    with pytest.raises(OrderUnknown):
        plan_refund(order_id=0, choice=choice())


def test_an_order_in_review_is_refunded_whole_also_when_another_amount_came() -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW, paid="260.00")
    refund = give_back(order)
    assert refund.amount == 260
    assert fresh(order).state == OrderState.REFUNDED
    less = make_paid_order(make_product(), state=OrderState.REVIEW, paid="200.00")
    assert give_back(less).amount == 200
    assert fresh(less).state == OrderState.REFUNDED


def test_a_partial_refund_keeps_an_order_in_review() -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    give_back(order, amount=usd("10"))
    assert fresh(order).state == OrderState.REVIEW


def test_an_order_in_review_is_not_canceled_while_its_money_is_on_the_way(till: Till) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW, gateway="till")
    till.says = ["pending"]
    assert give_back(order).state == RefundState.PENDING
    with pytest.raises(MoneyWasTaken):
        cancel_from_review(order_id=order.pk, reason="no seat left", by_id=None, now=NOON)
    till.now_says(RefundState.SUCCEEDED)
    assert sweep_refunds(now=LATER) == 1
    assert fresh(order).state == OrderState.REFUNDED


def test_money_for_a_canceled_order_is_still_recorded(till: Till) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW, gateway="till")
    till.says = ["pending"]
    refund = give_back(order)
    Order.objects.filter(pk=order.pk).update(state=OrderState.CANCELED, review_cause="")
    till.now_says(RefundState.SUCCEEDED)
    sweep_refunds(now=LATER)
    refund.refresh_from_db()
    assert (refund.state, fresh(order).state) == (RefundState.SUCCEEDED, OrderState.CANCELED)


def test_yen_have_no_cents() -> None:
    order = make_paid_order(
        make_product(price="1000", currency="JPY"), make_product(price="500", currency="JPY"), currency="JPY"
    )
    refund = give_back(order, amount=Money("100", "JPY"))
    assert [part.amount for part in refund.lines.all()] == [67, 33]


def test_the_gateway_has_to_be_here(settings: Any) -> None:
    order = make_paid_order(make_product(), gateway="till")
    with pytest.raises(GatewayNotHere, match="Till"):
        give_back(order)


def test_the_database_refuses_refunds_above_the_payment() -> None:
    order = make_paid_order(make_product())
    with pytest.raises(IntegrityError), transaction.atomic():
        order.attempts.update(refunded=250)
    with pytest.raises(IntegrityError), transaction.atomic():
        order.lines.update(refunded=250)


@given(
    amount=st.integers(0, 10**6),
    remaining=st.lists(st.integers(0, 10**5), max_size=6),
)
def test_an_amount_is_divided_to_the_cent(amount: int, remaining: list[int]) -> None:
    lines = {key: Money.from_minor(units, "USD") for key, units in enumerate(remaining)}
    parts = spread(Money.from_minor(amount, "USD"), lines)
    assert list(parts) == list(lines)
    assert sum(part.minor_units for part in parts.values()) == min(amount, sum(remaining))
    assert all(part.zero <= part <= lines[key] for key, part in parts.items())


# What follows


def test_auditing_is_left_where_it_is_chosen() -> None:
    order = make_paid_order(make_product())
    give_back(order, enrollment_after=EnrollmentAfter.AUDIT)
    assert list(runs_of(order).values()) == ["audit"]
    old, new = EnrollmentGrant.objects.order_by("pk")
    assert (old.revoked_at, old.revoked_reason, new.mode, new.revoked_at) == (NOON, "asked by phone", "audit", None)


def test_everything_stays_where_it_is_chosen() -> None:
    order = make_paid_order(make_product())
    give_back(order, enrollment_after=EnrollmentAfter.KEEP)
    assert list(runs_of(order).values()) == ["verified"]
    assert fresh(order).state == OrderState.REFUNDED


def test_courses_paid_by_another_order_stay() -> None:
    product = make_product()
    first = make_paid_order(product)
    run_id, source = product.course_run_id or 0, EnrollmentSource.ORDER
    enroll(user_id=first.purchaser_id, run_id=run_id, mode="verified", source=source, reference="TS-EARLIER", now=NOON)
    give_back(first)
    assert list(runs_of(first).values()) == ["verified"]


def test_a_program_takes_its_runs_along_but_not_the_course_bought_beside_it() -> None:
    program = Program.objects.create(readable_id="program-v1:T+P", title="Program", department=make_department())
    courses: list[Course] = [make_course() for _each in range(2)]
    runs = [make_run(course) for course in courses]
    for position, course in enumerate(courses):
        ProgramRequirement.objects.create(program=program, kind="course", course=course, position=position)
    whole = make_product(make_run())
    whole.course_run, whole.program, whole.sku = None, program, "PROGRAM"
    whole.save()
    single = make_product(runs[0])
    order = make_paid_order(whole, single)
    assert set(runs_of(order)) == {run.pk for run in runs}
    line = order.lines.get(product=whole)
    give_back(order, line_ids=(line.pk,))
    assert set(runs_of(order)) == {runs[0].pk}
    give_back(order)
    assert runs_of(order) == {}


def test_codes_are_free_again_only_where_it_is_chosen() -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), code=code, discount="24.90")
    give_back(order, amount=usd("1"))
    assert CodeUse.objects.get().state == UseState.CONFIRMED
    give_back(order, frees_codes=True)
    code.refresh_from_db()
    assert (CodeUse.objects.get().state, code.uses) == (UseState.RELEASED, 0)


def test_a_code_stays_used_while_a_line_or_a_later_order_needs_it() -> None:
    code = make_code(make_discount(), max_uses=5)
    order = make_paid_order(make_product(), make_product(), code=code, discount="24.90")
    first, second = order.lines.all()
    give_back(order, line_ids=(first.pk,), frees_codes=True)
    assert CodeUse.objects.get().state == UseState.CONFIRMED
    later = make_paid_order(make_product(), buyer=order.purchaser, discount="24.90")
    later.lines.update(code=code)
    give_back(order, line_ids=(second.pk,), frees_codes=True)
    remaining = CodeUse.objects.get()
    assert (remaining.state, remaining.order_id) == (UseState.CONFIRMED, later.pk)
    give_back(later, frees_codes=True)
    assert CodeUse.objects.get().state == UseState.RELEASED


def test_a_use_that_staff_took_away_is_not_given_back() -> None:
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(make_product(), code=code, discount="24.90")
    CodeUse.objects.update(state=UseState.RETIRED)
    give_back(order, frees_codes=True)
    code.refresh_from_db()
    assert (CodeUse.objects.get().state, code.uses) == (UseState.RETIRED, 1)


def test_the_log_says_who_refunded_and_why() -> None:
    finance = make_user("finance@example.test")
    order = make_paid_order(make_product())
    give_back(order, by_id=finance.pk, reason="double booking")
    entries = ModelLogEntry.objects.filter(object_id=str(order.pk)).order_by("pk")
    assert [(entry.action, entry.user_id) for entry in entries] == [
        ("ecommerce.refund.record", finance.pk),
        ("ecommerce.refund.settle", finance.pk),
    ]
    assert entries[0].data["reason"] == "double booking"
    assert entries[0].data["amount"] == "249.00 USD"


def test_the_buyer_is_mailed_once() -> None:
    order = make_paid_order(make_product())
    refund = give_back(order)
    follow_refund(make_refund_notice(refund, refund_id=refund.gateway_refund_id), gateway_name="sandbox", now=LATER)
    events = [row.event_type.rpartition(".")[2] for row in Delivery.objects.all()]
    assert events.count("MoneyReturned") == 1


# What the gateway says, and when


def test_a_refund_is_recorded_before_the_gateway_is_called(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    seen: list[tuple[str, str, bool]] = []

    def look() -> None:
        row = Refund.objects.get()
        seen.append((row.state, row.idempotency_key, connection.in_atomic_block))

    till.before = look
    refund = give_back(order)
    assert seen == [("sent", f"refund:{refund.reference}", True)]  # the one block is the test's own
    assert till.asked[0].idempotency_key == refund.idempotency_key
    assert till.asked[0].payment_id == order.attempts.get().payment_id
    assert till.asked[0].reference == str(refund.reference)


def test_no_gateway_is_called_inside_a_transaction() -> None:
    order = make_paid_order(make_product())
    with pytest.raises(RuntimeError, match="outside any transaction"), transaction.atomic():
        give_back(order)


def test_a_refund_the_gateway_refuses_can_be_retried(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["no"]
    refund = give_back(order)
    assert (refund.state, refund.failure) == (RefundState.FAILED, "The card was closed.")
    assert fresh(order).state == OrderState.FULFILLED
    assert order.attempts.get().refund_reserved == 0
    assert [line.refunded for line in order.lines.all()] == [0]
    assert len(runs_of(order)) == 1
    assert give_back(order).state == RefundState.SUCCEEDED


def test_money_on_its_way_is_set_aside_and_takes_effect_when_it_arrives(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["pending"]
    refund = give_back(order)
    assert refund.state == RefundState.PENDING
    assert fresh(order).state == OrderState.FULFILLED
    assert len(runs_of(order)) == 1
    with pytest.raises(NothingToRefund):
        give_back(order)
    till.now_says(RefundState.SUCCEEDED)
    assert sweep_refunds(now=LATER) == 1
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {}
    assert sweep_refunds(now=LATER) == 0


@pytest.mark.parametrize(("word", "asked"), [("lost", 1), ("away", 2)])
def test_without_an_answer_it_stays_sent_and_the_sweep_finds_out(till: Till, word: str, asked: int) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = [word]
    refund = give_back(order)
    assert refund.state == RefundState.SENT
    with pytest.raises(NothingToRefund):
        give_back(order)
    assert sweep_refunds(now=NOON + timedelta(seconds=60)) == 0
    assert sweep_refunds(now=LATER) == 1
    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED
    assert len(till.given) == 1
    assert [each.idempotency_key for each in till.asked] == [refund.idempotency_key] * asked


def test_an_interrupted_refund_is_sent_by_the_sweep(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.before = lambda: (_ for _ in ()).throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        give_back(order)
    Refund.objects.update(state=RefundState.RECORDED, sent_at=None)
    till.before = lambda: None
    assert sweep_refunds(now=LATER) == 1
    assert Refund.objects.get().state == RefundState.SUCCEEDED


def test_sending_again_asks_nothing(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    refund = give_back(order)
    send_refund(refund_id=refund.pk, now=LATER)
    look_up_refund(refund_id=refund.pk, now=LATER)
    assert (len(till.asked), till.looked_up) == (1, 0)


def test_our_own_refund_that_comes_back_as_a_notice_is_ours(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["away"]
    refund = give_back(order)
    for _twice in range(2):
        follow_refund(make_refund_notice(refund, refund_id="re_1"), gateway_name="till", now=LATER)
    row = Refund.objects.get()
    assert (row.state, row.gateway_refund_id, row.origin) == (RefundState.SUCCEEDED, "re_1", RefundOrigin.OURS)
    assert order.attempts.get().refunded == 249


def test_a_notice_may_come_before_our_own_answer(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.before = lambda: follow_refund(
        make_refund_notice(Refund.objects.get(), refund_id="re_1"), gateway_name="till", now=NOON
    )
    give_back(order)
    assert Refund.objects.get().state == RefundState.SUCCEEDED
    assert order.attempts.get().refunded == 249


def test_a_gateway_without_references_still_makes_one_refund(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    attempt = order.attempts.get()
    till.before = lambda: follow_refund(
        make_refund_notice(attempt=attempt, refund_id="re_1", amount="10"), gateway_name="till", now=NOON
    )
    refund = give_back(order, amount=usd("10"))
    assert (refund.gateway_refund_id, refund.state) == ("re_1", RefundState.SUCCEEDED)
    attempt.refresh_from_db()
    assert (attempt.refunded, attempt.refund_reserved, order.lines.get().refunded) == (10, 0, 10)
    assert Refund.objects.filter(state=RefundState.CANCELED).count() == 1


@pytest.mark.parametrize("last", [RefundState.FAILED, RefundState.CANCELED])
def test_a_refund_that_comes_back_to_us_is_owed_again(till: Till, last: RefundState) -> None:
    order = make_paid_order(make_product(), gateway="till")
    refund = give_back(order)
    follow_refund(
        make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=last), gateway_name="till", now=LATER
    )
    follow_refund(
        make_refund_notice(refund, refund_id=refund.gateway_refund_id), gateway_name="till", now=LATER
    )  # old news
    refund.refresh_from_db()
    assert refund.state == last
    assert (order.attempts.get().refunded, order.lines.get().refunded) == (0, 0)
    assert fresh(order).state == OrderState.FULFILLED
    assert give_back(order).state == RefundState.SUCCEEDED  # finance can give it back again
    assert fresh(order).state == OrderState.REFUNDED


def test_a_refund_given_up_here_follows_the_gateways_notice(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["no"]
    refund = give_back(order)
    follow_refund(make_refund_notice(refund, refund_id="re_1"), gateway_name="till", now=LATER)
    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED
    assert (order.attempts.get().refunded, order.lines.get().refunded) == (249, 249)
    assert fresh(order).state == OrderState.REFUNDED


# What is done at the gateway


def test_a_whole_refund_made_at_the_gateway_appears_here_and_takes_the_course() -> None:
    order = make_paid_order(make_product(), make_product())
    attempt = order.attempts.get()
    for state in (RefundState.SUCCEEDED, RefundState.SUCCEEDED, RefundState.PENDING):
        follow_refund(make_refund_notice(attempt=attempt, state=state), gateway_name="sandbox", now=LATER)
    refund = Refund.objects.get()
    assert (refund.origin, refund.state, refund.amount) == (RefundOrigin.PROVIDER, RefundState.SUCCEEDED, 498)
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {}
    assert deliveries_of(MoneyReturned).count() == 1


@pytest.mark.parametrize(("policy", "modes"), [("audit", ["audit"]), ("keep", ["verified"]), ("remove", [])])
def test_the_shop_decides_what_dashboard_refunds_do_to_courses(policy: str, modes: list[str]) -> None:
    site = Site.objects.get(is_default_site=True)
    ShopSettings.objects.create(site=site, after_refund_elsewhere=policy)
    order = make_paid_order(make_product())
    follow_refund(make_refund_notice(attempt=order.attempts.get()), gateway_name="sandbox", now=LATER)
    assert list(runs_of(order).values()) == modes


def test_parts_given_back_there_leave_the_course_until_all_is_back() -> None:
    order = make_paid_order(make_product())
    attempt = order.attempts.get()
    follow_refund(
        make_refund_notice(attempt=attempt, amount="100", refund_id="re_1"), gateway_name="sandbox", now=LATER
    )
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert len(runs_of(order)) == 1
    assert order.lines.get().refunded == 100
    follow_refund(
        make_refund_notice(attempt=attempt, amount="149", refund_id="re_2"), gateway_name="sandbox", now=LATER
    )
    assert fresh(order).state == OrderState.REFUNDED
    assert runs_of(order) == {}


def test_a_refund_there_while_ours_is_under_way_is_counted_once_each(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till")
    attempt = order.attempts.get()
    till.says = ["away"]
    ours = give_back(order)  # all of it is set aside
    follow_refund(make_refund_notice(attempt=attempt, refund_id="re_9"), gateway_name="till", now=NOON)
    attempt.refresh_from_db()
    assert (attempt.refunded, attempt.refund_reserved) == (249, 249)
    till.says = ["no"]
    sweep_refunds(now=LATER)
    ours.refresh_from_db()
    attempt.refresh_from_db()
    assert ours.state == RefundState.FAILED
    assert (attempt.refunded, attempt.refund_reserved, order.lines.get().refunded) == (249, 0, 249)
    assert fresh(order).state == OrderState.REFUNDED


def test_more_than_was_paid_is_kept_and_flagged_not_lost() -> None:
    order = make_paid_order(make_product())
    attempt = order.attempts.get()
    follow_refund(make_refund_notice(attempt=attempt, refund_id="re_1"), gateway_name="sandbox", now=LATER)
    refund = follow_refund(
        make_refund_notice(attempt=attempt, refund_id="re_2", amount="5"), gateway_name="sandbox", now=LATER
    )
    assert refund is not None
    assert not refund.is_counted
    assert order.attempts.get().refunded == 249


def test_notices_about_unknown_payments_are_ignored() -> None:
    order = make_paid_order(make_product())
    notice = make_refund_notice(attempt=order.attempts.get())
    assert follow_refund(notice, gateway_name="till", now=NOON) is None
    unknown = DisputeNotice("evt", "dp_1", "pi_unknown", usd("1"), DisputeState.WON, "fraud")
    assert follow_dispute(unknown, gateway_name="sandbox", now=NOON) is None


# Second payments


def marked(order: Order) -> tuple[PaymentAttempt, Refund]:
    second = make_payment(order)
    with transaction.atomic():
        return second, mark_for_refund(attempt_id=second.pk, reason="paid a second time", now=NOON)


def test_a_second_payment_awaits_a_decision_and_is_refunded_separately() -> None:
    order = make_paid_order(make_product())
    second, refund = marked(order)
    with transaction.atomic():
        assert mark_for_refund(attempt_id=second.pk, reason="again", now=NOON) == refund
    assert sweep_refunds(now=LATER) == 0
    finance = make_user()
    refund = refund_second_payment(refund_id=refund.pk, now=NOON, by_id=finance.pk)
    assert (refund.state, refund.attempt_id, refund.begun_by_id) == (RefundState.SUCCEEDED, second.pk, finance.pk)
    assert fresh(order).state == OrderState.FULFILLED
    assert len(runs_of(order)) == 1
    assert give_back(order).attempt_id != second.pk
    assert fresh(order).state == OrderState.REFUNDED
    with pytest.raises(RefundDecided):
        refund_second_payment(refund_id=refund.pk, now=NOON, by_id=finance.pk)


def test_a_second_payment_can_be_kept_with_a_reason() -> None:
    _second, refund = marked(make_paid_order(make_product()))
    with pytest.raises(ValueError, match="empty"):
        keep_second_payment(refund_id=refund.pk, reason=" ", now=NOON, by_id=None)
    refund = keep_second_payment(refund_id=refund.pk, reason="agreed with the buyer", now=NOON, by_id=None)
    assert (refund.state, refund.failure) == (RefundState.CANCELED, "agreed with the buyer")
    with pytest.raises(RefundUnknown):
        keep_second_payment(refund_id=0, reason="x", now=NOON, by_id=None)


def test_a_second_payment_given_back_at_the_gateway_needs_no_decision() -> None:
    order = make_paid_order(make_product())
    second, refund = marked(order)
    follow_refund(make_refund_notice(attempt=second), gateway_name="sandbox", now=LATER)
    refund.refresh_from_db()
    assert refund.state == RefundState.CANCELED
    assert fresh(order).state == OrderState.FULFILLED
    assert len(runs_of(order)) == 1


# Disputes


def disputed(order: Order, state: DisputeState = DisputeState.NEEDS_RESPONSE, **options: Any) -> Dispute:
    attempt = order.attempts.get()
    notice = DisputeNotice("evt", "dp_1", attempt.payment_id, attempt.money, state, "fraudulent", **options)
    dispute = follow_dispute(notice, gateway_name="sandbox", now=NOON)
    assert dispute is not None
    return dispute


def test_a_dispute_stops_refunds_until_it_is_closed() -> None:
    order = make_paid_order(make_product())
    disputed(order)
    with pytest.raises(RefundDisputed):
        give_back(order)
    disputed(order, DisputeState.WON)
    assert give_back(order).state == RefundState.SUCCEEDED


def test_money_lost_in_a_dispute_is_not_refunded_again() -> None:
    order = make_paid_order(make_product())
    disputed(order, DisputeState.LOST, funds="withdrawn")
    with pytest.raises(RefundDisputed):
        give_back(order)


def test_an_order_in_review_whose_money_the_bank_took_is_over_and_before_it_is_not() -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    disputed(order, DisputeState.UNDER_REVIEW, funds="withdrawn")
    with pytest.raises(MoneyWasTaken):
        cancel_from_review(order_id=order.pk, reason="lost", by_id=None, now=NOON)
    disputed(order, DisputeState.LOST, funds="withdrawn")
    assert fresh(order).state == OrderState.REFUNDED


def test_a_refund_in_another_currency_is_kept_and_counted_nowhere() -> None:
    order = make_paid_order(make_product())
    attempt = order.attempts.get()
    notice = replace(make_refund_notice(attempt=attempt), amount=Money("10", "EUR"))
    refund = follow_refund(notice, gateway_name="sandbox", now=LATER)
    assert refund is not None
    assert not refund.is_counted
    assert (order.attempts.get().refunded, order.lines.get().refunded) == (0, 0)
    assert fresh(order).state == OrderState.FULFILLED


def test_disputes_are_followed_in_any_order() -> None:
    order = make_paid_order(make_product())
    disputed(order, funds="withdrawn")
    disputed(order, DisputeState.LOST)
    dispute = disputed(order, DisputeState.UNDER_REVIEW)
    assert (dispute.state, dispute.closed_at, dispute.funds_withdrawn_at) == (DisputeState.LOST, NOON, NOON)
    assert disputed(order, DisputeState.WON, funds="reinstated").funds_reinstated_at == NOON
    assert Dispute.objects.count() == 1
    assert fresh(order).state == OrderState.FULFILLED


# Requests


def test_an_approved_request_is_refunded_and_closed() -> None:
    order = make_paid_order(make_product())
    request = RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    finance = make_user()
    refund = approve_request(request_id=request.pk, choice=choice(), now=NOON, by_id=finance.pk)
    request.refresh_from_db()
    assert (refund.state, refund.request_id) == (RefundState.SUCCEEDED, request.pk)
    assert (request.state, request.decided_by_id) == (RefundRequestState.APPROVED, finance.pk)
    with pytest.raises(RefundDecided):
        approve_request(request_id=request.pk, choice=choice(), now=NOON, by_id=finance.pk)


def test_a_failed_refund_leaves_the_request_open() -> None:
    order = make_paid_order(make_product())
    request = RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    with pytest.raises(RefundTooMuch):
        approve_request(request_id=request.pk, choice=choice(amount=usd("999")), now=NOON, by_id=None)
    request.refresh_from_db()
    assert request.is_open
    give_back(order)  # the whole price, given back directly, answers the request
    request.refresh_from_db()
    assert request.state == RefundRequestState.APPROVED
